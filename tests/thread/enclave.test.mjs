// The thread profile where Gramine's system calls are all there are, and memory has no protection (like_gramine.c): it runs jobs,
// ends those whose time is up, and every world is fresh although no write can be watched.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { ask, completed, execute, scratch, serve, until } from '../service/service.mjs';

const native = 'function main() { Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1) }';
const grows = 'function main() { const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1)) }';

let service;
before(async () => { service = await serve({ state: scratch(), under: [process.env.LIKE_GRAMINE, process.env.NO_GUARDS] }); });

test('no world holds what another left, in any page', async () => {
  const script = `const kept = [];
  function main() {
    const seen = [typeof globalThis.left, typeof Object.prototype.left, kept.length];
    globalThis.left = Object.prototype.left = 'x'.repeat(1e6);
    for (let i = 0; i < 1000; i++) kept.push({ i });
    Array.prototype.push = Math.random = JSON.stringify = null;
    return { seen };
  }`;
  for (let i = 0; i < 40; i++) {
    const all = await Promise.all([0, 1, 2, 3].map((n) => completed(service, { script }, { user: `user-${n}` })));
    for (const { output } of all) assert.deepEqual(output, { seen: ['undefined', 'undefined', 0] });
  }
});

test('time and memory are limited', async () => {
  const [late, large] = await Promise.all([execute(service, { script: native, timeout: 1 }), execute(service, { script: grows })]);
  assert.deepEqual([late.json.error_code, large.json.error_code], ['timeout', 'out_of_memory']);
});

test('out of bounds and off the stack are errors of the script', async () => {
  const { json } = await execute(service, { script: 'function main() { (function f() { f() })() }' });
  assert.deepEqual([json.error_code, /RangeError|stack/.test(json.error)], ['execution_error', true]);
});

test('a cancelled job ends', async () => {
  const { json } = await execute(service, { script: native, timeout: 60, async: true });
  await until(async () => (await ask(service, 'GET', `/jobs/${json.job_id}`)).json.status === 'running', 'it runs');
  await ask(service, 'DELETE', `/jobs/${json.job_id}`);
  await until(async () => (await ask(service, 'GET', `/jobs/${json.job_id}`)).json.status !== 'running', 'its end');
});

test('and a stop is in order', async () => {
  assert.deepEqual(await service.stop(), { status: 0, signal: null }, service.text);
});
