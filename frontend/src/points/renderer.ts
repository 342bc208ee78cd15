/** What draws the points: WebGL2 on a machine with a graphics processor, otherwise the processor itself. */
import type { mat4 } from "gl-matrix";
import type { Viewport } from "./camera";
import { GlRenderer } from "./gl";
import type { Rgb } from "./palette";
import { SplatRenderer } from "./splat";

export interface Frame {
  matrix: mat4;
  viewport: Viewport;
  /** Device pixels for one CSS pixel. */
  ratio: number;
  /** How far the points are on their way from one step to the next. */
  mix: number;
  /** Diameter of a point, CSS pixels. */
  size: number;
  opacity: number;
  background: Rgb;
  dims: 2 | 3;
}

export interface PointRenderer {
  readonly kind: "gl" | "cpu";
  setPositions: (from: Float32Array, to: Float32Array) => void;
  /** RGB of each point, and whether it stands back (1) because others are highlighted. */
  setColours: (colours: Uint8Array, faint: Uint8Array) => void;
  draw: (frame: Frame) => void;
  dispose: () => void;
}

const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;
const SLOW_FRAME_MS = 80;

function hasGraphics(): boolean {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return false;
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return !SOFTWARE.test(name);
}

/**
 * Draws with WebGL2 until it turns out slow or is lost, then with the processor.
 * Each renderer needs a canvas of its own, which is put into `host`.
 */
export class Renderer implements PointRenderer {
  private inner: PointRenderer;
  private canvas: HTMLCanvasElement;
  private positions: [Float32Array, Float32Array] = [new Float32Array(0), new Float32Array(0)];
  private colours: [Uint8Array, Uint8Array] = [new Uint8Array(0), new Uint8Array(0)];
  private nTimed = 0;

  constructor(
    private readonly host: HTMLElement,
    private readonly onChange: () => void,
    useGraphics = hasGraphics(),
  ) {
    this.canvas = this.addCanvas();
    this.inner = useGraphics ? this.graphics() : new SplatRenderer(this.canvas);
  }

  get kind(): "gl" | "cpu" {
    return this.inner.kind;
  }

  private addCanvas(): HTMLCanvasElement {
    const canvas = document.createElement("canvas");
    canvas.className = "points-canvas";
    this.host.prepend(canvas);
    return canvas;
  }

  private graphics(): PointRenderer {
    try {
      this.canvas.addEventListener("webglcontextlost", () => this.useProcessor(), { once: true });
      return new GlRenderer(this.canvas);
    } catch {
      this.canvas.remove();
      this.canvas = this.addCanvas();
      return new SplatRenderer(this.canvas);
    }
  }

  private useProcessor(): void {
    if (this.inner.kind === "cpu" || !this.canvas.isConnected) return;
    this.inner.dispose();
    this.canvas.remove();
    this.canvas = this.addCanvas();
    this.inner = new SplatRenderer(this.canvas);
    this.inner.setPositions(...this.positions);
    this.inner.setColours(...this.colours);
    this.onChange();
  }

  setPositions(from: Float32Array, to: Float32Array): void {
    this.positions = [from, to];
    this.inner.setPositions(from, to);
  }

  setColours(colours: Uint8Array, faint: Uint8Array): void {
    this.colours = [colours, faint];
    this.inner.setColours(colours, faint);
  }

  draw(frame: Frame): void {
    const start = performance.now();
    this.inner.draw(frame);
    if (this.inner.kind !== "gl" || this.nTimed >= 4) return;
    // The first frame also compiles and uploads; the later ones tell whether this machine keeps up.
    this.nTimed += 1;
    if (this.nTimed > 1) {
      (this.inner as GlRenderer).finish();
      if (performance.now() - start > SLOW_FRAME_MS) this.useProcessor();
    }
  }

  dispose(): void {
    this.inner.dispose();
    this.canvas.remove();
  }
}
