/** The hash of TensorBoard's own page, where the spec is kept. Outside TensorBoard, that of our page. */
import type { Spec } from "../state/spec";
import type { SpecLink } from "../state/store";
import { PLUGIN, parseHash, tabOf, writeHash } from "../state/url";

const SETTLE_MS = 250;

/** The window whose address is the user's, if we may touch it. */
export function hostWindow(): Window {
  try {
    void window.parent.location.hash;
    return window.parent;
  } catch {
    return window;
  }
}

export function hashLink(host: Window = hostWindow()): SpecLink {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let push = false;
  let lastHash = host.location.hash;

  const isOurTab = () => ["", PLUGIN].includes(tabOf(host.location.hash));
  const put = (spec: Spec) => {
    timer = undefined;
    if (!isOurTab()) return;
    const hash = writeHash(host.location.hash, spec);
    if (hash === host.location.hash) return;
    if (push) host.history.pushState(null, "", hash);
    else host.history.replaceState(host.history.state, "", hash);
    push = false;
    lastHash = hash;
  };
  return {
    read: () => parseHash(host.location.hash),
    write: (spec, how) => {
      push ||= how === "push";
      clearTimeout(timer);
      timer = setTimeout(() => put(spec), SETTLE_MS);
    },
    href: (spec) => {
      const url = new URL(host.location.href);
      url.hash = writeHash(`#${PLUGIN}`, spec);
      return url.href;
    },
    listen: (changed) => {
      const onChange = () => {
        if (!isOurTab() || host.location.hash === lastHash) return;
        clearTimeout(timer);
        lastHash = host.location.hash;
        changed();
      };
      host.addEventListener("hashchange", onChange);
      host.addEventListener("popstate", onChange);
      window.addEventListener("pagehide", () => {
        host.removeEventListener("hashchange", onChange);
        host.removeEventListener("popstate", onChange);
      });
    },
  };
}
