import { describe, expect, it } from "vitest";
import { DecodeError, decodeArrays, floats } from "../../src/data/decode";

/** Two float64 numbers (1.5 and NaN) and one float32 (-2), written out byte by byte. */
const HEADER =
  '{"__metadata__":{"info":"{\\"run\\":\\"é\\"}"},' +
  '"a":{"dtype":"F64","shape":[1,2],"data_offsets":[0,16]},' +
  '"b":{"dtype":"F32","shape":[1],"data_offsets":[16,20]}}';
const DATA = [0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f, 0, 0, 0, 0xc0];

function golden(header = HEADER, data = DATA, padding = 0): ArrayBuffer {
  const text = new TextEncoder().encode(header + " ".repeat(padding));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes.buffer;
}

const alignment = (8 - (new TextEncoder().encode(HEADER).length % 8)) % 8;

describe("arrays in the safetensors layout", () => {
  it.each([
    ["aligned, without a copy", alignment],
    ["not aligned", alignment + 3],
  ])("are read %s", (_, padding) => {
    const buffer = golden(HEADER, DATA, padding);
    const reply = decodeArrays<{ run: string }>(buffer);
    expect(reply.info).toEqual({ run: "é" });
    expect([...floats(reply, "a")]).toEqual([1.5, NaN]);
    expect([...floats(reply, "b")]).toEqual([-2]);
    expect(reply.arrays.a.shape).toEqual([1, 2]);
    expect(reply.n_bytes).toBe(buffer.byteLength);
    expect(floats(reply, "a").buffer === buffer).toBe(padding === alignment);
  });

  it.each([
    ["empty", new ArrayBuffer(0)],
    ["shorter than its header", golden().slice(0, 40)],
    ["a header of 2^60 bytes", new Uint8Array([0, 0, 0, 0, 0, 0, 0, 16, 0]).buffer],
    ["cut off", golden().slice(0, -1)],
    ["an unknown type", golden(HEADER.replace("F32", "Q7"))],
    ["a shape that does not fit", golden(HEADER.replace("[1,2]", "[9,2]"))],
    ["offsets before the data", golden(HEADER.replace("[0,16]", "[-8,8]"))],
  ])("are refused: %s", (_, buffer) => {
    expect(() => decodeArrays(buffer)).toThrow(DecodeError);
  });

  it("says which array is missing", () => {
    expect(() => floats(decodeArrays(golden()), "c")).toThrow("no float array c");
  });
});
