import { signal } from "@preact/signals";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Catalogue } from "../../src/data/types";
import { listenToHost } from "../../src/host/port";
import { RunColours } from "../../src/host/runColours";
import type { Theme } from "../../src/host/theme";
import { languageCode } from "../../src/i18n";
import { Settings } from "../../src/state/settings";
import { partsOf } from "../../src/ui/verdicts";

describe("the colours of runs", () => {
  const catalogue = signal({ runs: [{ run: "b" }, { run: "ours" }, { run: "a" }] } as Catalogue);
  const theme = signal<Theme>("light");

  it("are TensorBoard's, in the order in which it met them; runs of our own come behind", () => {
    const colours = new RunColours(catalogue, theme);
    colours.meet(["a", "b"]);
    expect(["a", "b", "ours"].map((run) => colours.of(run))).toEqual(["#425066", "#12b5cb", "#e52592"]);
    colours.meet(["new", "b", "a"]);
    expect(["a", "b", "new"].map((run) => colours.of(run))).toEqual(["#425066", "#12b5cb", "#e52592"]);
  });

  it("follow the theme", () => {
    const colours = new RunColours(catalogue, theme);
    colours.meet(["a"]);
    theme.value = "dark";
    expect(colours.of("a")).toBe("#8e98a3");
    theme.value = "light";
  });
});

describe("the port to the host", () => {
  const original = Object.getOwnPropertyDescriptor(window, "parent");
  afterEach(() => Object.defineProperty(window, "parent", original ?? { value: window, configurable: true }));

  it("takes the runs from the host, and hears of changes", async () => {
    const ports: MessagePort[] = [];
    const host = { postMessage: (_: unknown, __: string, [port]: MessagePort[]) => ports.push(port) };
    Object.defineProperty(window, "parent", { value: host, configurable: true });
    const onRuns = vi.fn();
    const onReload = vi.fn();
    listenToHost({ onReload, onRuns });
    const [port] = ports;
    const heard: { type?: string; isReply: boolean; id: number }[] = [];
    port.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      heard.push(message);
      if (!message.isReply) port.postMessage(JSON.stringify({ ...message, payload: ["a", "b"], isReply: true }));
    };
    await vi.waitFor(() => expect(onRuns).toHaveBeenCalledWith(["a", "b"]));
    expect(heard[0].type).toBe("experimental.GetRuns");
    port.postMessage(
      JSON.stringify({ type: "experimental.RunsChanged", id: 7, payload: [], error: null, isReply: false }),
    );
    await vi.waitFor(() => expect(onReload).toHaveBeenCalledTimes(1));
    await vi.waitFor(() => expect(onRuns).toHaveBeenCalledTimes(2));
    expect(heard.some(({ isReply, id }) => isReply && id === 7)).toBe(true);
    port.postMessage("nonsense");
    port.close();
  });
});

describe("settings", () => {
  beforeEach(() => localStorage.clear());

  it("begin with the browser's language, and remember another one", () => {
    const settings = new Settings(["zh-CN", "en"]);
    expect([settings.language.value, languageCode(), document.documentElement.lang]).toEqual(["zh", "zh-CN", "zh-CN"]);
    settings.chooseLanguage("en");
    expect(document.documentElement.lang).toBe("en");
    expect(new Settings(["zh-CN"]).language.value).toBe("en");
  });

  it("show a hint until it was seen, and all of them again on request", () => {
    const settings = new Settings(["en"]);
    expect(settings.shows("steps")).toBe(true);
    settings.see("steps");
    expect([settings.shows("steps"), new Settings(["en"]).shows("steps")]).toEqual([false, false]);
    settings.showHintsAgain();
    expect(new Settings(["en"]).shows("steps")).toBe(true);
  });

  it("work where nothing may be stored", () => {
    const blocked = vi.spyOn(window, "localStorage", "get").mockImplementation(() => {
      throw new DOMException("denied", "SecurityError");
    });
    const settings = new Settings(["en"]);
    settings.see("steps");
    settings.chooseLanguage("zh");
    expect([settings.shows("steps"), settings.language.value]).toEqual([false, "zh"]);
    settings.chooseLanguage("en");
    blocked.mockRestore();
  });
});

it("tells what was found from what to try, in both languages' signs", () => {
  const say = (text: string) => partsOf({ code: "unknown_to_this_page", params: {}, text });
  expect(say("It holds 99.9 % of all. Try less. Or more.")).toEqual({
    finding: "It holds 99.9 % of all.",
    advice: "Try less. Or more.",
  });
  expect(say("占方差的 99.9%。可尝试。")).toEqual({ finding: "占方差的 99.9%。", advice: "可尝试。" });
  expect(say("Too small to tell.")).toEqual({ finding: "Too small to tell.", advice: "" });
});
