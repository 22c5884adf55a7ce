// Links quickjs.wasm and its side modules (dylink.0 shared libraries) into one WebAssembly module, at build time.
//
//   node tools/link-engine.mjs OUT.wasm EXPORT[,EXPORT…]
//
// What a dynamic linker would do at run time is done here once: every side module gets a fixed place for its data and its
// table slots, its undefined symbols are bound to the main module's exports, and all its start-up work is gathered in one
// exported function, `ext_init(ctx, rt)`. Exports nobody asked for are dropped. The conventions are those of
// https://github.com/WebAssembly/tool-conventions/blob/main/DynamicLinking.md.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [outFile, exportList] = process.argv.slice(2);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const npm = (...parts) => join(root, 'node_modules', ...parts);
const work = mkdtempSync(join(tmpdir(), 'link-engine-'));
const FEATURES = ['bulk-memory', 'mutable-globals', 'nontrapping-float-to-int', 'sign-ext', 'extended-const',
  'multivalue', 'reference-types', 'gc'].map((f) => `--enable-${f}`);

const SIDE_MODULES = ['encoding', 'structured-clone', 'url', 'crypto'];
// The main module keeps its stack below 1 MiB. Ours is moved elsewhere (see memory.h), which frees that range; its first
// 64 KiB stay empty so that a null pointer with a small offset reads zeros of nobody.
const DATA_START = 0x10000, DATA_END = 0x100000;
// What the host provides: src/engine/host.c has one C function for each.
const HOST_IMPORTS = new Set(['env.host_get_timezone_offset', 'env.host_interrupt', 'env.host_promise_rejection',
  'env.host_module_normalize', 'env.host_module_load', 'env.host_call',
  ...['clock_time_get', 'fd_close', 'fd_fdstat_get', 'fd_seek', 'fd_write', 'random_get']
    .map((f) => `wasi_snapshot_preview1.${f}`)]);

const binaryen = (tool, ...args) =>
  execFileSync(process.execPath, [npm('binaryen', 'bin', tool), ...FEATURES, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
const align = (n, a) => (n + a - 1) & ~(a - 1);

// ---- reading a module: just the sections the linker needs ----
function leb(bytes, pos) {
  let value = 0, shift = 0, byte;
  do { byte = bytes[pos++]; value |= (byte & 0x7f) << shift; shift += 7; } while (byte & 0x80);
  return [value >>> 0, pos];
}
function toLeb(n) {
  const out = [];
  do { out.push((n & 0x7f) | (n > 0x7f ? 0x80 : 0)); n >>>= 7; } while (n);
  return out;
}
function toSignedLeb(n) {
  const out = [];
  for (;;) {
    const byte = n & 0x7f;
    n >>= 7;
    if ((n === 0 && !(byte & 0x40)) || (n === -1 && byte & 0x40)) return [...out, byte];
    out.push(byte | 0x80);
  }
}
function sections(bytes) {
  const list = [];
  for (let pos = 8; pos < bytes.length;) {
    const id = bytes[pos++];
    let size; [size, pos] = leb(bytes, pos);
    list.push({ id, body: bytes.subarray(pos, pos + size) });
    pos += size;
  }
  return list;
}
class Reader {
  constructor(bytes) { this.b = bytes; this.p = 0; }
  u() { let v; [v, this.p] = leb(this.b, this.p); return v; }
  s() {
    let value = 0, shift = 0, byte;
    do { byte = this.byte(); value |= (byte & 0x7f) << shift; shift += 7; } while (byte & 0x80);
    return shift < 32 && byte & 0x40 ? value | (-1 << shift) : value;
  }
  byte() { return this.b[this.p++]; }
  name() { const n = this.u(); this.p += n; return Buffer.from(this.b.subarray(this.p - n, this.p)).toString(); }
  limits() { const f = this.byte(), min = this.u(); if (f & 1) this.u(); return min; }
}
const VALTYPE = { 0x7f: 'i32', 0x7e: 'i64', 0x7d: 'f32', 0x7c: 'f64' };
function readModule(file) {
  const bytes = readFileSync(file), mod = { imports: [], exports: new Map(), types: [], funcs: [], mem: 0, table: 0 };
  for (const { id, body } of sections(bytes)) {
    const r = new Reader(body);
    const many = (f) => { for (let n = r.u(); n > 0; n--) f(); };
    if (id === 0 && r.name() === 'dylink.0') {
      while (r.p < body.length) {
        const kind = r.byte(), end = r.u() + r.p;
        if (kind === 1) { mod.mem = r.u(); mod.memAlign = 1 << r.u(); mod.table = r.u(); }
        r.p = end;
      }
    } else if (id === 1) {
      many(() => {
        if (r.byte() !== 0x60) throw new Error('unexpected type form');
        const list = () => Array.from({ length: r.u() }, () => VALTYPE[r.byte()]);
        mod.types.push({ params: list(), results: list() });
      });
    } else if (id === 2) {
      many(() => {
        const imp = { module: r.name(), name: r.name(), kind: r.byte() };
        if (imp.kind === 0) { imp.type = r.u(); mod.funcs.push(imp.type); } else if (imp.kind === 1) { r.byte(); r.limits(); } else if (imp.kind === 2) r.limits(); else { r.byte(); r.byte(); }
        mod.imports.push(imp);
      });
    } else if (id === 3) many(() => mod.funcs.push(r.u()));
    else if (id === 4) many(() => { r.byte(); mod.tableSize = r.limits(); });
    else if (id === 5) many(() => { mod.pages = r.limits(); });
    else if (id === 7) many(() => { const name = r.name(); mod.exports.set(name, { kind: r.byte(), index: r.u() }); });
  }
  return mod;
}

// Writes `file` again with some sections' contents replaced: `edit` maps a section id to body -> new body.
function rewrite(file, out, edit) {
  const bytes = readFileSync(file), parts = [bytes.subarray(0, 8)];
  for (const { id, body } of sections(bytes)) {
    const content = edit[id]?.(body) ?? body;
    parts.push(Buffer.from([id, ...toLeb(content.length)]), content);
  }
  writeFileSync(out, Buffer.concat(parts));
}
// One table of `size` slots: the side modules' come after the main module's.
const tableOf = (size) => () => Buffer.from([1, 0x70, 0, ...toLeb(size)]);
// Data segments at `i32.const a, i32.const b, i32.add`, which wasm2c does not read, move to `i32.const a+b`.
function foldDataOffsets(body) {
  const r = new Reader(body), count = r.u(), parts = [Buffer.from(toLeb(count))];
  for (let n = 0; n < count; n++) {
    if (r.u() !== 0) throw new Error('data segment is not active');
    let sum = 0;
    for (let op; (op = r.byte()) !== 0x0b;) {
      if (op === 0x41) sum += r.s();
      else if (op !== 0x6a) throw new Error(`data offset uses opcode ${op}`);
    }
    const size = r.u();
    parts.push(Buffer.from([0, 0x41, ...toSignedLeb(sum), 0x0b, ...toLeb(size)]), body.subarray(r.p, r.p + size));
    r.p += size;
      }
  return Buffer.concat(parts);
}

function assemble(name, wat) {
  writeFileSync(join(work, `${name}.wat`), wat);
  binaryen('wasm-as', join(work, `${name}.wat`), '-o', join(work, `${name}.wasm`));
  return join(work, `${name}.wasm`);
}
function merge(out, inputs) {
  const file = join(work, out);
  binaryen('wasm-merge', ...inputs.flat(), '--rename-export-conflicts', '-o', file);
  return file;
}
const sig = (t) => [t.params.length ? `(param ${t.params.join(' ')})` : '', t.results.length ? `(result ${t.results.join(' ')})` : ''].join(' ');

try {
  const mainFile = npm('quickjs-wasi', 'quickjs.wasm'), main = readModule(mainFile);
  let dataEnd = DATA_START, tableEnd = main.tableSize;
  const linked = [], stubs = new Map(), init = [], gotTable = [], gotSlots = new Map();

  for (const name of SIDE_MODULES) {
    const file = npm('quickjs-wasi', 'extensions', name, `${name}.so`), mod = readModule(file);
    const memoryBase = align(dataEnd, 4096), tableBase = tableEnd;
    dataEnd = memoryBase + mod.mem;
    tableEnd += mod.table;
    // A global offset table entry holds a function's table slot, or 0 for what nobody defines (weak symbols).
    const got = { 'GOT.func': [], 'GOT.mem': [] };
    for (const imp of mod.imports.filter((i) => i.module in got)) {
      let slot = 0;
      if (imp.module === 'GOT.func' && main.exports.has(imp.name)) {
        if (!gotSlots.has(imp.name)) { gotSlots.set(imp.name, tableEnd); gotTable.push([imp.name, tableEnd++]); }
        slot = gotSlots.get(imp.name);
      }
      got[imp.module].push(`(global (export "${imp.name}") (mut i32) (i32.const ${slot}))`);
    }
    const base = assemble(`base-${name}`, `(module (global (export "__memory_base") i32 (i32.const ${memoryBase}))
      (global (export "__table_base") i32 (i32.const ${tableBase})))`);
    // Named `env` as well, the module also resolves the symbols it both imports and defines (C++ weak symbols).
    const inputs = [[base, 'env'], [file, 'env']];
    for (const [table, globals] of Object.entries(got)) if (globals.length) inputs.push([assemble(`${table}-${name}`, `(module ${globals.join('')})`), table]);
    linked.push([merge(`${name}.wasm`, inputs), name]);
    // Undefined symbols that nobody has are left-overs of the C++ library, never called; calling one is a trap.
    for (const imp of mod.imports) {
      const known = main.exports.has(imp.name) || mod.exports.has(imp.name) || HOST_IMPORTS.has(`${imp.module}.${imp.name}`);
      if (imp.kind === 0 && !known) stubs.set(imp.name, mod.types[imp.type]);
    }
    const calls = ['__wasm_apply_data_relocs', '__wasm_call_ctors'].filter((f) => mod.exports.has(f));
    init.push({ name, calls, init: `qjs_ext_${name.replaceAll('-', '_')}_init` });
  }
  if (dataEnd > DATA_END) throw new Error(`side modules need ${dataEnd - DATA_START} bytes, ${DATA_END - DATA_START} are free`);

  const imports = [], body = [];
  for (const { name, calls, init: fn } of init) {
    for (const f of calls) {
      imports.push(`(import "${name}" "${f}" (func $${name}.${f}))`);
      body.push(`(call $${name}.${f})`);
    }
    imports.push(`(import "${name}" "${fn}" (func $${name}.init (param i32 i32) (result i32)))`);
    body.push(`(if (call $${name}.init (local.get 0) (local.get 1)) (then (return (i32.const 1))))`);
  }
  const gotElems = gotTable.map(([name, slot]) => {
    const t = main.types[main.funcs[main.exports.get(name).index]];
    imports.push(`(import "env" "${name}" (func $got.${name} ${sig(t)}))`);
    return `(elem (i32.const ${slot}) func $got.${name})`;
  });
  const glue = assemble('glue', `(module ${imports.join('\n')}
    ${gotElems.length ? '(import "env" "__indirect_function_table" (table 0 funcref))' : ''} ${gotElems.join('\n')}
    (func (export "ext_init") (param i32 i32) (result i32) ${body.join('\n')} (i32.const 0)))`);
  const stubFile = assemble('stubs', `(module ${[...stubs].map(([name, t]) => `(func (export "${name}") ${sig(t)} unreachable)`).join('\n')})`);

  const bigTable = join(work, 'main.wasm');
  rewrite(mainFile, bigTable, { 4: tableOf(tableEnd) });
  const all = merge('all.wasm', [[bigTable, 'env'], [stubFile, 'env'], ...linked, [glue, 'glue']]);

  const kept = ['memory', '__stack_pointer', '__indirect_function_table', 'ext_init', ...exportList.split(',')];
  const have = readModule(all);
  for (const name of kept) if (!have.exports.has(name)) throw new Error(`no export ${name}`);
  writeFileSync(join(work, 'roots.json'), JSON.stringify(kept.map((name) => ({ name: `root:${name}`, root: true, export: name }))));
  binaryen('wasm-metadce', all, '--graph-file', join(work, 'roots.json'), '-o', join(work, 'pruned.wasm'));
  // Folds the constant bases into the code.
  binaryen('wasm-opt', join(work, 'pruned.wasm'), '--simplify-globals', '--remove-unused-module-elements', '-o', join(work, 'folded.wasm'));
  rewrite(join(work, 'folded.wasm'), outFile, { 11: foldDataOffsets });

  for (const i of readModule(outFile).imports) if (!HOST_IMPORTS.has(`${i.module}.${i.name}`)) throw new Error(`unresolved ${i.module}.${i.name}`);
} finally {
  rmSync(work, { recursive: true });
}
