// Builds src/index.ts into ../tb_embfactor/static: index.js and the licences of what it contains.
// The output depends on nothing but the sources and the pinned packages, so a fresh build can be compared byte by byte.
// --out DIR writes elsewhere; --watch builds again on every change.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const outAt = process.argv.indexOf("--out");
const outDir = outAt > 0 ? resolve(process.argv[outAt + 1]) : resolve(root, "../tb_embfactor/static");
const maxGzippedBytes = 250 * 1024;

/** Style sheets become minified text, put into a <style> by the entry module. */
const cssText = {
  name: "css-text",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(await readFile(path, "utf8"), { loader: "css", minify: true });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

const options = {
  absWorkingDir: root,
  entryPoints: ["src/index.ts"],
  outfile: join(outDir, "index.js"),
  bundle: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  banner: { js: "/* tb_embfactor; licences of bundled packages: THIRD_PARTY_LICENSES.txt */" },
  metafile: true,
  logLevel: "warning",
  plugins: [cssText],
};

async function licences(metafile) {
  const names = new Set();
  for (const input of Object.keys(metafile.inputs)) {
    const match = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match) names.add(match[1]);
  }
  const parts = [];
  for (const name of [...names].sort()) {
    const folder = join(root, "node_modules", name);
    const manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const file = (await readdir(folder)).sort().find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} has no licence file`);
    const text = (await readFile(join(folder, file), "utf8")).replace(/\r\n/g, "\n").trim();
    parts.push(`${name} ${manifest.version} (${manifest.license})\n${"-".repeat(72)}\n${text}\n`);
  }
  return `index.js contains these packages.\n\n${parts.join("\n\n")}`;
}

await mkdir(outDir, { recursive: true });
if (process.argv.includes("--watch")) {
  const context = await esbuild.context(options);
  await context.watch();
} else {
  const { metafile } = await esbuild.build(options);
  await writeFile(join(outDir, "THIRD_PARTY_LICENSES.txt"), await licences(metafile));
  const bytes = gzipSync(await readFile(join(outDir, "index.js")), { level: 9 }).length;
  console.log(`index.js: ${(bytes / 1024).toFixed(1)} KB gzipped`);
  if (bytes > maxGzippedBytes) throw new Error(`index.js has ${bytes} bytes gzipped; the limit is ${maxGzippedBytes}`);
}
