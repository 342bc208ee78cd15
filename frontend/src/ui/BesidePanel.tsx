/** What stands beside the points and follows them: the factors, or what the matrix is compared with. */
import type { ComponentChildren } from "preact";
import { t } from "../i18n";
import { BESIDES, type Beside } from "../state/spec";
import { Comparison } from "./compare/Comparison";
import { useShared } from "./context";
import type { Choice } from "./controls";
import { Factors, FactorsOf } from "./factors/Factors";
import { Panel } from "./panel";

const BODIES = { factors: Factors, compare: Comparison };

export function besideChoices(): Choice<Beside>[] {
  return BESIDES.map((value) => ({ value, label: t(`beside.${value}`) }));
}

export function BesidePanel({ hidden, heading }: { hidden: boolean; heading: ComponentChildren }) {
  const { store } = useShared();
  const { beside } = store.spec.value;
  const Body = BODIES[beside];
  return (
    <Panel
      name="beside"
      title={t(`beside.${beside}`)}
      heading={heading}
      hidden={hidden}
      tools={beside === "factors" && <FactorsOf />}
    >
      <Body />
    </Panel>
  );
}
