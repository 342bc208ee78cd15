/** What stands beside the points and follows them: the factors, the nearest rows, or what the matrix is compared with. */
import type { ComponentChildren } from "preact";
import { t } from "../i18n";
import { BESIDES, type Beside } from "../state/spec";
import { Comparison } from "./compare/Comparison";
import { useShared } from "./context";
import type { Choice } from "./controls";
import { Factors, FactorsOf } from "./factors/Factors";
import { DistanceTools, Nearest } from "./Nearest";
import { Panel } from "./panel";

const PARTS = {
  factors: { Body: Factors, Tools: FactorsOf },
  nearest: { Body: Nearest, Tools: DistanceTools },
  compare: { Body: Comparison, Tools: () => null },
};

export function besideChoices(): Choice<Beside>[] {
  return BESIDES.filter((value) => value !== "").map((value) => ({ value, label: t(`beside.${value}`) }));
}

export function BesidePanel({ hidden, heading }: { hidden: boolean; heading: ComponentChildren }) {
  const { store } = useShared();
  const beside = store.spec.value.beside || "factors";
  const { Body, Tools } = PARTS[beside];
  return (
    <Panel name="beside" title={t(`beside.${beside}`)} heading={heading} hidden={hidden} tools={<Tools />}>
      <Body />
    </Panel>
  );
}
