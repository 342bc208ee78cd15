/** The way from a row of the overview to its view: a link that can be opened in another window, too. */
import type { OverviewItem } from "../../data/types";
import { DEFAULT_SPEC } from "../../state/spec";
import { useShared } from "../context";

export function useOpen({ run, matrix }: Pick<OverviewItem, "run" | "matrix">) {
  const { store, settings } = useShared();
  return {
    href: store.hrefOf({ ...DEFAULT_SPEC, run, matrix }),
    open: (event: MouseEvent) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      settings.see("overview");
      store.open(run, matrix);
    },
  };
}
