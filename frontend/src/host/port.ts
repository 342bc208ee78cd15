/** TensorBoard's message port for plugins (experimental): tells when its runs changed or its data were reloaded. */

const RELOADS = new Set(["experimental.RunsChanged", "experimental.DataReloaded"]);

interface Message {
  type: string;
  id: number;
  payload: unknown;
  error: string | null;
  isReply: boolean;
}

function parse(data: unknown): Message | null {
  try {
    const message = typeof data === "string" ? (JSON.parse(data) as Partial<Message>) : null;
    return message && typeof message.type === "string" && !message.isReply ? (message as Message) : null;
  } catch {
    return null;
  }
}

/** Where there is no such host nothing happens; the tab polls by itself anyway. */
export function listenToHost(onReload: () => void): void {
  if (window.parent === window) return;
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }) => {
    const message = parse(data);
    if (!message) return;
    if (RELOADS.has(message.type)) onReload();
    port1.postMessage(JSON.stringify({ ...message, payload: null, error: null, isReply: true }));
  };
  window.parent.postMessage("experimental.bootstrap", window.location.origin, [port2]);
}
