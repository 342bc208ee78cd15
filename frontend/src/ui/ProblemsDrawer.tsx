/** The files that could not be used, and why. */
import { useEffect, useRef } from "preact/hooks";
import type { Problem } from "../data/types";
import { t } from "../i18n";
import { IconButton } from "./controls";
import { ProblemList } from "./EmptyState";

export function ProblemsDrawer({ problems, onClose }: { problems: readonly Problem[]; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a dialog by itself
    <dialog
      ref={dialog}
      class="drawer"
      aria-label={t("problems.title")}
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && onClose()}
    >
      <div class="drawer-body">
        <header class="panel-head">
          <h2>{t("problems.title")}</h2>
          <IconButton icon="close" label={t("problems.close")} onClick={onClose} />
        </header>
        <p class="quiet">{t("problems.about")}</p>
        <ProblemList problems={problems} />
      </div>
    </dialog>
  );
}
