/** What a link restores. Everything else on the screen is recomputed from it. */
import type { Role } from "../data/types";

/** "overview", or "" for the view of `run` and `matrix`; where none is named, whatever suits the log directory. */
export const SCREENS = ["", "overview"] as const;
export type Screen = (typeof SCREENS)[number];

/** What the rows of the overview are sorted by; "trouble" is the server's order. */
export const SORTS = ["trouble", "run", "matrix", "rank", "shape", "step"] as const;
export type SortKey = (typeof SORTS)[number];
export const ROLES: readonly Role[] = ["embedding", "kernel", "other"];

export const METHODS = ["pca", "u", "v", "pca_of_u", "varimax", "ica", "nmf", "lda", "line", "tsne", "umap"] as const;
export type Method = (typeof METHODS)[number];

/** The methods as they are offered: singular vectors, axes that are searched, axes that are told what to tell apart, maps. */
export const METHOD_GROUPS = {
  factors: ["pca", "u", "v", "pca_of_u"],
  searched: ["varimax", "ica", "nmf"],
  guided: ["lda", "line"],
  maps: ["tsne", "umap"],
} as const satisfies Record<string, readonly Method[]>;
export type MethodGroup = keyof typeof METHOD_GROUPS;

export function groupOf(method: Method): MethodGroup {
  const groups = Object.keys(METHOD_GROUPS) as MethodGroup[];
  return groups.find((group) => (METHOD_GROUPS[group] as readonly Method[]).includes(method)) ?? "factors";
}

/** Whose factors are listed beside the points of a method, and by which points their scores are known. */
export type FactorMethod = "svd" | "pca" | (typeof METHOD_GROUPS.searched)[number];

export function factorMethodOf(method: Method): FactorMethod {
  if (method === "varimax" || method === "ica" || method === "nmf") return method;
  return method === "u" || method === "v" || method === "pca_of_u" ? "svd" : "pca";
}

export function scoreMethodOf(method: Method): Method {
  const factors = factorMethodOf(method);
  return factors === "svd" ? "u" : factors;
}

export const VIEWS = ["auto", "split", "factors", "projector"] as const;
export type View = (typeof VIEWS)[number];

/** What stands in the panel beside the points; "" for what the layout has room for: the factors, or the spectrum in their place. */
export const BESIDES = ["", "factors", "nearest", "compare"] as const;
export type Beside = Exclude<(typeof BESIDES)[number], "">;

/** By what the nearest rows are nearest. */
export const DISTANCES = ["cosine", "euclidean"] as const;
export type Distance = (typeof DISTANCES)[number];

/** Which rows of two matrices belong together; "" for what suits them. */
export const MATCHES = ["", "index", "label"] as const;
export type Match = Exclude<(typeof MATCHES)[number], "">;

export const SCALES = ["linear", "log"] as const;
export const PROJECTOR_VALUES = ["scores", "matrix"] as const;
export type ProjectorValues = (typeof PROJECTOR_VALUES)[number];

/** `axes`: every step on its own axes. */
export const OWN_AXES = "@own";
/** `colour`: the first column of numbers or categories that is not the name itself. */
export const AUTO_COLOUR = "";
export const NO_COLOUR = "@none";
const FACTOR_COLOUR = /^@factor-(\d{1,2})$/;

/** The colour of points by their score on a factor, counted from 1. */
export function colourByFactor(factor: number): string {
  return `@factor-${factor}`;
}

/** The factor whose scores colour the points, or null where something else does. */
export function factorOf(colour: string): number | null {
  const factor = Number(FACTOR_COLOUR.exec(colour)?.[1] ?? 0);
  return factor >= 1 && factor <= MAX_COMPONENTS ? factor : null;
}

export const MAX_COMPONENTS = 16;
export const MAX_TEXT = 1024;

export interface Spec {
  screen: Screen;
  /** Of the overview: a part of a name, the only run shown ("" for all), the roles shown (none: the main ones), the order of the rows. */
  find: string;
  onlyRun: string;
  roles: readonly Role[];
  sort: SortKey;
  descending: boolean;
  run: string;
  matrix: string;
  /** Checkpoint id; "" follows the latest one. */
  checkpoint: string;
  /** What is done to the rows first (see transform.ts). */
  transform: string;
  view: View;
  method: Method;
  dims: 2 | 3;
  /** Checkpoint id whose axes are used, OWN_AXES, or "" before it is settled. */
  axes: string;
  /** Components shown on x, y and z, from 0. */
  components: [number, number, number];
  /** Whether each axis is stretched to fill the view, or all have one scale. */
  stretch: boolean;
  centered: boolean;
  /** Rules for how many directions to keep that are drawn on the spectrum. */
  rules: readonly string[];
  indexScale: (typeof SCALES)[number];
  /** Of "lda": the label column whose values are told apart; "" for the first that has categories. */
  column: string;
  /** Of "line": rows where it begins and where it ends, as `1,2|7`. */
  between: string;
  /** Label column, AUTO_COLOUR or NO_COLOUR. */
  colour: string;
  projectorValues: ProjectorValues;
  beside: Beside | "";
  distance: Distance;
  /** What the matrix is compared with; "" for what suits it (see findOther). */
  otherRun: string;
  otherMatrix: string;
  otherCheckpoint: string;
  match: Match | "";
}

export const DEFAULT_SPEC: Readonly<Spec> = {
  screen: "",
  find: "",
  onlyRun: "",
  roles: [],
  sort: "trouble",
  descending: false,
  run: "",
  matrix: "",
  checkpoint: "",
  transform: "",
  view: "auto",
  method: "pca",
  dims: 2,
  axes: "",
  components: [0, 1, 2],
  stretch: false,
  centered: true,
  rules: ["tracy_widom", "gavish_donoho"],
  indexScale: "linear",
  column: "",
  between: "",
  colour: AUTO_COLOUR,
  projectorValues: "scores",
  beside: "",
  distance: "cosine",
  otherRun: "",
  otherMatrix: "",
  otherCheckpoint: "",
  match: "",
};
