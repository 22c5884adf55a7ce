// The HTTP/1.1 parser's C from its WebAssembly: `node tools/http-parser-c.mjs OUT_DIR` leaves llhttp_module.c and llhttp_module.h in
// OUT_DIR. The parser is Node's own, llhttp, as the npm package undici carries it. Which wasm2c and which undici made the result is
// in the name of its place under .cache/llhttp, as with the engine (tools/engine-c.mjs).
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [outDir] = process.argv.slice(2);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const RESULTS = ['llhttp_module.h', 'llhttp_module.c'];

// Each rewrite says how often it must match, so another undici or another wasm2c fails the build here instead of misbehaving later.
function once(what, text, pattern, replacement) {
  const found = text.match(new RegExp(pattern, 'g'))?.length ?? 0;
  if (found !== 1) throw new Error(`${what}: found ${found}, expected one`);
  return text.replace(pattern, replacement);
}

function generate(dir) {
  const wasm = createRequire(import.meta.url)(join(root, 'node_modules/undici/lib/llhttp/llhttp-wasm.js'));
  writeFileSync(join(dir, 'llhttp.wasm'), wasm);
  const c = join(dir, 'llhttp_module.c'), h = join(dir, 'llhttp_module.h');
  execFileSync('wasm2c', [join(dir, 'llhttp.wasm'), '-n', 'llhttp', '-o', c], { stdio: 'inherit' });
  const code = readFileSync(c, 'utf8');
  // What src/http/llhttp.c has to know of the module: the size of a parser, of linear memory and of the function table.
  const number = (what, pattern) => {
    const match = pattern.exec(code);
    if (!match) throw new Error(`${what} not found`);
    return match[1];
  };
  const facts = [
    ['LLHTTP_PARSER_BYTES', number('size of a parser', /^static u32 w2c_llhttp_alloc\([^)]*\) \{\n(?:.*;\n){3} {2}w2c_i0 = (\d+)u;\n/m)],
    ['LLHTTP_PAGES', number('memory', /wasm_rt_allocate_memory\(&instance->w2c_memory, (\d+), \d+\);/)],
    ['LLHTTP_TABLE', number('table', /wasm_rt_allocate_funcref_table\(&instance->w2c___indirect_function_table, (\d+), \d+\);/)],
  ];
  // Its run time is ours (names of its own: the engine's may be in the same program).
  writeFileSync(h, once('run time', readFileSync(h, 'utf8'), /#include "wasm-rt.h"\n/,
    `#include "http/llhttp_rt.h"\n\n${facts.map(([name, value]) => `#define ${name} ${value}u\n`).join('')}`));
}

const hash = createHash('sha256').update(execFileSync('wasm2c', ['--version']));
for (const name of ['package-lock.json', 'tools/http-parser-c.mjs']) hash.update(`${name}\n`).update(readFileSync(join(root, name)));
const cache = join(root, '.cache', 'llhttp', hash.digest('hex').slice(0, 32));
if (!existsSync(cache)) {
  mkdirSync(dirname(cache), { recursive: true });
  const work = mkdtempSync(`${cache}.`);
  generate(work);
  // Whole or not at all, also when two builds do this at once.
  try { renameSync(work, cache); } catch { rmSync(work, { recursive: true }); }
}
mkdirSync(outDir, { recursive: true });
for (const name of RESULTS) copyFileSync(join(cache, name), join(outDir, name));
