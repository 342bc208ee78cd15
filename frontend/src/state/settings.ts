/** What a user has chosen for all visits: the language, and the hints that were seen. */
import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { recall, remember } from "../host/memory";
import { LANGUAGES, type LanguageKey, preferredLanguage, setLanguage } from "../i18n";

export const HINTS = ["overview", "steps", "points"] as const;
export type HintName = (typeof HINTS)[number];

function parseLanguage(text: string | null): LanguageKey | null {
  return (Object.keys(LANGUAGES) as LanguageKey[]).find((key) => key === text) ?? null;
}

export class Settings {
  readonly language: Signal<LanguageKey>;
  readonly hasSeenHints: ReadonlySignal<boolean>;
  private readonly seen: Signal<ReadonlySet<string>>;

  constructor(wished: readonly string[] = navigator.languages) {
    this.language = signal(parseLanguage(recall("language")) ?? preferredLanguage(wished));
    this.seen = signal(new Set((recall("hints") ?? "").split(" ").filter((name) => name !== "")));
    this.hasSeenHints = computed(() => this.seen.value.size > 0);
    effect(() => {
      const language = LANGUAGES[this.language.value];
      setLanguage(language);
      document.documentElement.lang = language.code;
    });
  }

  chooseLanguage(language: LanguageKey): void {
    this.language.value = language;
    remember("language", language);
  }

  shows(hint: HintName): boolean {
    return !this.seen.value.has(hint);
  }

  /** A hint that was followed or closed is not shown again. */
  see(hint: HintName): void {
    if (!this.shows(hint)) return;
    this.seen.value = new Set([...this.seen.value, hint]);
    remember("hints", [...this.seen.value].join(" "));
  }

  showHintsAgain(): void {
    this.seen.value = new Set();
    remember("hints", null);
  }
}
