/**
 * The picture of the points: renderer, overlay, camera and the way from one step to the next.
 *
 * It is told what to show by setters and draws once a frame at most; it never reads the store.
 */
import {
  type Camera,
  drag,
  fitCamera,
  homeCamera,
  project,
  unitPixels,
  type Viewport,
  viewMatrix,
  zoomAt,
} from "./camera";
import { type LabelWish, type PlacedLabel, placeLabels } from "./labels";
import { drawOverlay, type OverlayColours } from "./overlay";
import { parseColour } from "./palette";
import { outermost, pickNearest } from "./pick";
import { type Extent, extentOf, mixPositions, unionOf } from "./positions";
import { Renderer } from "./renderer";

export interface Highlight {
  selected: readonly number[];
  hits: readonly number[];
  hovered: number | null;
}

export interface ViewOptions {
  reducedMotion: () => boolean;
  onDrawn: () => void;
}

const TRANSITION_MS = 650;
const PICK_RADIUS = 12;
const N_DIRECTIONS = 14;
const MAX_HIT_LABELS = 60;
const NO_COLOURS: OverlayColours = { ink: "#000", faint: "#666", line: "#ddd", accent: "#f57c00", surface: "#fff" };

function ease(t: number): number {
  return t < 0.5 ? 4 * t * t * t : 1 - (-2 * t + 2) ** 3 / 2;
}

/** Points shrink and thin out as there are more of them. */
export function pointLook(n: number, { width, height }: Viewport): { size: number; opacity: number } {
  const room = Math.min(Math.max(Math.sqrt((width * height) / 420_000), 0.85), 1.5);
  const size = Math.min(Math.max(11 - 1.75 * Math.log10(Math.max(n, 1)), 1.6), 8) * room;
  return { size, opacity: n > 50_000 ? 0.55 : n > 5_000 ? 0.75 : 0.85 };
}

export class PointsView {
  camera: Camera = { dims: 2, x: 0, y: 0, zoom: 1 };
  private readonly renderer: Renderer;
  private readonly overlay: HTMLCanvasElement;
  private readonly context: CanvasRenderingContext2D;
  private viewport: Viewport = { width: 0, height: 0 };
  private seriesKey = "";
  stretch = false;
  extent: Extent = extentOf(new Float32Array(0));
  private from: Float32Array = new Float32Array(0);
  private to: Float32Array = new Float32Array(0);
  private shown = new Float32Array(0);
  private screen = new Float32Array(0);
  private startedAt = 0;
  private mix = 1;
  private labels: PlacedLabel[] = [];
  private highlight: Highlight = { selected: [], hits: [], hovered: null };
  private axisNames: [string, string, string] = ["", "", ""];
  private nameOf: (index: number) => string = String;
  private colours = NO_COLOURS;
  private request = 0;
  private dragging = false;
  /** Whether the camera has found its first place, for which the size of the view must be known. */
  private isHome = false;

  constructor(
    readonly host: HTMLElement,
    private readonly options: ViewOptions,
  ) {
    this.renderer = new Renderer(host, () => this.invalidate());
    this.overlay = document.createElement("canvas");
    this.overlay.className = "points-overlay";
    host.append(this.overlay);
    this.context = this.overlay.getContext("2d") as CanvasRenderingContext2D;
  }

  get kind(): "gl" | "cpu" {
    return this.renderer.kind;
  }

  /** Shows positions; they move there from where they are when they belong to the same series. */
  setPositions(positions: Float32Array, dims: 2 | 3, seriesKey: string): void {
    const continues = seriesKey === this.seriesKey && positions.length === this.to.length && this.to.length > 0;
    const moves = continues && !this.options.reducedMotion() && this.viewport.width > 0;
    const extent = extentOf(positions);
    this.extent = continues ? unionOf(this.extent, extent) : extent;
    this.from = moves ? this.positionsNow().slice() : positions;
    this.to = positions;
    this.mix = moves ? 0 : 1;
    this.startedAt = performance.now();
    this.shown = new Float32Array(positions.length);
    this.screen = new Float32Array(positions.length);
    this.renderer.setPositions(this.from, this.to);
    if (!continues || this.camera.dims !== dims) {
      this.camera = homeCamera(dims, this.extent);
      this.isHome = false;
    }
    this.seriesKey = seriesKey;
    this.invalidate();
  }

  setStretch(stretch: boolean): void {
    if (stretch === this.stretch) return;
    this.stretch = stretch;
    this.home();
  }

  setColours(rgb: Uint8Array, faint: Uint8Array): void {
    this.renderer.setColours(rgb, faint);
    this.invalidate();
  }

  setHighlight(highlight: Highlight): void {
    this.highlight = highlight;
    this.invalidate();
  }

  setNames(axisNames: [string, string, string], nameOf: (index: number) => string): void {
    this.axisNames = axisNames;
    this.nameOf = nameOf;
    this.invalidate();
  }

  setTheme(colours: OverlayColours): void {
    this.colours = colours;
    this.invalidate();
  }

  resize(width: number, height: number): void {
    if (width < 2 || height < 2) return;
    this.viewport = { width, height };
    this.invalidate();
  }

  home(): void {
    this.extent = extentOf(this.to);
    this.camera = homeCamera(this.camera.dims, this.extent);
    this.isHome = false;
    this.invalidate();
  }

  setCamera(camera: Camera): void {
    this.camera = camera;
    this.invalidate();
  }

  dragBy(dx: number, dy: number, pan: boolean): void {
    this.dragging = true;
    this.setCamera(drag(this.camera, dx, dy, this.unit(), pan));
  }

  endDrag(): void {
    this.dragging = false;
    this.invalidate();
  }

  zoomAt(factor: number, x: number, y: number): void {
    const { width, height } = this.viewport;
    this.setCamera(zoomAt(this.camera, factor, x - width / 2, y - height / 2, this.unit()));
  }

  pick(x: number, y: number): number | null {
    return this.mix < 1 ? null : pickNearest(this.screen, x, y, PICK_RADIUS);
  }

  /** Where a point is on the screen, CSS pixels. */
  placeOf(index: number): { x: number; y: number } | null {
    const x = this.screen[index * 3];
    return x === undefined || Number.isNaN(x) ? null : { x, y: this.screen[index * 3 + 1] };
  }

  dispose(): void {
    cancelAnimationFrame(this.request);
    this.renderer.dispose();
    this.overlay.remove();
  }

  invalidate(): void {
    this.request ||= requestAnimationFrame((now) => this.draw(now));
  }

  private unit(): [number, number] {
    return this.camera.dims === 2 ? unitPixels(this.camera, this, this.viewport) : [1, 1];
  }

  private positionsNow(): Float32Array {
    if (this.mix >= 1) return this.to;
    return mixPositions(this.from, this.to, ease(this.mix), this.shown);
  }

  private draw(now: number): void {
    this.request = 0;
    const { viewport } = this;
    if (viewport.width === 0) return;
    if (this.mix < 1) this.mix = Math.min(Math.max((now - this.startedAt) / TRANSITION_MS, 0), 1);
    if (!this.isHome) this.camera = fitCamera(this.camera, this, viewport, this.to);
    this.isHome = true;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const matrix = viewMatrix(this.camera, this, viewport);
    const look = pointLook(this.to.length / 3, viewport);
    this.renderer.draw({
      matrix,
      viewport,
      ratio,
      mix: ease(this.mix),
      background: parseColour(this.colours.surface),
      dims: this.camera.dims,
      ...look,
    });
    project(this.positionsNow(), matrix, viewport, this.screen);
    if (this.mix >= 1 && !this.dragging) this.labels = this.place();
    else this.labels = this.follow();
    this.sizeOverlay(ratio);
    drawOverlay(
      this.context,
      ratio,
      {
        camera: this.camera,
        extent: this.extent,
        stretch: this.stretch,
        matrix,
        viewport,
        axisNames: this.axisNames,
        screen: this.screen,
        labels: this.labels,
        size: look.size,
        ...this.highlight,
      },
      this.colours,
    );
    if (this.mix < 1) this.invalidate();
    if (this.to.length > 0) this.options.onDrawn();
  }

  private sizeOverlay(ratio: number): void {
    const width = Math.round(this.viewport.width * ratio);
    const height = Math.round(this.viewport.height * ratio);
    if (this.overlay.width === width && this.overlay.height === height) return;
    this.overlay.width = width;
    this.overlay.height = height;
  }

  /** While points move, the words that are shown move with them. */
  private follow(): PlacedLabel[] {
    const keep = new Set(this.labels.map((label) => label.index));
    return this.place([...keep].map((index) => ({ index, text: this.nameOf(index), always: false })));
  }

  private wishes(): LabelWish[] {
    const { selected, hits, hovered } = this.highlight;
    const { width, height } = this.viewport;
    const far = outermost(this.screen, N_DIRECTIONS, (x, y) => x > 4 && x < width - 4 && y > 18 && y < height - 24);
    const wishes = new Map<number, boolean>();
    for (const index of selected.slice(0, MAX_HIT_LABELS)) wishes.set(index, true);
    for (const index of hits.slice(0, MAX_HIT_LABELS)) wishes.set(index, wishes.get(index) ?? false);
    for (const index of far) wishes.set(index, wishes.get(index) ?? false);
    // The label of the hovered point stands in its tip.
    if (hovered !== null) wishes.delete(hovered);
    return [...wishes].map(([index, always]) => ({ index, text: this.nameOf(index), always }));
  }

  private place(wishes = this.wishes()): PlacedLabel[] {
    this.context.font = "12px Roboto, system-ui, sans-serif";
    return placeLabels(wishes, this.screen, this.viewport, (text) => this.context.measureText(text).width);
  }
}
