/** A list beside the points: what was found stays while something newer is on its way. */
import type { ComponentChildren } from "preact";
import type { Pending } from "../data/types";
import { t } from "../i18n";
import type { Resource } from "../state/resource";
import { useShared } from "./context";
import { ErrorNote, ProgressBar, Wait } from "./panel";

export function Renewing({ pending, label }: { pending: Pending | null; label: string }) {
  return (
    <div class="beside-loading">
      <ProgressBar value={pending?.progress ?? null} label={label} />
    </div>
  );
}

interface FollowedProps<Value> {
  resource: Resource<Value>;
  label: string;
  /** What is shown while nothing is wanted. */
  unwanted?: ComponentChildren;
  children: (value: Value) => ComponentChildren;
}

export function Followed<Value>({ resource, label, unwanted, children }: FollowedProps<Value>) {
  const { store, activity } = useShared();
  const { key, value, error, pending, loading } = resource.state.value;
  if (store.series.isWaiting.value) return <p class="note quiet">{t("large.points")}</p>;
  if (error) return <ErrorNote error={error} onRetry={resource.retry} />;
  if (!key && unwanted) return <>{unwanted}</>;
  if (!value) return <Wait label={label} pending={pending} onCancel={(job) => void activity.cancel(job)} />;
  return (
    <div class="beside-body">
      {loading && <Renewing pending={pending} label={label} />}
      {children(value)}
    </div>
  );
}
