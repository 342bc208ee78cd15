/** The spectrum as a picture: every checkpoint faint, the current one strong, its energy curve on the right axis. */
import uPlot from "uplot";
import type { Theme } from "../host/theme";
import { stepColour } from "../points/palette";
import { roundTicks } from "../points/ticks";
import { drawMarks, type Mark } from "./marks";
import { type Spectra, type SpectrumLine, sampled, shownIndices } from "./series";

export interface SpectrumSpec {
  spectra: Spectra;
  indexScale: "linear" | "log";
  theme: Theme;
  colours: { ink: string; faint: string; line: string; accent: string; energy: string; surface: string };
  names: { index: string; value: string; energy: string };
  formatIndex: (index: number) => string;
  formatShare: (share: number) => string;
}

const MOST_INDICES = 800;
/** A plot lower than this has no room for the names of its upright axes. */
const LOW_PIXELS = 170;
const FONT = "11px Roboto, system-ui, sans-serif";
const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** 10⁻³ for a power of ten; a plain number for others. */
export function logTick(value: number): string {
  const power = Math.log10(value);
  const whole = Math.round(power);
  if (Math.abs(power - whole) < 1e-6 && Math.abs(whole) > 3) {
    const digits = [...String(Math.abs(whole))].map((digit) => SUPERSCRIPTS[Number(digit)]).join("");
    return `10${whole < 0 ? "⁻" : ""}${digits}`;
  }
  return String(Number(value.toPrecision(3)));
}

/** Digits of a log axis, from the finest; those between 5 and 10 stand too close together on more than one decade. */
const DIGITS = [[1, 2, 3, 5], [1, 2, 5], [1, 3], [1]];

/** Places of a log axis: as many round numbers as fit, even steps where the axis covers only a small part of a decade. */
export function logSplits(low: number, high: number, most: number): number[] {
  const powers: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) powers.push(power);
  const within = (digits: readonly number[]) =>
    powers.flatMap((power) => digits.map((digit) => digit * 10 ** power)).filter((at) => at >= low && at <= high);
  if (within(DIGITS[0]).length < 3) return roundTicks(low, high, most);
  const finest = DIGITS.map(within).find((ticks) => ticks.length <= most);
  if (finest) return finest;
  const tens = within([1]);
  const every = Math.ceil(tens.length / most);
  return tens.filter((_, at) => at % every === 0);
}

function logIndexSplits(width: number): Pick<uPlot.Axis, "splits" | "filter"> {
  return {
    splits: (_plot, _axis, min, max) => logSplits(min, max, width / 42),
    filter: (_plot, splits) => splits,
  };
}

/** An axis covers at least so many times its lowest value, so that a flat spectrum looks flat. */
const LEAST_RATIO = 8;

/** Lowest and highest value of the lines, with a little room. */
function valueRange(lines: readonly SpectrumLine[], marks: readonly Mark[]): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const { sigma } of lines) {
    if (sigma.length === 0) continue;
    high = Math.max(high, sigma[0]);
    low = Math.min(low, sigma[sigma.length - 1]);
  }
  if (!(high > 0)) return [0.1, 1];
  for (const { kind, at } of marks) if (kind === "level") low = Math.min(low, at);
  const room = Math.max((high / low) ** 0.05, 1.1, Math.sqrt((LEAST_RATIO * low) / high));
  return [low / room, high * room];
}

export class SpectrumPlot {
  private plot: uPlot | null = null;
  private indices: number[] = [];
  private spec: SpectrumSpec | null = null;
  private currentAt = -1;
  private marks: readonly Mark[] = [];
  private width = 0;
  private height = 0;

  constructor(
    private readonly host: HTMLElement,
    /** The place (from 0) of the value under the pointer. */
    private readonly onIndex: (index: number | null) => void,
  ) {}

  resize(width: number, height: number): void {
    if (width < 40 || height < 40) return;
    const labels = (pixels: number) => pixels >= LOW_PIXELS;
    const rebuild = !this.plot || labels(this.height) !== labels(height);
    this.width = Math.floor(width);
    this.height = Math.floor(height);
    if (!rebuild) this.plot?.setSize({ width: this.width, height: this.height });
    else this.build();
  }

  setSpec(spec: SpectrumSpec): void {
    this.spec = spec;
    this.build();
  }

  setCurrent(at: number): void {
    this.currentAt = at;
    this.plot?.setData(this.data(), false);
    this.plot?.redraw(false);
  }

  setMarks(marks: readonly Mark[]): void {
    if (JSON.stringify(marks) === JSON.stringify(this.marks)) return;
    this.marks = marks;
    this.build();
  }

  /** Moves the cursor by places, for keys. */
  moveCursor(by: number): void {
    if (!this.plot) return;
    const last = this.indices.length - 1;
    const next = Math.min(Math.max((this.plot.cursor.idx ?? -1) + by, 0), last);
    const left = this.plot.valToPos(this.indices[next] + 1, "x");
    this.plot.setCursor({ left, top: this.plot.over.clientHeight / 2 });
  }

  leave(): void {
    this.plot?.setCursor({ left: -10, top: -10 });
  }

  dispose(): void {
    this.plot?.destroy();
    this.plot = null;
  }

  private data(): uPlot.AlignedData {
    const lines = this.spec?.spectra.lines ?? [];
    const current = lines[this.currentAt];
    return [
      this.indices.map((index) => index + 1),
      sampled(current?.cumulative ?? new Float64Array(0), this.indices),
      ...lines.map((line) => sampled(line.sigma, this.indices)),
      sampled(current?.sigma ?? new Float64Array(0), this.indices),
    ] as uPlot.AlignedData;
  }

  private build(): void {
    const { spec } = this;
    if (!spec || this.width === 0) return;
    this.plot?.destroy();
    this.indices = shownIndices(spec.spectra.length, MOST_INDICES);
    this.plot = new uPlot(this.options(spec), this.data(), this.host);
  }

  private options(spec: SpectrumSpec): uPlot.Options {
    const { lines } = spec.spectra;
    const { colours } = spec;
    const [low, high] = valueRange(lines, this.marks);
    const nLines = Math.max(lines.length - 1, 1);
    const axis = { stroke: colours.faint, font: FONT, labelFont: `500 ${FONT}`, labelSize: 16, labelGap: 0 };
    const ticks = { stroke: colours.line, width: 1, size: 4 };
    const grid = { stroke: colours.line, width: 1 };
    const hasPoints = spec.spectra.length <= 24;
    return {
      width: this.width,
      height: this.height,
      padding: [10, 4, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        points: { show: (_, at) => (at === lines.length + 2 ? marker(colours.accent) : (undefined as never)) },
        drag: { x: false, y: false, setScale: false },
      },
      scales: {
        x: {
          time: false,
          distr: spec.indexScale === "log" ? 3 : 1,
          range: (_, min, max) => [min, Math.max(max, min + 1)],
        },
        y: { distr: 3, range: () => [low, high] },
        energy: { range: () => [0, 1] },
      },
      axes: [
        {
          ...axis,
          label: spec.names.index,
          size: 24,
          gap: 3,
          grid: { show: false },
          ticks,
          ...(spec.indexScale === "log" ? logIndexSplits(this.width) : {}),
          values: (_, values) =>
            values.map((value) =>
              value === null || !Number.isInteger(value) || value < 1 ? null : spec.formatIndex(value),
            ),
        },
        {
          ...axis,
          label: this.height < LOW_PIXELS ? undefined : spec.names.value,
          size: 36,
          gap: 4,
          grid,
          ticks,
          splits: (_plot, _axis, min, max) => logSplits(min, max, Math.max(this.height / 34, 3)),
          filter: (_plot, splits) => splits,
          values: (_, values) => values.map((value) => (value === null ? null : logTick(value))),
        },
        {
          ...axis,
          scale: "energy",
          side: 1,
          label: this.height < LOW_PIXELS ? undefined : spec.names.energy,
          size: 42,
          gap: 4,
          grid: { show: false },
          ticks,
          splits: () => [0, 0.25, 0.5, 0.75, 1],
          values: (_, values) => values.map(spec.formatShare),
        },
      ],
      series: [
        {},
        { scale: "energy", stroke: colours.energy, width: 1.5, dash: [5, 4], points: { show: false } },
        ...lines.map((_, at) => ({
          stroke: stepColour(at / nLines, spec.theme),
          width: 1,
          alpha: 0.75,
          points: { show: false },
        })),
        {
          stroke: colours.accent,
          width: 2.5,
          points: { show: hasPoints, size: 5, fill: colours.accent, stroke: colours.accent },
        },
      ],
      hooks: {
        draw: [
          (plot) =>
            drawMarks(plot, this.marks, {
              ink: colours.faint,
              line: colours.faint,
              surface: colours.surface,
              font: FONT,
            }),
        ],
        setCursor: [
          (plot) => {
            const { idx, left } = plot.cursor;
            const inside = idx !== null && idx !== undefined && (left ?? -1) >= 0;
            this.onIndex(inside ? this.indices[idx] : null);
          },
        ],
      },
    };
  }
}

function marker(colour: string): HTMLElement {
  const element = document.createElement("div");
  element.className = "spectrum-marker";
  element.style.background = colour;
  return element;
}
