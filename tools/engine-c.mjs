// The engine's C from its WebAssembly: `node tools/engine-c.mjs OUT_DIR EXPORT,EXPORT…` leaves engine.wasm, guest_module.h and
// guest_prepared.c in OUT_DIR. The three steps take half a minute and depend on little, so the result is kept under
// .cache/engine, named by the hash of everything that went into it.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [outDir, exportList] = process.argv.slice(2);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const tool = (name) => join(root, 'tools', name);
const RESULTS = ['engine.wasm', 'guest_module.h', 'guest_prepared.c'];

const wasm2cVersion = execFileSync('wasm2c', ['--version']).toString().trim();
const hash = createHash('sha256').update(`${wasm2cVersion}\n${exportList}\n`);
for (const name of ['package-lock.json', 'tools/engine-c.mjs', 'tools/link-engine.mjs', 'tools/prepare-engine.mjs']) {
  hash.update(`${name}\n`).update(readFileSync(join(root, name)));
}
const cache = join(root, '.cache', 'engine', hash.digest('hex').slice(0, 32));

if (!existsSync(cache)) {
  mkdirSync(dirname(cache), { recursive: true });
  const work = mkdtempSync(`${cache}.`);
  const node = (...args) => execFileSync(process.execPath, args, { stdio: 'inherit' });
  node(tool('link-engine.mjs'), join(work, 'engine.wasm'), exportList);
  execFileSync('wasm2c', [join(work, 'engine.wasm'), '-n', 'guest', '-o', join(work, 'guest_module.c')], { stdio: 'inherit' });
  node(tool('prepare-engine.mjs'), join(work, 'guest_module.c'), join(work, 'guest_prepared.c'));
  // Whole or not at all, also when two builds do this at once.
  try { renameSync(work, cache); } catch { rmSync(work, { recursive: true }); }
}
mkdirSync(outDir, { recursive: true });
for (const name of RESULTS) copyFileSync(join(cache, name), join(outDir, name));
