/** What this browser remembers from one visit to the next. Where it may not (private windows, blocked storage), nothing. */
const PREFIX = "embfactor.";

export function recall(name: string): string | null {
  try {
    return window.localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string | null): void {
  try {
    if (value === null) window.localStorage.removeItem(PREFIX + name);
    else window.localStorage.setItem(PREFIX + name, value);
  } catch {
    // It is asked for again at the next visit.
  }
}
