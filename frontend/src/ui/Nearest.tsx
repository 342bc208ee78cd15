/** The rows nearest to each selected one, among all rows and in all dimensions of the matrix; a press on one goes on from there. */
import type { NeighborsReply } from "../data/types";
import { t } from "../i18n";
import { DISTANCES, type Distance } from "../state/spec";
import { useShared } from "./context";
import { Segmented } from "./controls";
import { Followed } from "./Followed";
import { formatCount } from "./format";
import { nameOfListed } from "./names";
import { ServerNotes } from "./panel";
import { RowList } from "./RowList";

export function DistanceTools() {
  const { store } = useShared();
  return (
    <Segmented<Distance>
      label={t("nearest.distance")}
      value={store.spec.value.distance}
      choices={DISTANCES.map((value) => ({
        value,
        label: t(`nearest.${value}`),
        hint: t(`nearest.hint.${value}`),
      }))}
      onChange={(distance) => store.update({ distance })}
    />
  );
}

function Of({ query }: { query: NeighborsReply["queries"][number] }) {
  const { store, model } = useShared();
  const { row, neighbors } = query;
  const rows = neighbors.map(({ row: near }) => near);
  return (
    <section>
      <p class="list-head">
        <b>{nameOfListed(model, row)}</b>
        <button
          type="button"
          class="text-button"
          onClick={() => store.selection.add(rows, "points", model.listedAre.value)}
        >
          {t("nearest.selectAll", { n: formatCount(rows.length) })}
        </button>
      </p>
      <RowList rows={neighbors.map(({ row: near, distance }) => ({ row: near, amount: distance }))} />
    </section>
  );
}

export function Nearest() {
  const { store } = useShared();
  return (
    <Followed
      resource={store.series.neighbors}
      label={t("nearest.finding")}
      unwanted={<p class="note quiet">{t("nearest.untold")}</p>}
    >
      {({ queries, notes }) => (
        <>
          {queries.map((query, at) => (
            <Of key={at} query={query} />
          ))}
          <ServerNotes notes={notes} />
        </>
      )}
    </Followed>
  );
}
