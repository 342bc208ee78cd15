/** The safetensors layout (8-byte header length, JSON header, little-endian data) as typed arrays. */

export type NumberArray = Float64Array | Float32Array | Int32Array | Uint8Array | BigInt64Array;

export interface NamedArray {
  shape: number[];
  values: NumberArray;
}

export interface ArrayReply<Info> {
  info: Info;
  arrays: Record<string, NamedArray>;
  n_bytes: number;
}

interface HeaderEntry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

interface Header {
  __metadata__?: { info?: string };
  [name: string]: unknown;
}

type View = (buffer: ArrayBuffer, start: number, count: number) => NumberArray;

const MAX_HEADER_BYTES = 16 * 1024 * 1024;

const VIEWS: Record<string, { size: number; view: View }> = {
  F64: { size: 8, view: (buffer, start, count) => new Float64Array(buffer, start, count) },
  F32: { size: 4, view: (buffer, start, count) => new Float32Array(buffer, start, count) },
  I32: { size: 4, view: (buffer, start, count) => new Int32Array(buffer, start, count) },
  I64: { size: 8, view: (buffer, start, count) => new BigInt64Array(buffer, start, count) },
  U8: { size: 1, view: (buffer, start, count) => new Uint8Array(buffer, start, count) },
};

export class DecodeError extends Error {}

/** A zero-copy view where the data is aligned, otherwise a view of a copy. */
function arrayOf(buffer: ArrayBuffer, dataStart: number, name: string, entry: HeaderEntry): NamedArray {
  const type = VIEWS[entry.dtype];
  if (!type) throw new DecodeError(`array ${name} has the type ${entry.dtype}`);
  const count = entry.shape.reduce((product, length) => product * length, 1);
  const [from, to] = entry.data_offsets;
  const start = dataStart + from;
  const ok = from >= 0 && to - from === count * type.size && dataStart + to <= buffer.byteLength;
  if (!ok) throw new DecodeError(`array ${name} of shape ${entry.shape} does not fit its bytes ${from}–${to}`);
  const aligned = start % type.size === 0;
  const source = aligned ? buffer : buffer.slice(start, dataStart + to);
  return { shape: entry.shape, values: type.view(source, aligned ? start : 0, count) };
}

export function decodeArrays<Info>(buffer: ArrayBuffer): ArrayReply<Info> {
  if (buffer.byteLength < 8) throw new DecodeError(`${buffer.byteLength} bytes are too few`);
  const headerBytes = Number(new DataView(buffer).getBigUint64(0, true));
  if (headerBytes > MAX_HEADER_BYTES || 8 + headerBytes > buffer.byteLength) {
    throw new DecodeError(`the header is said to have ${headerBytes} bytes`);
  }
  const text = new TextDecoder().decode(new Uint8Array(buffer, 8, headerBytes));
  const { __metadata__, ...entries } = JSON.parse(text) as Header;
  const arrays: Record<string, NamedArray> = {};
  for (const [name, entry] of Object.entries(entries)) {
    arrays[name] = arrayOf(buffer, 8 + headerBytes, name, entry as HeaderEntry);
  }
  const info = JSON.parse(__metadata__?.info ?? "{}") as Info;
  return { info, arrays, n_bytes: buffer.byteLength };
}

/** The array called `name` as float64 or float32 numbers. */
export function floats(reply: ArrayReply<unknown>, name: string): Float64Array | Float32Array {
  const found = reply.arrays[name]?.values;
  if (found instanceof Float64Array || found instanceof Float32Array) return found;
  throw new DecodeError(`the reply has no float array ${name}`);
}
