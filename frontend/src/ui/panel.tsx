/** A panel and what it shows when it has nothing to show: an error, a wait, never a blank. */
import { Component, type ComponentChildren } from "preact";
import type { Pending, Sentence } from "../data/types";
import { sayServer, t, tn } from "../i18n";
import { sentenceOf } from "../state/resource";
import { useShared } from "./context";
import { Icon } from "./icons";

/** What the user can do about an error here and now, where there is something. */
function Remedy({ error }: { error: Sentence }) {
  const { store } = useShared();
  const now = store.current.value;
  if (error.code !== "negative_entries" || !now) return null;
  return (
    <button
      type="button"
      class="text-button"
      onClick={() => store.update({ transform: now.matrix.has_bias ? "bias,relu" : "relu" }, "push")}
    >
      {t("state.activate")}
    </button>
  );
}

export function ErrorNote({ error, onRetry }: { error: Sentence; onRetry?: () => void }) {
  return (
    <div class="note note-error" role="alert">
      <Icon name="warning" size={22} />
      <div>
        <strong>{t("state.error")}</strong>
        <p>{sayServer(error)}</p>
        <Remedy error={error} />
        {onRetry && (
          <button type="button" class="text-button" onClick={onRetry}>
            {t("state.retry")}
          </button>
        )}
      </div>
    </div>
  );
}

export function ProgressBar({ value, label }: { value: number | null; label: string }) {
  return value === null ? (
    <progress class="bar" aria-label={label} />
  ) : (
    <progress class="bar" aria-label={label} value={value} max={1} />
  );
}

interface WaitProps {
  label: string;
  pending: Pending | null;
  onCancel?: (job: string) => void;
  compact?: boolean;
}

/** What is awaited, how far it is, and a way to stop it. */
export function Wait({ label, pending, onCancel, compact }: WaitProps) {
  const task = pending?.task ? sayServer(pending.task) : label;
  const job = pending?.job;
  return (
    <div class={`note note-wait ${compact ? "compact" : ""}`} role="status">
      <p>{task}</p>
      <ProgressBar value={pending?.progress ?? null} label={task} />
      <p class="quiet">
        {pending && pending.queued_before > 0 && tn("state.queued", pending.queued_before)}
        {job && onCancel && (
          <button type="button" class="text-button" onClick={() => onCancel(job)}>
            {t("state.cancel")}
          </button>
        )}
      </p>
    </div>
  );
}

export function ServerNotes({ notes }: { notes: readonly Sentence[] }) {
  return (
    <>
      {notes.map((note) => (
        <p class="footnote" key={note.code}>
          {sayServer(note)}
        </p>
      ))}
    </>
  );
}

interface PanelProps {
  name: string;
  title: string;
  /** What stands in place of the title, where that can be chosen. */
  heading?: ComponentChildren;
  tools?: ComponentChildren;
  hidden?: boolean;
  children: ComponentChildren;
}

interface PanelState {
  failure: Sentence | null;
}

export class Panel extends Component<PanelProps, PanelState> {
  override state: PanelState = { failure: null };

  override componentDidCatch(error: unknown) {
    this.setState({ failure: sentenceOf(error) });
  }

  override render({ name, title, heading, tools, hidden, children }: PanelProps) {
    const { failure } = this.state;
    return (
      <section class={`panel panel-${name}`} aria-label={title} hidden={hidden}>
        <header class="panel-head">
          {heading ?? <h2>{title}</h2>}
          {tools}
        </header>
        {failure ? <ErrorNote error={failure} onRetry={() => this.setState({ failure: null })} /> : children}
      </section>
    );
  }
}
