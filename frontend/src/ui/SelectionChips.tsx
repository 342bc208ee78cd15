/** What is selected, as chips that can be taken away. */
import { t, tn } from "../i18n";
import { useShared } from "./context";
import { formatCount } from "./format";
import { Icon } from "./icons";
import { nameOfPoint } from "./names";

const MAX_CHIPS = 12;

export function SelectionChips() {
  const { store, model } = useShared();
  void store.selection.current.value;
  const kind = model.pointsAre.value;
  const indices = store.selection.of(kind);
  if (indices.length === 0) return null;
  const rest = indices.length - MAX_CHIPS;
  return (
    <div class="chips">
      <span class="quiet">{tn("selection.selected", indices.length, formatCount(indices.length))}</span>
      {indices.slice(0, MAX_CHIPS).map((index) => {
        const name = nameOfPoint(model, index);
        return (
          <button
            type="button"
            key={index}
            class="chip"
            aria-label={t("selection.remove", { name })}
            onMouseEnter={() => {
              store.selection.hovered.value = index;
            }}
            onMouseLeave={() => {
              store.selection.hovered.value = null;
            }}
            onClick={() => store.selection.toggle(index, "points", kind)}
          >
            <span>{name}</span>
            <Icon name="close" size={12} />
          </button>
        );
      })}
      {rest > 0 && <span class="quiet">{t("selection.more", { n: formatCount(rest) })}</span>}
      {kind === model.listedAre.value && store.spec.value.beside !== "nearest" && (
        <button type="button" class="text-button" onClick={() => store.update({ beside: "nearest" })}>
          {t("nearest.open")}
        </button>
      )}
      <button type="button" class="text-button" onClick={() => store.selection.clear("points")}>
        {t("selection.clear")}
      </button>
    </div>
  );
}
