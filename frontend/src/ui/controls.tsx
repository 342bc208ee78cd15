/** Small controls: native elements underneath, so that keys and screen readers work. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { Icon, type IconName } from "./icons";

export interface Choice<Value extends string> {
  value: Value;
  label: string;
  hint?: string;
}

interface SegmentedProps<Value extends string> {
  label: string;
  value: Value;
  choices: readonly Choice<Value>[];
  onChange: (value: Value) => void;
}

/** One of a few, side by side: radio buttons, arrow keys included. */
export function Segmented<Value extends string>({ label, value, choices, onChange }: SegmentedProps<Value>) {
  const name = useId();
  return (
    <fieldset class="segmented" aria-label={label}>
      {choices.map((choice) => (
        <label key={choice.value} title={choice.hint} class={choice.value === value ? "chosen" : ""}>
          <input
            type="radio"
            name={name}
            value={choice.value}
            checked={choice.value === value}
            onChange={() => onChange(choice.value)}
          />
          <span>{choice.label}</span>
        </label>
      ))}
    </fieldset>
  );
}

interface SelectProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  children: ComponentChildren;
  /** Whether the label stands before the box, or is only read out. */
  showLabel?: boolean;
  hint?: string;
  class?: string;
  /** A last entry that is no value: it leads to something that cannot be chosen from a list. */
  more?: { label: string; onChoose: () => void };
}

const MORE = "@more";

export function Select({ label, value, onChange, children, showLabel, hint, class: extra = "", more }: SelectProps) {
  const choose = (element: HTMLSelectElement) => {
    if (!more || element.value !== MORE) return onChange(element.value);
    element.value = value;
    more.onChoose();
  };
  return (
    <label class={`select ${extra}`} title={hint}>
      {showLabel && <span class="select-label">{label}</span>}
      <select aria-label={label} value={value} onChange={(event) => choose(event.currentTarget)}>
        {children}
        {more && <option value={MORE}>{more.label}</option>}
      </select>
    </label>
  );
}

interface IconButtonProps {
  icon: IconName;
  label: string;
  onClick: () => void;
  pressed?: boolean;
  disabled?: boolean;
  class?: string;
}

export function IconButton({ icon, label, onClick, pressed, disabled, class: extra = "" }: IconButtonProps) {
  return (
    <button
      type="button"
      class={`icon-button ${extra}`}
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}
