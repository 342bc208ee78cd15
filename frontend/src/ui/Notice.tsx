/** What was done with a link that names what is not there. */
import { sayServer, t } from "../i18n";
import { useShared } from "./context";
import { IconButton } from "./controls";

export function Notice() {
  const { store } = useShared();
  const notice = store.notice.value;
  if (!notice) return null;
  return (
    <p class="notice" role="alert">
      <span>{sayServer(notice)}</span>
      <IconButton
        icon="close"
        label={t("notice.close")}
        onClick={() => {
          store.notice.value = null;
        }}
      />
    </p>
  );
}
