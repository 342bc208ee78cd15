/** The factors of the current checkpoint, the heaviest first, with the rows that have most and least of each. */
import type { FactorsReply } from "../../data/types";
import { t } from "../../i18n";
import { factorMethodOf } from "../../state/spec";
import { useShared } from "../context";
import { Followed } from "../Followed";
import { formatCount, formatShare } from "../format";
import { ServerNotes } from "../panel";
import { RowButton } from "../RowButton";
import { FactorItem } from "./FactorItem";

const MORE_FACTORS = 16;

/** Said above the first factor of those that near-equal singular values do not tell apart. */
function BlockNote({ reply, first }: { reply: FactorsReply; first: number }) {
  const block = reply.blocks.find(({ factors }) => factors[0] === first);
  if (!block) return null;
  const [from, to] = block.factors;
  return (
    <li class="block-note">
      <p>{t("factors.block", { from, to, share: formatShare(block.share) })}</p>
      <p class="block-rows">
        {block.top.map(({ row }) => (
          <RowButton key={row} row={row} />
        ))}
      </p>
    </li>
  );
}

function List({ reply }: { reply: FactorsReply }) {
  const { store, model } = useShared();
  const { factors, notes, sample } = reply;
  const isAll = factors.length < store.series.nFactors.value;
  return (
    <>
      <ol class="factor-list">
        {factors.map((factor) => (
          <>
            <BlockNote key={`block ${factor.factor}`} reply={reply} first={factor.factor} />
            <FactorItem key={factor.factor} factor={factor} />
          </>
        ))}
      </ol>
      {!isAll && store.series.nFactors.value < MORE_FACTORS && (
        <button
          type="button"
          class="text-button"
          onClick={() => {
            store.series.nFactors.value = MORE_FACTORS;
          }}
        >
          {t("factors.more")}
        </button>
      )}
      {model.carried.value.length > 0 && <p class="footnote">{t("factors.carriedAbout")}</p>}
      {sample && sample.rows < sample.of && (
        <p class="footnote">{t("factors.sample", { n: formatCount(sample.rows), of: formatCount(sample.of) })}</p>
      )}
      <ServerNotes notes={notes} />
    </>
  );
}

export function Factors() {
  const { store } = useShared();
  return (
    <Followed resource={store.series.factors} label={t("factors.finding")}>
      {(reply) => <List reply={reply} />}
    </Followed>
  );
}

/** Of which rows they are. */
export function FactorsOf() {
  const { store } = useShared();
  return <span class="quiet factors-of">{t(`factors.of.${factorMethodOf(store.spec.value.method)}`)}</span>;
}
