// What is true of the thread profile only: it says what it is, a thread that must end does, and its worlds are fresh.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { ask, completed, execute, processes, scratch, serve, sleep, until } from '../service/service.mjs';

const fine = 'function main() { return { ok: true } }';
const forever = 'function main() { for (;;); }';
// The engine does not poll in there: it is left by force.
const native = 'function main() { Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1) }';

let service;
before(async () => { service = await serve({ state: scratch(), args: ['--log-level', 'debug'] }); });
after(() => service?.stop());

const threads = () => readdirSync(`/proc/${service.pid}/task`).map((id) => readFileSync(`/proc/${service.pid}/task/${id}/comm`, 'latin1').trim());
const descriptors = () => readdirSync(`/proc/${service.pid}/fd`).length;
const memory = () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${service.pid}/status`, 'utf8'))[1]) / 1024;

test('it is one process, and its roles are threads', () => {
  assert.equal(processes(service).length, 1);
  for (const name of ['keeper', 'broker', 'egress', 'worker']) assert.ok(threads().includes(name), threads().join());
});

test('it says so: in the log, in /info, in receipts and in the document they name', async () => {
  assert.equal(service.events('no_fence')[0].isolation, 'thread');
  const { json: info } = await ask(service, 'GET', '/info');
  assert.equal(info.isolation.profile, 'thread');
  assert.deepEqual([info.isolation.held, info.isolation.broker], [[], []]);
  const { receipt } = await completed(service, { script: fine });
  assert.equal(JSON.parse(Buffer.from(receipt.split('.')[0], 'base64url')).iso, 'thread');
  const { json: attested } = await ask(service, 'GET', '/attestation');
  assert.equal(JSON.parse(Buffer.from(attested.document, 'base64url')).iso, 'thread');
});

test('the command line needs a worker of its own, and says that there is none', async () => {
  const { spawnSync } = await import('node:child_process');
  const { binary, file } = await import('../lib.mjs');
  const run = spawnSync(binary, ['run', file(fine)], { encoding: 'utf8' });
  assert.equal(run.status, 3, run.stderr);
});

describe('time', () => {
  for (const [name, script] of Object.entries({ 'a script that polls': forever, 'one that does not': native })) {
    test(name, async () => {
      const { json } = await execute(service, { script, timeout: 1 });
      assert.equal(json.error_code, 'timeout');
      assert.ok(json.usage.wall_us >= 1e6 && json.receipt);
    });
  }

  test('many at once: each by itself, and others run', async () => {
    const late = Array.from({ length: 12 }, (_, i) => execute(service, { script: i % 2 ? native : forever, timeout: 1 }, { user: `late-${i}` }));
    for (let i = 0; i < 20; i++) await completed(service, { script: fine }, { user: `modest-${i}` });
    for (const { json } of await Promise.all(late)) assert.equal(json.error_code, 'timeout');
  });

  test('a cancelled job: its thread ends, too', async () => {
    const { json } = await execute(service, { script: native, timeout: 60, async: true }, { user: 'canceller' });
    await until(async () => (await ask(service, 'GET', `/jobs/${json.job_id}`, { user: 'canceller' })).json.status === 'running', 'it runs');
    const before = service.events('worker_ended').length;
    await ask(service, 'DELETE', `/jobs/${json.job_id}`, { user: 'canceller' });
    await until(() => service.events('worker_ended').length > before, 'its worker ends', 4000);
  });
});

test('each execution is in a fresh world, whichever thread had it', async () => {
  const script = `function main() {
    const seen = typeof globalThis.left + typeof Object.prototype.left + Array.prototype.slice.call([1]).length;
    globalThis.left = Object.prototype.left = 'x'.repeat(1e6);
    Array.prototype.slice = () => [];
    return { seen };
  }`;
  const all = [];
  for (let i = 0; i < 60; i++) all.push(...await Promise.all([0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => completed(service, { script }, { user: `fresh-${n}` }))));
  assert.deepEqual(new Set(all.map(({ output }) => output.seen)), new Set(['undefinedundefined1']));
});

test('secrets and egress by way of descriptors that are numbers', async () => {
  const { json } = await execute(service, { script: 'async function main() { const r = await fetch("http://127.0.0.1:1/"); return { s: r.status } }' });
  assert.equal(json.status, 'failed'); // egress was asked, and may not go there
  assert.match(json.error_code, /^(fetch_|execution_error)/);
});

test('workers that end leave nothing behind', async () => {
  const eat = { script: 'function main() { const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1)) }', limits: { memory_mb: 256 } };
  const round = () => Promise.all([0, 1].map((i) => execute(service, i ? { script: native, timeout: 1 } : eat, { user: `eater-${i}` })));
  await round();
  await sleep(300);
  const had = { descriptors: descriptors(), memory: memory() };
  for (let i = 0; i < 6; i++) await round();
  await until(() => descriptors() <= had.descriptors + 2, 'descriptors are closed');
  await until(() => memory() < had.memory + 64, `memory is given back: ${memory()} MiB, ${had.memory} before`);
});

test('a stop ends scripts that do not end', async () => {
  const other = await serve({ args: ['--stop-grace', '100ms'] });
  const late = execute(other, { script: native, timeout: 60 });
  await sleep(300);
  assert.deepEqual(await other.stop(), { status: 0, signal: null });
  assert.equal((await late).json.error_code, 'interrupted');
  assert.equal(other.events('thread_stuck').length, 0, other.text);
});
