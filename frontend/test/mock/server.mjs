// A stand-in for TensorBoard and our back end (docs/http-api.md) with invented data, to develop the tab against.
//   node test/mock/server.mjs [--port 6106]
// The scenario is the first part of the path: /plain/ /empty/ /scanning/ /slow/ /broken/ /failing/ /many/ — open http://localhost:6106/plain/
// With TENSORBOARD_DIR (the installed package) the standard projector is served as well.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import * as data from "./data.mjs";
import { manyNames, overview } from "./overview.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const staticDir = resolve(here, "../../../tb_embfactor/static");
const tensorboardDir = process.env.TENSORBOARD_DIR ?? "";
const projectorDir = join(tensorboardDir, "plugins/projector/tf_projector_plugin");
const hasProjector = tensorboardDir !== "" && existsSync(projectorDir);
const portAt = process.argv.indexOf("--port");
const port = portAt > 0 ? Number(process.argv[portAt + 1]) : 6106;

const ENTRY_SCRIPT = `import("./index.js").then((m) => void m.render());`;
const ENTRY = `<!DOCTYPE html>
<head><base href="plugin/embfactor/" /></head>
<body><script type="module">${ENTRY_SCRIPT}</script></body>`;
const HOST_SCRIPT = `
const dark = () => document.body.classList.toggle("dark-mode");
document.querySelector("button").addEventListener("click", dark);
if (new URLSearchParams(location.search).has("dark")) dark();
if (!location.hash) history.replaceState(null, "", "#embfactor");`;
const HOST = `<!DOCTYPE html><title>mock</title><style>
body { margin: 0; display: flex; flex-direction: column; height: 100vh; font: 14px Roboto, sans-serif }
header { background: #f57c00; color: #fff; padding: 14px 20px; display: flex; gap: 24px; align-items: center; height: 20px; font-size: 17px }
body.dark-mode header { background: #e65100 } header button { margin-left: auto } iframe { flex: 1; border: 0; width: 100% }
</style><body><header><b>TensorBoard</b> <span>Embedding Factors</span><button>theme</button></header>
<iframe src="data/plugin_entry.html?name=embfactor"></iframe><script type="module">${HOST_SCRIPT}</script></body>`;

const hashOf = (script) => `'sha256-${createHash("sha256").update(script).digest("base64")}'`;
const policy = (script) =>
  "default-src 'self';font-src 'self' data:;frame-src 'self';img-src 'self' data: blob:;object-src 'none';" +
  "style-src 'self' https://www.gstatic.com data: 'unsafe-inline';connect-src 'self';" +
  `script-src 'self' 'unsafe-eval' ${script ? hashOf(script) : ""}`;
const TYPES = { html: "text/html", js: "application/javascript", css: "text/css", txt: "text/plain" };

function send(response, status, body, type = "application/json", headers = {}) {
  response.writeHead(status, { "content-type": type, "x-content-type-options": "nosniff", ...headers });
  response.end(body);
}
const sendJson = (response, body, status = 200) => send(response, status, JSON.stringify(body));
const sendHtml = (response, html, script) =>
  send(response, 200, html, "text/html", { "content-security-policy": policy(script) });
function sendFile(response, folder, name) {
  const path = join(folder, name);
  if (name.includes("..") || !existsSync(path)) return send(response, 404, "not found", "text/plain");
  const type = TYPES[name.split(".").pop()] ?? "application/octet-stream";
  if (type === "text/html") return sendHtml(response, readFileSync(path));
  return send(response, 200, readFileSync(path), type);
}
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const state = { paused: false, asked: new Map() };

/** In the slow scenario the first requests for an answer find it unfinished. */
function pendingOf(scenario, key) {
  if (scenario !== "slow") return null;
  const n = (state.asked.get(key) ?? 0) + 1;
  state.asked.set(key, n);
  if (n > 4) return null;
  const task = { code: "task", params: {}, text: "Factoring tok_emb of plain/ckpt-800" };
  return { pending: { job: "job-1", task, progress: n / 5, queued_before: 2 } };
}

const ROUTES = {
  catalogue: ({ scenario, query }) => data.catalogue(scenario, query.get("since")),
  metrics: () => ({ metrics: data.METRICS }),
  status: () => ({ state: "idle", paused: state.paused, current: null, n_queued: 0, n_restarts: 0 }),
  pause: () => ROUTES.status(),
  labels: ({ query }) => data.labels(query.get("matrix")),
  overview: ({ scenario }) => overview(scenario === "many" ? manyNames : data.seriesNames),
  spectra: ({ scenario, query }) => data.spectra(scenario, query.get("run"), query.get("matrix"), state),
  points: ({ scenario, query }) => data.points(scenario, Object.fromEntries(query)),
};

async function answerRoute(response, scenario, route, query) {
  const [head, selection, file] = route.split("/");
  if (head === "projector") return answerProjector(response, selection, file);
  if (head === "cancel") return sendJson(response, { cancelled: 1 });
  if (head === "pause") state.paused = query.get("on") === "1";
  if (!ROUTES[head]) return sendFile(response, staticDir, route);
  const pending = ["points", "labels"].includes(head) ? pendingOf(scenario, `${head} ${query}`) : null;
  if (pending) {
    await sleep(700);
    return sendJson(response, pending, 202);
  }
  const body = ROUTES[head]({ scenario, query });
  if (body.error?.code && !("version" in body)) return sendJson(response, body, 422);
  return Buffer.isBuffer(body) ? send(response, 200, body, "application/octet-stream") : sendJson(response, body);
}

async function answerProjector(response, selection, file) {
  const chosen = JSON.parse(Buffer.from(selection, "base64url").toString());
  if (file === "about") return sendJson(response, data.about(chosen, hasProjector));
  if (file === "runs") return sendJson(response, [chosen.run]);
  if (file === "info") return sendJson(response, data.projectorInfo(chosen));
  if (file === "bookmarks") return sendJson(response, []);
  if (file === "metadata") return send(response, 200, data.metadata(chosen.matrix), "text/plain");
  if (file === "tensor") return send(response, 200, data.tensor(chosen), "application/octet-stream");
  return sendFile(response, projectorDir, file);
}

createServer(async (request, response) => {
  const url = new URL(request.url, "http://localhost");
  const [, scenario, ...rest] = url.pathname.split("/");
  const path = rest.join("/");
  try {
    if (path === "") sendHtml(response, HOST, HOST_SCRIPT);
    else if (path === "data/plugin_entry.html") sendHtml(response, ENTRY, ENTRY_SCRIPT);
    else if (path.startsWith("data/plugin/embfactor/")) {
      await answerRoute(response, scenario, path.slice("data/plugin/embfactor/".length), url.searchParams);
    } else send(response, 404, "not found", "text/plain");
  } catch (error) {
    console.error(error);
    sendJson(response, { error: { code: "internal", params: {}, text: String(error) } }, 500);
  }
}).listen(port, "127.0.0.1", () => console.log(`http://localhost:${port}/plain/`));
