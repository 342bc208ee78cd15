/** The colours of the style sheet, for what is drawn on a canvas. */
export interface ThemeColours {
  ink: string;
  faint: string;
  line: string;
  accent: string;
  surface: string;
}

export function themeColours(): ThemeColours {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string) => style.getPropertyValue(name).trim();
  return {
    ink: read("--ink"),
    faint: read("--ink-quiet"),
    line: read("--line-plot"),
    accent: read("--accent"),
    surface: read("--surface"),
  };
}
