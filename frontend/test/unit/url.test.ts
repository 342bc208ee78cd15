import { describe, expect, it } from "vitest";
import { DEFAULT_SPEC, OWN_AXES, type Spec } from "../../src/state/spec";
import { parseHash, tabOf, writeHash } from "../../src/state/url";

const FULL: Spec = {
  screen: "overview",
  find: "嵌入 & more",
  onlyRun: "a run/with = & ? #",
  roles: ["embedding", "other"],
  sort: "rank",
  descending: true,
  run: "a run/with = & ? #",
  matrix: "tok/embeddings",
  checkpoint: "runs/ckpt-100",
  transform: "bias,relu",
  view: "projector",
  method: "pca_of_u",
  dims: 3,
  axes: OWN_AXES,
  components: [2, 0, 15],
  stretch: true,
  centered: false,
  rules: [],
  column: "词性",
  between: "1,2|7",
  indexScale: "log",
  colour: "词性",
  projectorValues: "matrix",
  beside: "compare",
  distance: "euclidean",
  otherRun: "another run/with = & ? #",
  otherMatrix: "a | b @ c",
  otherCheckpoint: "runs/ckpt-0",
  match: "label",
};

describe("the spec in the hash", () => {
  it("comes back as it was written", () => {
    expect(parseHash(writeHash("#embfactor", FULL))).toEqual(FULL);
    expect(parseHash(writeHash("", DEFAULT_SPEC))).toEqual(DEFAULT_SPEC);
  });

  it("writes only what differs from the defaults, under TensorBoard's prefix for plugins", () => {
    expect(writeHash("#embfactor", DEFAULT_SPEC)).toBe("#embfactor");
    expect(writeHash("#embfactor", { ...DEFAULT_SPEC, dims: 3 })).toBe("#embfactor&p.embfactor.dims=3");
  });

  it("survives TensorBoard's own reading and writing, which splits at & and = and decodes", () => {
    const hash = writeHash("#embfactor", FULL).slice(1);
    const pairs = hash.split("&").map((token) => token.split("=").map(decodeURIComponent));
    expect(pairs.every((pair) => pair.length <= 2)).toBe(true);
    const rewritten = pairs.map((pair) => pair.map(encodeURIComponent).join("=")).join("&");
    expect(parseHash(`#${rewritten}`)).toEqual(FULL);
  });

  it("keeps keys of others and replaces its own", () => {
    const hash = "#embfactor&tagFilter=loss&p.other.x=1&p.embfactor.dims=3&p.embfactor.gone=1";
    expect(writeHash(hash, { ...DEFAULT_SPEC, run: "r" })).toBe(
      "#embfactor&tagFilter=loss&p.other.x=1&p.embfactor.run=r",
    );
  });

  it.each([
    ["#embfactor&p.embfactor.screen=view", "screen"],
    ["#embfactor&p.embfactor.roles=none,", "roles"],
    ["#embfactor&p.embfactor.sort=constructor", "sort"],
    ["#embfactor&p.embfactor.rules=elbow,<b>", "rules"],
    ["#embfactor&p.embfactor.dims=4", "dims"],
    ["#embfactor&p.embfactor.dims=3.0", "dims"],
    ["#embfactor&p.embfactor.method=__proto__", "method"],
    ["#embfactor&p.embfactor.view=wide", "view"],
    ["#embfactor&p.embfactor.transform=relu,%3Cb%3E", "transform"],
    ["#embfactor&p.embfactor.between=1,2", "between"],
    ["#embfactor&p.embfactor.components=1-2", "components"],
    ["#embfactor&p.embfactor.components=1-2-x", "components"],
    ["#embfactor&p.embfactor.centered=yes", "centered"],
    [`#embfactor&p.embfactor.run=${"x".repeat(2000)}`, "run"],
    ["#embfactor&p.embfactor.run=%E0%A4%A", "run"],
    ["#embfactor&p.embfactor.run", "run"],
  ] as const)("takes the default for what it cannot use: %s", (hash, key) => {
    expect(parseHash(hash)[key]).toEqual(DEFAULT_SPEC[key]);
  });

  it("clamps components to those that can be asked for", () => {
    expect(parseHash("#embfactor&p.embfactor.components=0-99-3").components).toEqual([0, 15, 2]);
  });

  it("keeps the roles it knows, in their order", () => {
    expect(parseHash("#embfactor&p.embfactor.roles=other,bias,embedding").roles).toEqual(["embedding", "other"]);
  });

  it("keeps a transform that it does not offer", () => {
    expect(parseHash("#embfactor&p.embfactor.transform=bias,elu,without_top:12").transform).toBe(
      "bias,elu,without_top:12",
    );
  });

  it("names the tab that the hash is for", () => {
    expect(tabOf("#scalars&p.embfactor.dims=3")).toBe("scalars");
    expect(tabOf("#p.embfactor.dims=3")).toBe("");
    expect(tabOf("")).toBe("");
  });
});
