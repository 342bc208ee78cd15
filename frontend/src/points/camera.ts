/** Two cameras, one for each number of dimensions, and the matrix that either makes. */
import { mat4, vec3 } from "gl-matrix";
import type { Extent } from "./positions";

export interface Camera2 {
  dims: 2;
  /** Middle of the view in units of the data. */
  x: number;
  y: number;
  /** 1 shows the whole extent. */
  zoom: number;
}

export interface Camera3 {
  dims: 3;
  yaw: number;
  pitch: number;
  zoom: number;
  panX: number;
  panY: number;
}

export type Camera = Camera2 | Camera3;

export interface Viewport {
  width: number;
  height: number;
}

/** What the camera looks at. */
export interface Scene {
  extent: Extent;
  stretch: boolean;
}

const FIELD_OF_VIEW = 0.5;
const ZOOM = { min: 0.2, max: 400 };
const MAX_PITCH = Math.PI / 2 - 0.01;
/** Room around the points, CSS pixels. */
export const MARGIN = 44;

function middle(extent: Extent, axis: number): number {
  return (extent.min[axis] + extent.max[axis]) / 2;
}

function length(extent: Extent, axis: number): number {
  return extent.max[axis] - extent.min[axis];
}

export function homeCamera(dims: 2 | 3, extent: Extent): Camera {
  return dims === 2
    ? { dims, x: middle(extent, 0), y: middle(extent, 1), zoom: 1 }
    : { dims, yaw: -0.6, pitch: 0.35, zoom: 1, panX: 0, panY: 0 };
}

/** CSS pixels for one unit of the data on x and y: the same on both, or each so that it fills the view. */
export function unitPixels(camera: Camera2, scene: Scene, { width, height }: Viewport): [number, number] {
  const x = Math.max(width - 2 * MARGIN, 20) / length(scene.extent, 0);
  const y = Math.max(height - 2 * MARGIN, 20) / length(scene.extent, 1);
  return scene.stretch
    ? [x * camera.zoom, y * camera.zoom]
    : [Math.min(x, y) * camera.zoom, Math.min(x, y) * camera.zoom];
}

export function viewMatrix(camera: Camera, scene: Scene, viewport: Viewport): mat4 {
  const matrix = mat4.create();
  const { extent } = scene;
  if (camera.dims === 2) {
    const [x, y] = unitPixels(camera, scene, viewport);
    mat4.fromScaling(matrix, [(2 * x) / viewport.width, (2 * y) / viewport.height, 1]);
    return mat4.translate(matrix, matrix, [-camera.x, -camera.y, 0]);
  }
  // Corners of the box may leave the view: points rarely lie there, and a sphere around it would be mostly empty.
  const radius = Math.max(length(extent, 0), length(extent, 1), length(extent, 2)) / 2 || 1;
  const fill = (0.86 * (Math.min(viewport.width, viewport.height) - MARGIN)) / viewport.height;
  const distance = 1 / (Math.tan(FIELD_OF_VIEW / 2) * Math.max(fill, 0.1));
  mat4.perspective(matrix, FIELD_OF_VIEW, viewport.width / viewport.height, Math.max(distance - 2, 0.1), distance + 2);
  // Zooming narrows the field of view, so that the eye never enters the cloud.
  matrix[0] *= camera.zoom;
  matrix[5] *= camera.zoom;
  mat4.translate(matrix, matrix, [camera.panX, camera.panY, -distance]);
  mat4.rotateX(matrix, matrix, camera.pitch);
  mat4.rotateY(matrix, matrix, camera.yaw);
  const scales = [0, 1, 2].map((axis) => (scene.stretch ? 2 / length(extent, axis) : 1 / radius));
  mat4.scale(matrix, matrix, vec3.fromValues(scales[0], scales[1], scales[2]));
  const centre = vec3.fromValues(-middle(extent, 0), -middle(extent, 1), -middle(extent, 2));
  return mat4.translate(matrix, matrix, centre);
}

type Units = readonly [number, number];

export function clampZoom(zoom: number): number {
  return Math.min(Math.max(zoom, ZOOM.min), ZOOM.max);
}

/** Zooms by a factor and keeps the place under (px, py), measured from the middle of the view, where it is. */
export function zoomAt(camera: Camera, factor: number, px: number, py: number, unit: Units): Camera {
  const zoom = clampZoom(camera.zoom * factor);
  if (camera.dims === 3) return { ...camera, zoom };
  const shift = 1 - camera.zoom / zoom;
  return { ...camera, zoom, x: camera.x + (px * shift) / unit[0], y: camera.y - (py * shift) / unit[1] };
}

/** Moves the view by CSS pixels: in two dimensions a pan, in three an orbit, or a pan where `pan` is set. */
export function drag(camera: Camera, dx: number, dy: number, unit: Units, pan: boolean): Camera {
  if (camera.dims === 2) return { ...camera, x: camera.x - dx / unit[0], y: camera.y + dy / unit[1] };
  if (pan) return { ...camera, panX: camera.panX + dx * 0.003, panY: camera.panY - dy * 0.003 };
  const pitch = Math.min(Math.max(camera.pitch + dy * 0.008, -MAX_PITCH), MAX_PITCH);
  return { ...camera, yaw: camera.yaw + dx * 0.008, pitch };
}

/** Where points lie on the screen: (x, y, depth) in CSS pixels from the top left; NaN where they are not in view. */
export function project(
  positions: Float32Array,
  matrix: Float32Array | mat4,
  { width, height }: Viewport,
  into: Float32Array,
): Float32Array {
  const m = matrix;
  for (let at = 0; at < positions.length; at += 3) {
    const x = positions[at];
    const y = positions[at + 1];
    const z = positions[at + 2];
    const w = m[3] * x + m[7] * y + m[11] * z + m[15];
    if (!(w > 0)) {
      into[at] = into[at + 1] = into[at + 2] = NaN;
      continue;
    }
    into[at] = (((m[0] * x + m[4] * y + m[8] * z + m[12]) / w + 1) * width) / 2;
    into[at + 1] = ((1 - (m[1] * x + m[5] * y + m[9] * z + m[13]) / w) * height) / 2;
    into[at + 2] = (m[2] * x + m[6] * y + m[10] * z + m[14]) / w;
  }
  return into;
}

/** The camera zoomed so that these points fill the view. Two dimensions fill it by their extent already. */
export function fitCamera(camera: Camera, scene: Scene, viewport: Viewport, positions: Float32Array): Camera {
  if (camera.dims === 2) return camera;
  const screen = project(positions, viewMatrix(camera, scene, viewport), viewport, new Float32Array(positions.length));
  const halfWidth = viewport.width / 2;
  const halfHeight = viewport.height / 2;
  let reach = 0;
  for (let at = 0; at < screen.length; at += 3) {
    const x = Math.abs(screen[at] - halfWidth) / Math.max(halfWidth - MARGIN, 10);
    const y = Math.abs(screen[at + 1] - halfHeight) / Math.max(halfHeight - MARGIN, 10);
    if (x > reach) reach = x;
    if (y > reach) reach = y;
  }
  return reach > 0 ? { ...camera, zoom: clampZoom(camera.zoom / reach) } : camera;
}
