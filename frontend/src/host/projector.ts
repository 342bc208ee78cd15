/**
 * Reaches into the frame of the standard Embedding Projector. All of it is private API of that program:
 * each step is guarded, and where something is not there the frame simply stays as it is.
 */

type Unlink = () => void;

interface ProjectorElement extends HTMLElement {
  registerSelectionChangedListener?: (listener: (indices: number[]) => void) => void;
  notifySelectionChanged?: (indices: number[]) => void;
  registerHoverListener?: (listener: (index: number | null) => void) => void;
  dataSet?: { points?: { index?: number }[] } | null;
  normalizeData?: boolean;
  /** Not empty while only some rows are shown ("isolate"). */
  dataSetFilterIndices?: number[];
}

export interface ProjectorEvents {
  /** The projector has registered itself; its data may still be on the way. */
  onLinked: () => void;
  /** Rows selected in the projector. */
  onSelection: (indices: number[]) => void;
  onHover: (index: number | null) => void;
  /** The projector shows its first points. */
  onReady: () => void;
  /** Its own "total variance described", as it says it. */
  onVariance: (text: string, spherizes: boolean | null) => void;
}

const LOOK_MS = 400;
/** Frames that are being told a selection: what they report meanwhile is an echo. */
const sending = new WeakSet<HTMLIFrameElement>();

function projectorIn(frame: HTMLIFrameElement): ProjectorElement | null {
  try {
    const dashboard = frame.contentDocument?.querySelector("vz-projector-dashboard");
    return dashboard?.shadowRoot?.querySelector<ProjectorElement>("vz-projector") ?? null;
  } catch {
    return null;
  }
}

function inside(projector: ProjectorElement | null, selector: string): HTMLElement | null {
  return projector?.shadowRoot?.querySelector<HTMLElement>(selector) ?? null;
}

function varianceOf(projector: ProjectorElement): string {
  const panel = inside(projector, "vz-projector-projections-panel");
  return panel?.shadowRoot?.querySelector("#total-variance")?.textContent?.trim() ?? "";
}

/** Hides or shows the side panels; false where they are not found. */
export function setPanels(frame: HTMLIFrameElement, shown: boolean): boolean {
  const projector = projectorIn(frame);
  const panes = ["#left-pane", "#right-pane"].map((selector) => inside(projector, selector)).filter((p) => p !== null);
  for (const pane of panes) pane.style.display = shown ? "" : "none";
  if (panes.length > 0) frame.contentWindow?.dispatchEvent(new Event("resize"));
  return panes.length > 0;
}

/** Presses the projector's own night button where its state differs. */
export function setNight(frame: HTMLIFrameElement, night: boolean): void {
  const button = inside(projectorIn(frame), "#nightDayMode") as (HTMLElement & { active?: boolean }) | null;
  if (button && Boolean(button.active) !== night) button.click();
}

export function hasPoints(frame: HTMLIFrameElement): boolean {
  return (projectorIn(frame)?.dataSet?.points?.length ?? 0) > 0;
}

export function sendSelection(frame: HTMLIFrameElement, indices: readonly number[]): void {
  const projector = projectorIn(frame);
  const count = projector?.dataSet?.points?.length ?? 0;
  if (count === 0 || projector?.dataSetFilterIndices?.length) return;
  sending.add(frame);
  try {
    projector?.notifySelectionChanged?.(indices.filter((index) => index < count));
  } catch {
    // Its selection stays as it was.
  }
  sending.delete(frame);
}

/** Rows of the whole table; while the projector shows only some, its indices count those. */
function rowsOf(projector: ProjectorElement, indices: readonly number[]): number[] {
  return indices.map((index) => projector.dataSet?.points?.[index]?.index ?? index);
}

/** Listens to a frame from its start to its end; the events start when the projector has registered itself. */
export function linkProjector(frame: HTMLIFrameElement, events: ProjectorEvents): Unlink {
  let linked: ProjectorElement | null = null;
  let ready = false;
  let variance = "";
  const look = () => {
    const projector = projectorIn(frame);
    if (!projector) return;
    if (linked !== projector && projector.registerSelectionChangedListener && projector.registerHoverListener) {
      linked = projector;
      projector.registerSelectionChangedListener((indices) => {
        if (ready && !sending.has(frame)) events.onSelection(rowsOf(projector, indices));
      });
      projector.registerHoverListener((index) => {
        if (ready) events.onHover(typeof index === "number" ? rowsOf(projector, [index])[0] : null);
      });
      events.onLinked();
    }
    if (!ready && hasPoints(frame)) {
      ready = true;
      events.onReady();
    }
    const now = varianceOf(projector);
    if (now && now !== variance) {
      variance = now;
      events.onVariance(now, typeof projector.normalizeData === "boolean" ? projector.normalizeData : null);
    }
  };
  const timer = setInterval(look, LOOK_MS);
  return () => clearInterval(timer);
}
