// Prepares wasm2c's output for our run time: `node tools/prepare-engine.mjs GENERATED.c OUT.c`.
//
// The generated C is correct as it stands; these rewrites make it faster and count its work. Each names what it looks for and
// how often that must be there, so another engine or another wasm2c fails the build here instead of misbehaving later.
import { readFileSync, writeFileSync } from 'node:fs';

const [source, target] = process.argv.slice(2);
let text = readFileSync(source, 'utf8');

function replace(what, pattern, replacement, atLeast) {
  let count = 0;
  text = text.replace(pattern, (...match) => { count++; return typeof replacement === 'function' ? replacement(...match) : replacement; });
  if (count < atLeast || (atLeast === 1 && count !== 1)) throw new Error(`${what}: found ${count}, expected ${atLeast === 1 ? 'one' : `at least ${atLeast}`}`);
}

// 1. Our definitions of loads, stores, traps and metering take over from the generated ones.
replace('module state', /^static bool s_module_initialized = false;$/m, (line) => `#include "engine/guest_rt.h"\n${line}`, 1);

// 2. One unit of work at every jump back, and at every entry of a function that can call others: whatever goes on for ever does one
// of the two again and again, and between two units lies only straight-line code.
replace('jumps back', /goto (w2c_L\d+);/g, (_, label) => `{ METER(); goto ${label}; }`, 1000);
replace('function entries', /^ {2}FUNC_PROLOGUE;\n([^]*?)^ {2}FUNC_EPILOGUE;$/gm, (whole, body) =>
  (/\b(w2c_f\d+|CALL_INDIRECT|\(\*Z_\w+\))\(/.test(body) ? whole : body + '  FUNC_EPILOGUE;'), 1000);

// 3. The shadow stack pointer is checked wherever it is set: running off the stack is a trap, not a write into the heap.
replace('stack pointer', /^( +)instance->w2c___stack_pointer = (w2c_\w+);$/gm, (_, indent, value) => `${indent}SET_STACK_POINTER(${value});`, 1000);

// 4. There is one instance a thread: its address is a constant, not an argument to carry around.
const code = text.search(/^static \w+ w2c_\w+\([^;]*\) \{$/m);
let instances = 0;
text = text.slice(0, code) + text.slice(code).replace(/\binstance->w2c_/g, () => { instances++; return 'guest.w2c_'; });
if (instances < 10000) throw new Error(`instance accesses: ${instances}`);

// 5. Every way into the guest loads the meter, every way out stores it (see guest_rt.h).
replace('exports that return', /^ {2}return (w2c_\w+\(instance[^\n]*\));\n\}/gm, (_, call) => `  ENTER_GUEST(${call});\n}`, 20);
replace('start function', /^ {2}(w2c_f\d+\(instance\));\n\}\n\nvoid Z_guest_free/m, (_, call) => `  ENTER_GUEST_VOID(${call});\n}\n\nvoid Z_guest_free`, 1);
replace('exports without a result', /^(void Z_guestZ_\w+\([^)]*\) \{\n) {2}ENTER_GUEST\(/gm, (_, head) => `${head}  ENTER_GUEST_VOID(`, 2);

replace('imports with a result', /= (\(\*Z_\w+\)\(instance->[^\n]*\));$/gm, (_, call) => `= LEAVE_GUEST(${call});`, 10);
replace('imports without a result', /^( +)(\(\*Z_\w+\)\(instance->[^\n]*\));$/gm, (_, indent, call) => `${indent}LEAVE_GUEST_VOID(${call});`, 1);

// 6. The interpreter's dispatch. clang lowered QuickJS's computed gotos to one shared `switch` over a table in linear memory;
// this turns it back into one indirect jump after every bytecode, over a constant table outside the guest's reach.
const dispatch = new RegExp([
  /^ +(w2c_L\d+): *;?\n/, // the loop that executes one bytecode a round
  /((?: +w2c_[a-z]\d+ .*;\n)+?)/, // straight-line code that loads the opcode into w2c_i1
  / +w2c_i2 = 2u;\n +w2c_i1 <<= .*\n +w2c_i1 = i32_load\(&guest\.w2c_memory, \(u64\)\(w2c_i1\) \+ (\d+)u\);\n/, // its label number
  / +w2c_i2 = (\d+)u;\n +w2c_i1 -= w2c_i2;\n +switch \(w2c_i1\) \{\n/,
  /((?: +case \d+: goto w2c_B\d+;\n){200,}) +default: goto (w2c_B\d+);\n +\}\n/,
].map((r) => r.source).join(''), 'm').exec(text);
if (!dispatch) throw new Error('interpreter dispatch not found');
const [whole, label, load, tableAddress, bias, cases, fallback] = dispatch;

const segment = new RegExp(`LOAD_DATA\\([^,]*, ${tableAddress}u, (data_segment_data_\\w+), (\\d+)\\)`).exec(text);
if (!segment || Number(segment[2]) < 1024) throw new Error('dispatch table not found');
const bytes = new RegExp(`static const u8 ${segment[1]}\\[\\] = \\{([^}]*)\\}`).exec(text)[1].match(/0x[0-9a-f]{2}/g).map(Number);
const targets = new Map([...cases.matchAll(/case (\d+): goto (w2c_B\d+)/g)].map(([, n, to]) => [Number(n), to]));
const labels = Array.from({ length: 256 }, (_, op) => {
  const number = bytes[op * 4] | bytes[op * 4 + 1] << 8 | bytes[op * 4 + 2] << 16 | bytes[op * 4 + 3] << 24;
  return targets.get(number - Number(bias)) ?? fallback;
});
const next = `{ METER(); ${load.trim().split('\n').map((l) => l.trim()).join(' ')} goto *dispatch[w2c_i1 & 255]; }`;

const begin = text.lastIndexOf('\nstatic ', dispatch.index), end = text.indexOf('\n}\n', dispatch.index);
const interpreter = text.slice(begin, end)
  .replace(whole, `static const void *const dispatch[256] = {${labels.map((l) => `&&${l}`).join(', ')}};\n${next}\n`)
  .replaceAll(`{ METER(); goto ${label}; }`, next);
if (interpreter.includes(`goto ${label};`)) throw new Error('a jump to the dispatch loop was missed');
text = text.slice(0, begin) + interpreter + text.slice(end);

text += '\n#include "engine/guest_rt_end.h"\n';
writeFileSync(target, text);
