/** Matrices to choose from, by what they are. */
import type { MatrixEntry } from "../data/types";
import { t } from "../i18n";
import { isMade } from "../state/derived";
import { sharedPrefix, shortName } from "../state/naming";
import { ROLES } from "../state/spec";
import { formatShape } from "./format";

const GROUPS = [...ROLES, "made"] as const;

function groupOf({ matrix, role }: MatrixEntry): (typeof GROUPS)[number] {
  return isMade(matrix) ? "made" : role;
}

/** `current`: one that is listed also where the others do not name it. */
export function MatrixOptions({ entries, current }: { entries: readonly MatrixEntry[]; current?: MatrixEntry }) {
  const isNew = current && entries.every(({ matrix }) => matrix !== current.matrix);
  const all = isNew ? [...entries, current] : entries;
  const prefix = sharedPrefix(all.map(({ matrix }) => matrix));
  const groups = GROUPS.map((group) => ({ group, members: all.filter((entry) => groupOf(entry) === group) }));
  return (
    <>
      {groups
        .filter(({ members }) => members.length > 0)
        .map(({ group, members }) => (
          <optgroup key={group} label={t(`bar.roles.${group}`)}>
            {members.map(({ matrix, shape }) => (
              <option key={matrix} value={matrix} title={matrix}>
                {isMade(matrix) ? shortName(matrix, prefix) : matrix.slice(prefix.length)} ({formatShape(shape)})
              </option>
            ))}
          </optgroup>
        ))}
    </>
  );
}
