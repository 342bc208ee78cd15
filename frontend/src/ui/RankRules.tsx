/** How many directions to keep, by every rule at once; a chosen one is a line on the spectrum. */

import type { RankRule } from "../data/types";
import { sayRule, t } from "../i18n";
import { useShared } from "./context";
import { formatCount } from "./format";
import { Popover } from "./Popover";
import { useTip } from "./useTip";

function Rule({ rule }: { rule: RankRule }) {
  const { store } = useShared();
  const { handlers, tip } = useTip(true);
  const { rules, centered } = store.spec.value;
  const { name, assumes, formula } = sayRule(rule);
  const isDrawn = rules.includes(rule.key) && rule.centered === centered;
  const toggle = () => {
    const others = rules.filter((key) => key !== rule.key);
    // A rule is drawn on the spectrum that it looks at.
    store.update(isDrawn ? { rules: others } : { rules: [...others, rule.key], centered: rule.centered });
  };
  return (
    <button type="button" class="rule" aria-pressed={isDrawn} onClick={toggle} {...handlers}>
      <span>{name}</span>
      <b>{rule.rank === null ? "–" : formatCount(rule.rank)}</b>
      {tip(
        <>
          <b>{name}</b>
          <span>{t("rules.assumes", { assumes })}</span>
          <span class="quiet">{rule.centered ? t("rules.centered") : t("rules.stored")}</span>
          <code>{formula}</code>
          <span class="quiet source">{rule.source}</span>
        </>,
      )}
    </button>
  );
}

export function RankRules() {
  const { store } = useShared();
  const ranks = store.series.ranks.state.value.value?.ranks ?? [];
  if (ranks.length === 0) return null;
  return (
    <Popover label={t("rules.title")}>
      <div class="rules">
        <p class="quiet">{t("rules.about")}</p>
        {ranks.map((rule) => (
          <Rule key={rule.key} rule={rule} />
        ))}
      </div>
    </Popover>
  );
}
