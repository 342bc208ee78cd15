import { useEffect } from "preact/hooks";

/** Calls `resize` with the size of an element now and whenever it changes, but not while it is hidden. */
export function useSize(ref: { current: HTMLElement | null }, resize: (width: number, height: number) => void): void {
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0 && element.clientHeight > 0) resize(element.clientWidth, element.clientHeight);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
}
