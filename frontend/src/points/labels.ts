/** Words beside points: placed in order of weight, each where it covers no earlier word, or not at all. */

export interface LabelWish {
  index: number;
  text: string;
  /** Selected and hovered words are placed even where they cover others. */
  always: boolean;
}

export interface PlacedLabel {
  index: number;
  text: string;
  x: number;
  y: number;
  align: "left" | "right" | "center";
}

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const LINE_HEIGHT = 14;
const GAP = 6;
const MAX_CHARACTERS = 28;

export function shorten(text: string): string {
  const characters = [...text];
  return characters.length > MAX_CHARACTERS ? `${characters.slice(0, MAX_CHARACTERS - 1).join("")}…` : text;
}

function meets(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

export function boxOf({ x, y, align }: Omit<PlacedLabel, "index" | "text">, width: number): Box {
  const left = align === "left" ? x : align === "right" ? x - width : x - width / 2;
  return { left: left - 1, right: left + width + 1, top: y - LINE_HEIGHT / 2, bottom: y + LINE_HEIGHT / 2 };
}

export function placeLabels(
  wishes: readonly LabelWish[],
  screen: Float32Array,
  view: { width: number; height: number },
  measure: (text: string) => number,
  /** What is written there already. */
  reserved: readonly Box[] = [],
): PlacedLabel[] {
  const placed: PlacedLabel[] = [];
  const taken: Box[] = [...reserved];
  const inView: Box = { left: 0, top: 0, right: view.width, bottom: view.height };
  for (const { index, text, always } of wishes) {
    const x = screen[index * 3];
    const y = screen[index * 3 + 1];
    if (!(x >= 0 && x <= view.width && y >= 0 && y <= view.height)) continue;
    const short = shorten(text);
    const width = measure(short);
    const places: Omit<PlacedLabel, "index" | "text">[] = [
      { x: x + GAP, y, align: "left" },
      { x: x - GAP, y, align: "right" },
      { x, y: y - GAP - LINE_HEIGHT / 2, align: "center" },
      { x, y: y + GAP + LINE_HEIGHT / 2, align: "center" },
    ];
    const fits = (box: Box) =>
      box.left >= inView.left && box.right <= inView.right && box.top >= inView.top && box.bottom <= inView.bottom;
    const boxes = places.map((place) => ({ place, box: boxOf(place, width) }));
    const free = boxes.find(({ box }) => fits(box) && !taken.some((other) => meets(box, other)));
    const chosen = free ?? (always ? (boxes.find(({ box }) => fits(box)) ?? boxes[0]) : undefined);
    if (!chosen) continue;
    placed.push({ index, text: short, ...chosen.place });
    taken.push(chosen.box);
  }
  return placed;
}
