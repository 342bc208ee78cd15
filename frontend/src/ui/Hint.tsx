/** A sentence for the first visit. It goes away when it was followed or closed, and does not come back. */
import type { ComponentChildren } from "preact";
import { t } from "../i18n";
import type { HintName } from "../state/settings";
import { useShared } from "./context";
import { IconButton } from "./controls";

export function Hint({ name, children }: { name: HintName; children: ComponentChildren }) {
  const { settings } = useShared();
  if (!settings.shows(name)) return null;
  return (
    <p class="hint">
      <span>{children}</span>
      <IconButton icon="close" label={t("hint.close")} onClick={() => settings.see(name)} />
    </p>
  );
}
