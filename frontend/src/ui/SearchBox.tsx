/** Finds tokens: hits are ringed while typing, Enter selects the one that is marked. */
import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { t, tn } from "../i18n";
import { useShared } from "./context";
import { IconButton } from "./controls";
import { formatCount } from "./format";
import { Icon } from "./icons";
import { nameOfPoint } from "./names";
import { useTyped } from "./useTyped";

const MAX_LISTED = 12;

export function SearchBox() {
  const { store, model } = useShared();
  const list = useId();
  const open = useSignal(false);
  const marked = useSignal(0);
  const { first, total } = model.hits.value;
  const listed = first.slice(0, MAX_LISTED);
  const query = model.query.value;
  const byName = Boolean(store.current.value?.matrix.labels) && model.pointsAre.value === "rows";
  const kind = model.pointsAre.value;

  const setQuery = (text: string) => {
    marked.value = 0;
    open.value = text.trim() !== "";
    model.query.value = text;
  };
  const typed = useTyped(setQuery);
  const choose = (index: number, more: boolean) => {
    if (more) store.selection.add([index], "search", kind);
    else store.selection.set([index], "search", kind);
    setQuery("");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (typed.isComposing(event)) return;
    if (event.key === "ArrowDown") marked.value = Math.min(marked.value + 1, listed.length - 1);
    else if (event.key === "ArrowUp") marked.value = Math.max(marked.value - 1, 0);
    else if (event.key === "Enter" && listed.length > 0) choose(listed[marked.value], true);
    else if (event.key === "Escape") setQuery("");
    else return;
    event.preventDefault();
  };
  return (
    <div
      class="search"
      onFocusOut={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) open.value = false;
      }}
    >
      <Icon name="search" size={16} />
      <input
        type="text"
        role="combobox"
        spellcheck={false}
        autocomplete="off"
        aria-label={t("search.label")}
        aria-autocomplete="list"
        aria-expanded={open.value && listed.length > 0}
        aria-controls={list}
        aria-activedescendant={open.value && listed.length > 0 ? `${list}-${marked.value}` : undefined}
        placeholder={byName ? t("search.placeholder") : t("search.placeholderRows")}
        value={query}
        {...typed.handlers}
        onFocus={() => {
          open.value = query.trim() !== "";
        }}
        onKeyDown={onKeyDown}
      />
      {query !== "" && <IconButton icon="close" label={t("search.clear")} onClick={() => setQuery("")} />}
      {open.value && (
        <div class="search-list">
          <p class="search-head" role="status">
            <span>
              {total === 0
                ? byName
                  ? t("search.none", { query })
                  : t("search.noneRows", { query })
                : tn("search.hits", total, formatCount(total))}
            </span>
            {total > 1 && (
              <button
                type="button"
                class="text-button"
                onClick={() => {
                  store.selection.add(first, "search", kind);
                  setQuery("");
                }}
              >
                {t("search.selectAll")}
              </button>
            )}
          </p>
          <div id={list} role="listbox" aria-label={t("search.label")}>
            {listed.map((index, at) => (
              // biome-ignore lint/a11y/useFocusableInteractive: the combobox keeps the focus (aria-activedescendant)
              // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the combobox
              <div
                key={index}
                id={`${list}-${at}`}
                role="option"
                aria-selected={at === marked.value}
                class={at === marked.value ? "marked" : ""}
                onMouseEnter={() => {
                  marked.value = at;
                  store.selection.hovered.value = index;
                }}
                onMouseDown={(event) => event.preventDefault()}
                onClick={() => choose(index, true)}
              >
                <span>{nameOfPoint(model, index)}</span>
                <span class="quiet">#{formatCount(index)}</span>
              </div>
            ))}
          </div>
        </div>
      )}
    </div>
  );
}
