/** Text as it is typed, but not while an input method still composes it. */
import { useRef } from "preact/hooks";

interface Typed {
  handlers: {
    onCompositionStart: () => void;
    onCompositionEnd: (event: { currentTarget: HTMLInputElement }) => void;
    onInput: (event: { currentTarget: HTMLInputElement }) => void;
  };
  /** Whether a key belongs to the input method: Enter and Escape end its composition, and nothing else. */
  isComposing: (event: KeyboardEvent) => boolean;
}

export function useTyped(onText: (text: string) => void): Typed {
  const composing = useRef(false);
  return {
    handlers: {
      onCompositionStart: () => {
        composing.current = true;
      },
      onCompositionEnd: (event) => {
        composing.current = false;
        onText(event.currentTarget.value);
      },
      onInput: (event) => {
        if (!composing.current) onText(event.currentTarget.value);
      },
    },
    isComposing: (event) => event.isComposing || composing.current,
  };
}
