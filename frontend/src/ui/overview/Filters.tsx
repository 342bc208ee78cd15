/** Which rows the overview shows. */

import type { Role } from "../../data/types";
import { t } from "../../i18n";
import { ROLES } from "../../state/spec";
import { useShared } from "../context";
import { IconButton, Select } from "../controls";
import { formatCount } from "../format";
import { Icon } from "../icons";
import { useTyped } from "../useTyped";

function FindBox() {
  const { store } = useShared();
  const { find } = store.spec.value;
  const typed = useTyped((text) => store.update({ find: text }));
  return (
    <div class="search overview-find">
      <Icon name="search" size={16} />
      <input
        type="text"
        spellcheck={false}
        autocomplete="off"
        aria-label={t("overview.find")}
        placeholder={t("overview.find")}
        value={find}
        {...typed.handlers}
        onKeyDown={(event) => {
          if (event.key === "Escape" && !typed.isComposing(event)) store.update({ find: "" });
        }}
      />
      {find !== "" && <IconButton icon="close" label={t("search.clear")} onClick={() => store.update({ find: "" })} />}
    </div>
  );
}

function RunChoice() {
  const { store } = useShared();
  const runs = store.catalogue.value?.runs ?? [];
  const { onlyRun } = store.spec.value;
  if (runs.length < 2) return null;
  const isGone = onlyRun !== "" && !runs.some(({ run }) => run === onlyRun);
  return (
    <Select label={t("bar.run")} value={onlyRun} class="run" onChange={(run) => store.update({ onlyRun: run })}>
      <option value="">{t("overview.allRuns")}</option>
      {[...(isGone ? [onlyRun] : []), ...runs.map(({ run }) => run)].map((run) => (
        <option key={run} value={run}>
          {run === "" ? "." : run}
        </option>
      ))}
    </Select>
  );
}

function RoleChoice() {
  const { store, overview } = useShared();
  const roles = overview.roles.value;
  const signatures = store.catalogue.value?.signatures ?? [];
  const present = ROLES.filter((role) => signatures.some((entries) => entries.some((entry) => entry.role === role)));
  if (present.length < 2) return null;
  const toggle = (role: Role, on: boolean) => {
    const next = ROLES.filter((other) => (other === role ? on : roles.includes(other)));
    if (next.length > 0) store.update({ roles: next });
  };
  return (
    <fieldset class="role-choice" aria-label={t("overview.roles")}>
      {present.map((role) => (
        <label key={role} class={roles.includes(role) ? "chosen" : ""}>
          <input
            type="checkbox"
            checked={roles.includes(role)}
            onChange={(event) => {
              toggle(role, event.currentTarget.checked);
              // The last one stays chosen.
              event.currentTarget.checked = overview.roles.peek().includes(role);
            }}
          />
          {t(`bar.roles.${role}`)}
        </label>
      ))}
    </fieldset>
  );
}

export function Filters() {
  const { overview } = useShared();
  const total = overview.items.value?.length ?? 0;
  const n = overview.rows.value.length;
  return (
    <div class="filters">
      <FindBox />
      <RunChoice />
      <RoleChoice />
      <span class="filters-count quiet" role="status">
        {n === total ? "" : t("overview.shown", { n: formatCount(n), total: formatCount(total) })}
      </span>
      {overview.isStale.value && (
        <button type="button" class="text-button" onClick={() => overview.sortAnew()}>
          {t("overview.sortAnew")}
        </button>
      )}
    </div>
  );
}
