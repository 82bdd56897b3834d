// Bundles three.js for the live page: `npm ci && npm run build`.  `npm run check` says whether the committed bundle is
// what the locked packages give.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const folder = fileURLToPath(new URL(".", import.meta.url));
const read = (path) => readFileSync(folder + path, "utf8");
const { version } = JSON.parse(read("node_modules/three/package.json"));
const { outputFiles: [bundle] } = await build({
  absWorkingDir: folder, entryPoints: ["entry.js"], bundle: true, minify: true, format: "esm", target: "es2022",
  legalComments: "none", write: false,
  banner: { js: `/* three.js ${version}, the parts that entry.js names.  MIT licence: see LICENSE.three. */` },
});
const made = { "three.js": bundle.text, "LICENSE.three": read("node_modules/three/LICENSE") };
for (const [name, text] of Object.entries(made)) {
  if (!process.argv.includes("--check")) writeFileSync(folder + name, text);
  else if (read(name) !== text) throw new Error(`${name} is not what the locked packages give: npm run build`);
}
console.log(`three.js ${version}: ${bundle.text.length} characters`);
