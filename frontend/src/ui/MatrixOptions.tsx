/** Matrices to choose from, by what they are. */
import type { MatrixEntry } from "../data/types";
import { t } from "../i18n";
import { sharedPrefix } from "../state/naming";
import { ROLES } from "../state/spec";
import { formatShape } from "./format";

export function MatrixOptions({ entries }: { entries: readonly MatrixEntry[] }) {
  const skipped = sharedPrefix(entries.map(({ matrix }) => matrix)).length;
  const groups = ROLES.map((role) => ({ role, members: entries.filter((entry) => entry.role === role) }));
  return (
    <>
      {groups
        .filter(({ members }) => members.length > 0)
        .map(({ role, members }) => (
          <optgroup key={role} label={t(`bar.roles.${role}`)}>
            {members.map(({ matrix, shape }) => (
              <option key={matrix} value={matrix} title={matrix}>
                {matrix.slice(skipped)} ({formatShape(shape)})
              </option>
            ))}
          </optgroup>
        ))}
    </>
  );
}
