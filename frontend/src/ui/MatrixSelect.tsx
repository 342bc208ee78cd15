/** The matrix: one that the checkpoint holds, or one that is made of several. */
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { t, tn } from "../i18n";
import { matricesOf, matrixIn } from "../state/current";
import { OPERATORS, type Operator, partners } from "../state/derived";
import { shortName } from "../state/naming";
import { useShared } from "./context";
import { Segmented, Select } from "./controls";
import { formatCount, formatShape } from "./format";
import { MatrixOptions } from "./MatrixOptions";
import { usePopover } from "./Popover";

/** Puts two matrices together; with a made one as the first, three and more. */
function Maker({ onDone }: { onDone: () => void }) {
  const { store } = useShared();
  const [now, catalogue] = [store.current.value, store.catalogue.value];
  const chosen = useSignal(now?.matrix.matrix ?? "");
  const operator = useSignal<Operator | null>(null);
  const second = useSignal("");
  if (!now || !catalogue) return null;
  const listed = catalogue.signatures[now.checkpoint.signature];
  const first = matrixIn(catalogue, now.checkpoint, chosen.value) ?? now.matrix;
  const found = new Map(OPERATORS.map((each) => [each, partners(first.matrix, each, listed)]));
  const how = operator.value ?? OPERATORS.find((each) => found.get(each)?.size) ?? OPERATORS[0];
  const fitting = [...(found.get(how) ?? [])];
  const [name, made] = fitting.find(([each]) => each === second.value) ?? fitting[0] ?? [];
  const needed = how === " @ " ? first.shape[1] : first.shape[0];
  return (
    <form
      class="maker"
      onSubmit={(event) => {
        event.preventDefault();
        if (made) store.goTo({ matrix: made.matrix });
        onDone();
      }}
    >
      <p class="quiet">{t("maker.about")}</p>
      <Select
        label={t("maker.first")}
        value={first.matrix}
        onChange={(value) => {
          chosen.value = value;
        }}
      >
        <MatrixOptions entries={matricesOf(catalogue, now.run)} current={first} />
      </Select>
      <Segmented<Operator>
        label={t("maker.how")}
        value={how}
        choices={[
          { value: " @ ", label: t("maker.product"), hint: t("maker.productHint") },
          { value: " | ", label: t("maker.beside"), hint: t("maker.besideHint") },
        ]}
        onChange={(value) => {
          operator.value = value;
        }}
      />
      {made && name ? (
        <>
          <Select
            label={t("maker.second")}
            value={name}
            onChange={(value) => {
              second.value = value;
            }}
          >
            <MatrixOptions entries={listed.filter(({ matrix }) => found.get(how)?.has(matrix))} />
          </Select>
          <p class="made">
            <b>{shortName(made.matrix)}</b> <span class="quiet">{formatShape(made.shape)}</span>
          </p>
          <button type="submit" class="button">
            {t("maker.show")}
          </button>
        </>
      ) : (
        <p>{tn("maker.none", needed, formatCount(needed))}</p>
      )}
    </form>
  );
}

export function MatrixSelect() {
  const { store } = useShared();
  const box = useRef<HTMLDivElement>(null);
  const maker = usePopover(box);
  const [now, catalogue] = [store.current.value, store.catalogue.value];
  if (!now || !catalogue) return null;
  return (
    <div ref={box} class="select-box">
      <Select
        showLabel
        label={t("bar.matrix")}
        value={now.matrix.matrix}
        class="matrix"
        hint={now.matrix.matrix}
        onChange={(matrix) => store.goTo({ matrix })}
        more={{ label: t("maker.open"), onChoose: maker.show }}
      >
        <MatrixOptions entries={matricesOf(catalogue, now.run)} current={now.matrix} />
      </Select>
      {maker.panel(t("maker.title"), maker.isOpen.value && <Maker onDone={maker.hide} />)}
    </div>
  );
}
