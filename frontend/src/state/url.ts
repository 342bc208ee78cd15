/**
 * The spec as keys of the host's hash: `#embfactor&p.embfactor.run=plain&p.embfactor.dims=3`.
 *
 * `p.<plugin>.` is the prefix that TensorBoard reserves for a plugin; it keeps such keys when the user changes tabs.
 * A hash is untrusted: every value is parsed and clamped, and keys of others are kept as they stand.
 */
import { LINE_PATTERN } from "./line";
import {
  BESIDES,
  DEFAULT_SPEC,
  DISTANCES,
  MATCHES,
  MAX_COMPONENTS,
  MAX_TEXT,
  METHODS,
  PROJECTOR_VALUES,
  ROLES,
  SCALES,
  SCREENS,
  SORTS,
  type Spec,
  VIEWS,
} from "./spec";

export const PLUGIN = "embfactor";
const PREFIX = `p.${PLUGIN}.`;

interface Field<Value> {
  key: string;
  parse: (text: string) => Value | undefined;
  format: (value: Value) => string;
}

function text(key: string): Field<string> {
  return { key, parse: (raw) => (raw.length <= MAX_TEXT ? raw : undefined), format: (value) => value };
}

function choice<Value extends string>(key: string, values: readonly Value[]): Field<Value> {
  return { key, parse: (raw) => values.find((value) => value === raw), format: (value) => value };
}

function flag(key: string): Field<boolean> {
  return { key, parse: (raw) => (raw === "true" ? true : raw === "false" ? false : undefined), format: String };
}

function parseComponents(raw: string): [number, number, number] | undefined {
  const found = /^(\d{1,3})-(\d{1,3})-(\d{1,3})$/.exec(raw);
  if (!found) return undefined;
  const clamp = (digits: string) => Math.min(Math.max(Number(digits), 1), MAX_COMPONENTS) - 1;
  return [clamp(found[1]), clamp(found[2]), clamp(found[3])];
}

function parseRoles(raw: string): Spec["roles"] | undefined {
  const named = raw.split(",");
  const roles = ROLES.filter((role) => named.includes(role));
  return roles.length > 0 ? roles : undefined;
}

function matching(key: string, pattern: RegExp): Field<string> {
  return {
    key,
    parse: (raw) => (raw.length <= MAX_TEXT && pattern.test(raw) ? raw : undefined),
    format: (value) => value,
  };
}

/** Names of the server, which this page need not know. */
function parseNames(raw: string): string[] | undefined {
  return /^[a-z0-9_]{0,40}(,[a-z0-9_]{1,40}){0,20}$/.test(raw)
    ? raw.split(",").filter((name) => name !== "")
    : undefined;
}

const FIELDS: { [Key in keyof Spec]: Field<Spec[Key]> } = {
  screen: choice("screen", SCREENS),
  find: text("find"),
  onlyRun: text("only"),
  roles: { key: "roles", parse: parseRoles, format: (value) => value.join() },
  sort: choice("sort", SORTS),
  descending: flag("descending"),
  run: text("run"),
  matrix: text("matrix"),
  checkpoint: text("checkpoint"),
  transform: matching("transform", /^([a-z_]+(:\d{1,3})?(,(?!$)|$))*$/),
  view: choice("view", VIEWS),
  method: choice("method", METHODS),
  dims: {
    key: "dims",
    parse: (raw) => (raw === "2" ? 2 : raw === "3" ? 3 : undefined),
    format: (value) => String(value),
  },
  axes: text("axes"),
  components: {
    key: "components",
    parse: parseComponents,
    format: (value) => value.map((component) => component + 1).join("-"),
  },
  stretch: flag("stretch"),
  centered: flag("centered"),
  rules: { key: "rules", parse: parseNames, format: (value) => value.join() },
  indexScale: choice("index", SCALES),
  column: text("column"),
  between: matching("between", LINE_PATTERN),
  colour: text("colour"),
  projectorValues: choice("projector", PROJECTOR_VALUES),
  beside: choice("beside", BESIDES),
  distance: choice("distance", DISTANCES),
  otherRun: text("with_run"),
  otherMatrix: text("with_matrix"),
  otherCheckpoint: text("with_checkpoint"),
  match: choice("match", MATCHES),
};

const NAMES = Object.keys(FIELDS) as (keyof Spec)[];

function decoded(token: string): string | undefined {
  try {
    return decodeURIComponent(token);
  } catch {
    return undefined;
  }
}

function tokensOf(hash: string): string[] {
  return hash
    .replace(/^#/, "")
    .split("&")
    .filter((token) => token !== "");
}

/** The plugin whose tab the hash names, or "" where it names none. */
export function tabOf(hash: string): string {
  return tokensOf(hash).find((token) => !token.includes("=")) ?? "";
}

function isOurs(token: string): boolean {
  return (decoded(token.split("=", 1)[0]) ?? "").startsWith(PREFIX);
}

export function parseHash(hash: string): Spec {
  const raw = new Map<string, string>();
  for (const token of tokensOf(hash)) {
    const at = token.indexOf("=");
    if (at < 0 || !isOurs(token)) continue;
    const key = decoded(token.slice(0, at))?.slice(PREFIX.length);
    const value = decoded(token.slice(at + 1));
    if (key !== undefined && value !== undefined) raw.set(key, value);
  }
  const spec: Spec = { ...DEFAULT_SPEC };
  const read = <Name extends keyof Spec>(name: Name) => {
    const value = raw.get(FIELDS[name].key);
    const parsed = value === undefined ? undefined : FIELDS[name].parse(value);
    if (parsed !== undefined) spec[name] = parsed;
  };
  NAMES.forEach(read);
  return spec;
}

/** `hash` with our keys replaced by those of `spec` that differ from the defaults. */
export function writeHash(hash: string, spec: Spec): string {
  const others = tokensOf(hash).filter((token) => token.includes("=") && !isOurs(token));
  const ours: string[] = [];
  const write = <Name extends keyof Spec>(name: Name) => {
    const { key, format } = FIELDS[name];
    const value = format(spec[name]);
    if (value !== format(DEFAULT_SPEC[name] as Spec[Name])) ours.push(`${PREFIX}${key}=${encodeURIComponent(value)}`);
  };
  NAMES.forEach(write);
  return `#${[tabOf(hash) || PLUGIN, ...others, ...ours].join("&")}`;
}
