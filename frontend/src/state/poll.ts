/** Repeats a task while the tab can be seen. */

/** TensorBoard keeps the frame of a hidden tab alive at height 0. */
export function isVisible(): boolean {
  return document.visibilityState === "visible" && window.innerHeight > 0;
}

export interface Poll {
  /** Runs the task now; the next turn is counted from its end. */
  now: () => void;
  stop: () => void;
}

export function poll(task: () => Promise<number>): Poll {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running = false;
  let again = false;
  let missed = false;
  let stopped = false;

  const turn = async () => {
    clearTimeout(timer);
    if (stopped) return;
    if (running) {
      again = true;
      return;
    }
    missed = !isVisible();
    if (missed) return;
    running = true;
    const delayMs = await task();
    running = false;
    if (again) {
      again = false;
      void turn();
    } else if (!stopped) timer = setTimeout(turn, delayMs);
  };
  const wake = () => {
    if (missed && isVisible()) void turn();
  };
  document.addEventListener("visibilitychange", wake);
  window.addEventListener("resize", wake);
  void turn();
  return {
    now: () => void turn(),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", wake);
      window.removeEventListener("resize", wake);
    },
  };
}
