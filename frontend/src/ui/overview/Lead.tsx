/** The one thing worth seeing: the most troubled matrix and how it came there; or that nothing is wrong; or how far the search is. */
import { useSignal, useSignalEffect } from "@preact/signals";
import type { OverviewItem } from "../../data/types";
import { t, tn } from "../../i18n";
import { isComing, keyOf, nDirections } from "../../state/rows";
import { fallenFrom } from "../../state/troubles";
import { useShared } from "../context";
import { formatCount, formatNumber, formatStep } from "../format";
import { RunName } from "../PathName";
import { ProgressBar } from "../panel";
import { TrendLine } from "../TrendLine";
import { asksForAction, levelOf, partsOf } from "../verdicts";
import { useOpen } from "./useOpen";

const TREND = { width: 360, height: 88 };

function Trend({ item }: { item: OverviewItem }) {
  const { effective_rank: ranks, steps } = item.trend;
  const most = nDirections(item.shape);
  const known = ranks.flatMap((rank, at) => (rank === null ? [] : [{ rank, step: steps[at] }]));
  if (known.length < 2) return null;
  const [first, last] = [known[0], known[known.length - 1]];
  const say = ({ rank, step }: (typeof known)[number]) => (
    <span>
      <b>{formatNumber(rank)}</b>{" "}
      {step !== null && <span class="quiet">{t("bar.stepNamed", { step: formatStep(step) })}</span>}
    </span>
  );
  return (
    <figure class="lead-trend">
      <figcaption>{t("lead.trend", { most: formatCount(most) })}</figcaption>
      <TrendLine ranks={ranks} most={most} {...TREND} />
      <p>
        {say(first)}
        {say(last)}
      </p>
    </figure>
  );
}

function Trouble({ item }: { item: OverviewItem }) {
  const { overview, colours } = useShared();
  const { href, open } = useOpen(item);
  const [verdict] = item.verdicts;
  const { finding, advice } = partsOf(verdict);
  const from = fallenFrom(item);
  return (
    <>
      <div class="lead-text">
        <p class="lead-where">
          <RunName run={item.run} colour={colours.of(item.run)} />
          <span>{overview.nameOf(item)}</span>
        </p>
        <h2 class={levelOf(verdict)}>{finding}</h2>
        <p class="quiet">{advice}</p>
        <p class="lead-action">
          <a class="button" href={href} target="_top" onClick={open}>
            {item.n_checkpoints > 1 ? t("lead.openLast") : t("lead.open")}
          </a>
          {from && (
            <span>
              {from.step === null ? t("lead.replayFirst") : t("lead.replay", { step: formatStep(from.step) })}
            </span>
          )}
        </p>
      </div>
      <Trend item={item} />
    </>
  );
}

export function Lead() {
  const { overview } = useShared();
  const shown = useSignal<OverviewItem | null>(null);
  useSignalEffect(() => {
    const items = overview.items.value ?? [];
    const before = shown.peek();
    const now = items.find((item) => item.verdicts.length > 0 && asksForAction(item.verdicts[0])) ?? null;
    const same = before && items.find((item) => keyOf(item) === keyOf(before));
    // Somebody who is about to press the button keeps what it stands for.
    shown.value = overview.isLeadHeld.value && same ? same : now;
  });
  const items = overview.items.value;
  const nDone = items?.filter((item) => !isComing(item)).length ?? 0;
  const total = items?.length ?? 0;
  const item = shown.value;
  const isDone = nDone === total;
  if (items === null) return <section class="lead lead-quiet" aria-busy="true" />;
  const text = isDone
    ? tn("lead.fine", total, formatCount(total))
    : t("lead.computing", { done: formatCount(nDone), total: formatCount(total) });
  return (
    <section
      class={`lead ${item ? "" : "lead-quiet"}`}
      aria-label={t("lead.title")}
      onPointerEnter={() => {
        overview.isLeadHeld.value = true;
      }}
      onPointerLeave={() => {
        overview.isLeadHeld.value = false;
      }}
    >
      {item ? (
        <Trouble item={item} />
      ) : (
        <div class="lead-text" role="status">
          <h2 class={isDone ? "calm" : "unknown"}>{text}</h2>
          {!isDone && <ProgressBar value={total > 0 ? nDone / total : null} label={text} />}
        </div>
      )}
    </section>
  );
}
