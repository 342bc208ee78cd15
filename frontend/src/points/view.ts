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
import { boxOf, type LabelWish, type PlacedLabel, placeLabels } from "./labels";
import { ease, pointLook, TRANSITION_MS } from "./look";
import { AXIS_FONT, type AxesScene, axisTexts, drawOverlay, LABEL_FONT, type OverlayColours } from "./overlay";
import { parseColour } from "./palette";
import { outermost, pickNearest } from "./pick";
import { type Extent, extentOf, mixExtent, mixPositions, unionOf } from "./positions";
import { type Frame, Renderer } from "./renderer";

export interface Highlight {
  selected: readonly number[];
  hits: readonly number[];
  hovered: number | null;
}

export interface ViewOptions {
  reducedMotion: () => boolean;
  onDrawn: () => void;
}

const PICK_RADIUS = 12;
/** Points named without being asked: so many outermost ones in so many directions. */
const NAMED = { directions: 16, each: 4 };
const MAX_HIT_LABELS = 60;
const NO_COLOURS: OverlayColours = { ink: "#000", faint: "#666", line: "#ddd", accent: "#f57c00", surface: "#fff" };

export class PointsView {
  camera: Camera = { dims: 2, x: 0, y: 0, zoom: 1 };
  private readonly renderer: Renderer;
  private readonly overlay: HTMLCanvasElement;
  private readonly context: CanvasRenderingContext2D;
  private viewport: Viewport = { width: 0, height: 0 };
  private seriesKey = "";
  stretch = false;
  /** What the view is fitted to, and between which two it is on its way. It only grows while a series is shown. */
  extent: Extent = extentOf(new Float32Array(0));
  private extentFrom: Extent = this.extent;
  private extentTo: Extent = this.extent;
  /** Whether the camera was never moved by hand, so that it stays at the middle of the extent. */
  private isCentred = true;
  private from: Float32Array = new Float32Array(0);
  private to: Float32Array = new Float32Array(0);
  private shown = new Float32Array(0);
  private screen = new Float32Array(0);
  private startedAt = 0;
  private mix = 1;
  private labels: PlacedLabel[] = [];
  /** The outermost points of the picture at rest. */
  private far: number[] = [];
  /** Whether the points must be drawn anew, not only what lies over them. */
  private isStale = true;
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
    this.extentTo = continues ? unionOf(this.extentTo, extent) : extent;
    this.extentFrom = moves ? this.extent : this.extentTo;
    this.extent = this.extentFrom;
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
      this.isCentred = true;
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
    this.schedule();
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
    this.extentFrom = this.extent;
    this.extentTo = this.extent;
    this.camera = homeCamera(this.camera.dims, this.extent);
    this.isHome = false;
    this.isCentred = true;
    this.invalidate();
  }

  setCamera(camera: Camera): void {
    this.camera = camera;
    this.isCentred = false;
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

  /** The points are drawn anew with the next frame. */
  invalidate(): void {
    this.isStale = true;
    this.schedule();
  }

  /** What lies over the points is drawn anew with the next frame. */
  private schedule(): void {
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
    this.extent = mixExtent(this.extentFrom, this.extentTo, ease(this.mix));
    if (this.isCentred && this.camera.dims === 2) this.camera = homeCamera(2, this.extent);
    if (!this.isHome) this.camera = fitCamera(this.camera, this, viewport, this.to);
    this.isHome = true;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const matrix = viewMatrix(this.camera, this, viewport);
    const look = pointLook(this.to.length / 3, viewport);
    if (this.isStale) this.drawPoints({ matrix, viewport, ratio, ...look });
    this.isStale = false;
    const { camera, extent, stretch, axisNames, screen } = this;
    const axes: AxesScene = { camera, extent, stretch, axisNames, matrix, viewport };
    this.labels = this.place(this.isMoving() ? this.wishesAgain() : this.wishes(), axes);
    this.sizeOverlay(ratio);
    const scene = { ...axes, screen, labels: this.labels, size: look.size, ...this.highlight };
    drawOverlay(this.context, ratio, scene, this.colours);
    if (this.mix < 1) this.invalidate();
    if (this.to.length > 0) this.options.onDrawn();
  }

  private isMoving(): boolean {
    return this.mix < 1 || this.dragging;
  }

  private drawPoints(frame: Pick<Frame, "matrix" | "viewport" | "ratio" | "size" | "opacity">): void {
    const background = parseColour(this.colours.surface);
    this.renderer.draw({ ...frame, mix: ease(this.mix), background, dims: this.camera.dims });
    project(this.positionsNow(), frame.matrix, frame.viewport, this.screen);
    if (!this.isMoving()) this.far = this.findFar();
  }

  private findFar(): number[] {
    const { width, height } = this.viewport;
    const inView = (x: number, y: number) => x > 4 && x < width - 4 && y > 18 && y < height - 24;
    return outermost(this.screen, NAMED.directions, NAMED.each, inView);
  }

  private sizeOverlay(ratio: number): void {
    const width = Math.round(this.viewport.width * ratio);
    const height = Math.round(this.viewport.height * ratio);
    if (this.overlay.width === width && this.overlay.height === height) return;
    this.overlay.width = width;
    this.overlay.height = height;
  }

  /** While points move, the words that are shown move with them. */
  private wishesAgain(): LabelWish[] {
    return this.labels.map(({ index }) => ({ index, text: this.nameOf(index), always: false }));
  }

  private wishes(): LabelWish[] {
    const { selected, hits, hovered } = this.highlight;
    const wishes = new Map<number, boolean>();
    for (const index of selected.slice(0, MAX_HIT_LABELS)) wishes.set(index, true);
    const others = hits.length > 0 ? hits.slice(0, MAX_HIT_LABELS) : this.far;
    for (const index of others) wishes.set(index, wishes.get(index) ?? false);
    // The label of the hovered point stands in its tip.
    if (hovered !== null) wishes.delete(hovered);
    return [...wishes].map(([index, always]) => ({ index, text: this.nameOf(index), always }));
  }

  private place(wishes: readonly LabelWish[], axes: AxesScene): PlacedLabel[] {
    const { context } = this;
    context.font = AXIS_FONT;
    const reserved = axisTexts(axes).map((text) => boxOf(text, context.measureText(text.text).width));
    context.font = LABEL_FONT;
    return placeLabels(wishes, this.screen, this.viewport, (text) => context.measureText(text).width, reserved);
  }
}
