/** What a link restores. Everything else on the screen is recomputed from it. */
import type { Role } from "../data/types";

/** "overview", or "" for the view of `run` and `matrix`; where none is named, whatever suits the log directory. */
export const SCREENS = ["", "overview"] as const;
export type Screen = (typeof SCREENS)[number];

/** What the rows of the overview are sorted by; "trouble" is the server's order. */
export const SORTS = ["trouble", "run", "matrix", "rank", "shape", "step"] as const;
export type SortKey = (typeof SORTS)[number];
export const ROLES: readonly Role[] = ["embedding", "kernel", "other"];

export const METHODS = ["pca", "u", "v", "pca_of_u"] as const;
export type Method = (typeof METHODS)[number];

/** Whose factors are listed beside the points of a method, and by which points their scores are known. */
export const FACTOR_METHODS = ["svd", "pca"] as const;
export type FactorMethod = (typeof FACTOR_METHODS)[number];
export const FACTORS_OF: Readonly<Record<Method, FactorMethod>> = { pca: "pca", u: "svd", v: "svd", pca_of_u: "svd" };
export const SCORES_OF: Readonly<Record<FactorMethod, Method>> = { pca: "pca", svd: "u" };

export const VIEWS = ["auto", "split", "factors", "projector"] as const;
export type View = (typeof VIEWS)[number];

export const SCALES = ["linear", "log"] as const;
export const PROJECTOR_VALUES = ["scores", "matrix"] as const;
export type ProjectorValues = (typeof PROJECTOR_VALUES)[number];

/** What is done to the rows before they are factored; "" leaves the matrix as stored. */
export const TRANSFORMS = ["", "unit_rows", "bias", "bias,relu", "relu"] as const;
export type TransformName = (typeof TRANSFORMS)[number];

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

/** Whether the rows that are shown are the columns of the matrix. */
export function isTransposed(transform: string): boolean {
  return transform.split(",").includes("transpose");
}

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
  transform: TransformName;
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
  /** Label column, AUTO_COLOUR or NO_COLOUR. */
  colour: string;
  projectorValues: ProjectorValues;
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
  colour: AUTO_COLOUR,
  projectorValues: "scores",
};
