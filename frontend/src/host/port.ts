/** TensorBoard's message port for plugins (experimental): its runs, and when they changed or its data were reloaded. */

const RELOADS = new Set(["experimental.RunsChanged", "experimental.DataReloaded"]);
const GET_RUNS = "experimental.GetRuns";

interface Message {
  type: string;
  id: number;
  payload: unknown;
  error: string | null;
  isReply: boolean;
}

export interface HostEvents {
  onReload: () => void;
  /** The names of TensorBoard's runs, in its order. */
  onRuns: (runs: string[]) => void;
}

function parse(data: unknown): Message | null {
  try {
    const message = typeof data === "string" ? (JSON.parse(data) as Partial<Message>) : null;
    return message && (typeof message.type === "string" || message.isReply) ? (message as Message) : null;
  } catch {
    return null;
  }
}

/** Where there is no such host nothing happens; the tab polls by itself anyway. */
export function listenToHost({ onReload, onRuns }: HostEvents): void {
  if (window.parent === window) return;
  const { port1, port2 } = new MessageChannel();
  const send = (message: Partial<Message>) =>
    port1.postMessage(JSON.stringify({ payload: null, error: null, ...message }));
  const askRuns = () => send({ type: GET_RUNS, id: 0, isReply: false });
  port1.onmessage = ({ data }) => {
    const message = parse(data);
    if (!message) return;
    if (message.isReply) {
      // Nothing else is asked of the host.
      if (Array.isArray(message.payload)) onRuns(message.payload.filter((run) => typeof run === "string"));
      return;
    }
    send({ ...message, payload: null, isReply: true });
    if (!RELOADS.has(message.type)) return;
    onReload();
    askRuns();
  };
  window.parent.postMessage("experimental.bootstrap", window.location.origin, [port2]);
  askRuns();
}
