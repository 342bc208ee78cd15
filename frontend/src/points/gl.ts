/** Points as WebGL2 sprites: both steps of a transition stay on the card and are mixed in the vertex shader. */
import type { Frame, PointRenderer } from "./renderer";

const VERTEX = `#version 300 es
in vec3 from_position;
in vec3 to_position;
in vec4 colour;
uniform mat4 view;
uniform float mixing;
uniform float size;
uniform float fog;
out vec4 shade;
void main() {
  vec3 position = mix(from_position, to_position, mixing);
  bool known = position.x == position.x && position.y == position.y && position.z == position.z;
  gl_Position = known ? view * vec4(position, 1.0) : vec4(2.0, 2.0, 2.0, 1.0);
  float near = clamp(0.5 - 0.5 * gl_Position.z / gl_Position.w, 0.0, 1.0);
  gl_PointSize = size * (1.0 + fog * (near - 0.5));
  shade = vec4(colour.rgb, (colour.a > 0.5 ? 0.16 : 1.0) * mix(1.0, 0.55 + 0.45 * near, fog));
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 shade;
uniform float size;
uniform float opacity;
out vec4 result;
void main() {
  float distance = length(gl_PointCoord - 0.5) * 2.0;
  float alpha = shade.a * opacity * (1.0 - smoothstep(1.0 - 3.0 / max(size, 3.0), 1.0, distance));
  if (alpha < 0.01) discard;
  result = vec4(shade.rgb * alpha, alpha);
}`;

function compile(gl: WebGL2RenderingContext, kind: number, source: string): WebGLShader {
  const shader = gl.createShader(kind);
  if (!shader) throw new Error("no shader");
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader) ?? "shader");
  return shader;
}

function link(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  gl.attachShader(program, compile(gl, gl.VERTEX_SHADER, VERTEX));
  gl.attachShader(program, compile(gl, gl.FRAGMENT_SHADER, FRAGMENT));
  ["from_position", "to_position", "colour"].forEach((name, at) => {
    gl.bindAttribLocation(program, at, name);
  });
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "program");
  return program;
}

export class GlRenderer implements PointRenderer {
  readonly kind = "gl";
  private readonly gl: WebGL2RenderingContext;
  private readonly uniforms: Record<"view" | "mixing" | "size" | "fog" | "opacity", WebGLUniformLocation | null>;
  private readonly buffers: WebGLBuffer[];
  private n = 0;

  constructor(private readonly canvas: HTMLCanvasElement) {
    const gl = canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true });
    if (!gl) throw new Error("no WebGL2");
    this.gl = gl;
    const program = link(gl);
    gl.useProgram(program);
    const at = (name: string) => gl.getUniformLocation(program, name);
    this.uniforms = {
      view: at("view"),
      mixing: at("mixing"),
      size: at("size"),
      fog: at("fog"),
      opacity: at("opacity"),
    };
    gl.bindVertexArray(gl.createVertexArray());
    this.buffers = [3, 3, 4].map((length, attribute) => {
      const buffer = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.enableVertexAttribArray(attribute);
      const isColour = attribute === 2;
      gl.vertexAttribPointer(attribute, length, isColour ? gl.UNSIGNED_BYTE : gl.FLOAT, isColour, 0, 0);
      return buffer;
    });
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.clearColor(0, 0, 0, 0);
  }

  private fill(at: number, data: Float32Array | Uint8Array): void {
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffers[at]);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, data, this.gl.STATIC_DRAW);
  }

  setPositions(from: Float32Array, to: Float32Array): void {
    this.n = to.length / 3;
    this.fill(0, from);
    this.fill(1, to);
  }

  setColours(colours: Uint8Array, faint: Uint8Array): void {
    const rgba = new Uint8Array((colours.length / 3) * 4);
    for (let row = 0; row < colours.length / 3; row++) {
      rgba[row * 4] = colours[row * 3];
      rgba[row * 4 + 1] = colours[row * 3 + 1];
      rgba[row * 4 + 2] = colours[row * 3 + 2];
      rgba[row * 4 + 3] = faint[row] ? 255 : 0;
    }
    this.fill(2, rgba);
  }

  draw({ matrix, viewport, ratio, mix, size, opacity, dims }: Frame): void {
    const { gl, canvas, uniforms } = this;
    const width = Math.round(viewport.width * ratio);
    const height = Math.round(viewport.height * ratio);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    gl.viewport(0, 0, width, height);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniformMatrix4fv(uniforms.view, false, matrix as Float32Array);
    gl.uniform1f(uniforms.mixing, mix);
    gl.uniform1f(uniforms.size, size * ratio);
    gl.uniform1f(uniforms.fog, dims === 3 ? 0.8 : 0);
    gl.uniform1f(uniforms.opacity, opacity);
    gl.drawArrays(gl.POINTS, 0, this.n);
  }

  /** Waits for the card, to time a frame. */
  finish(): void {
    this.gl.readPixels(0, 0, 1, 1, this.gl.RGBA, this.gl.UNSIGNED_BYTE, new Uint8Array(4));
  }

  dispose(): void {
    for (const buffer of this.buffers) this.gl.deleteBuffer(buffer);
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
