// A process of the service is killed, stopped or told to end while jobs run: what callers see, and that whatever was
// acknowledged is there afterwards.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ask, completed, execute, processOf, processes, scratch, serve, sleep, until, workersOf } from '../service/service.mjs';
import { accepted, assertOver, assertVerifies, ended, endless, fine, job, killAll } from './faults.mjs';

// The worker that uses the processor is the one with the job.
async function busyWorker(service) {
  return until(() => workersOf(service).find(({ cpu }) => cpu >= 5), 'a busy worker');
}

// This takes half a minute, beside the others.
const silenced = (async () => {
  const state = scratch();
  const service = await serve({ state });
  const all = processes(service);
  const id = await accepted(service, { script: endless, timeout: 1 });
  process.kill(processOf(service, 'keeper').pid, 'SIGSTOP');
  const caller = execute(service, { script: fine }, { user: 'late' }).then((reply) => reply, (error) => error);
  return { state, service, all, id, caller };
})();

describe('a worker', () => {
  test('killed: its job says so, with a receipt; its neighbour and the next job run', async () => {
    const service = await serve({ state: scratch(), args: ['--jobs-workers', '2'] });
    try {
      const lost = execute(service, { script: endless });
      const { pid } = await busyWorker(service);
      const neighbour = accepted(service, { script: 'function main() { const until = Date.now() + 500; while (Date.now() < until); return 7 }' }, { user: 'bob' });
      await sleep(100);
      process.kill(pid, 'SIGKILL');
      const { status, json, text } = await lost;
      assert.deepEqual([status, json.status, json.error_code], [200, 'failed', 'worker_lost'], text);
      assert.ok(json.usage.wall_us > 0, text);
      await assertVerifies(service, text, { script: endless });
      await completed(service, { script: fine });
      assert.deepEqual((await ended(service, await neighbour, { user: 'bob' })).json.output, { result: 7 });
      assert.deepEqual((await job(service, json.job_id)).json, json);
    } finally { await service.stop(); }
  });

  test('killed while idle: nobody notices', async () => {
    const service = await serve({ args: ['--jobs-workers', '2', '--jobs-workers-idle', '2'] });
    try {
      await until(() => workersOf(service).length === 2, 'idle workers');
      for (let round = 0; round < 3; round++) {
        const idle = workersOf(service);
        for (const { pid } of idle) process.kill(pid, 'SIGKILL');
        // The keeper has heard of their ends once it has asked for others.
        await until(() => {
          const now = workersOf(service);
          return now.length === 2 && !now.some(({ pid }) => idle.some((worker) => worker.pid === pid));
        }, 'their successors');
        await completed(service, { script: fine });
      }
    } finally { await service.stop(); }
  });

  test('whose priority cannot be given back is replaced between two jobs, never during one', async () => {
    const nobody = process.getuid() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
    const service = await serve({ under: ['prlimit', '--nice=0:0', ...nobody] });
    try {
      const script = 'function main() { const until = Date.now() + 40; while (Date.now() < until); return {} }';
      for (let round = 0; round < 3; round++)
        await Promise.all(Array.from({ length: 20 }, (_, i) => completed(service, { script }, { user: `u${i}` })));
      assert.equal(service.events('priority_refused').length, 1);
    } finally { await service.stop(); }
  });

  test('stopped: the keeper\'s clock ends the job, and the worker', async () => {
    const service = await serve({ state: scratch() });
    try {
      const stuck = execute(service, { script: endless, timeout: 4 });
      const { pid } = await busyWorker(service);
      process.kill(pid, 'SIGSTOP');
      const { json, text } = await stuck;
      assert.deepEqual([json.status, json.error_code], ['failed', 'timeout'], text);
      await assertVerifies(service, text, { script: endless, timeout: '4' });
      await until(() => !processes(service).some((process) => process.pid === pid), 'its end');
      await completed(service, { script: fine });
    } finally { await service.stop(); }
  });
});

// A service in the middle of things: jobs that completed, run and wait; connections of every kind.
async function inTheMiddle(state) {
  const service = await serve({ state, args: ['--jobs-workers', '3', '--jobs-workers-idle', '3'] });
  const done = [], running = [];
  for (let i = 0; i < 3; i++) done.push(await completed(service, { script: `function main() { return ${i} }`, async: false }));
  for (let i = 0; i < 2; i++) running.push(await accepted(service, { script: endless, timeout: 60 }));
  const ofSync = execute(service, { script: endless, timeout: 60 }, { user: 'sync' }).then((reply) => reply, (error) => error);
  await until(async () => (await ask(service, 'GET', '/jobs?status=running', { user: 'sync' })).json[0], 'the synchronous job');
  // No worker is free for these.
  const waiting = [1, 2].map(() => execute(service, { script: fine }, { user: 'late' }).then((reply) => reply, (error) => error));
  const events = ask(service, 'GET', `/jobs/${running[0]}/events`).then((reply) => reply, (error) => error);
  await sleep(50);
  return { service, done, running, callers: [ofSync, ...waiting, events] };
}

// What was acknowledged is there: as it was, or interrupted, with a receipt that verifies.
async function assertKept(service, { done, running }) {
  for (const reply of done) assert.deepEqual((await job(service, reply.job_id)).json, reply);
  for (const id of running) {
    const { status, json, text } = await job(service, id);
    assert.deepEqual([status, json.job_id, json.status, json.error_code], [200, id, 'failed', 'interrupted'], text);
    await assertVerifies(service, text, { script: endless, timeout: '60' });
  }
  const { json: list } = await ask(service, 'GET', '/jobs');
  assert.deepEqual(list.map(({ job_id: id }) => id).sort(), [...done.map(({ job_id: id }) => id), ...running].sort());
  // Whoever waited synchronously has the record, too, and no slot of theirs is taken.
  const [sync] = (await ask(service, 'GET', '/jobs', { user: 'sync' })).json;
  assert.equal(sync.error_code, 'interrupted');
  assert.deepEqual((await ask(service, 'GET', '/jobs?status=running', { user: 'sync' })).json, []);
  await completed(service, { script: fine });
}

// No caller is left hanging, and none is told that a job came to something that it did not.
async function assertConnectionsEnded(callers) {
  const replies = await Promise.race([Promise.all(callers), sleep(3000).then(() => { throw new Error('a caller hangs'); })]);
  for (const reply of replies)
    assert.ok(reply instanceof Error || reply.status >= 500 || /event: end\n/.test(reply.text) === false, reply.text);
}

for (const victim of ['keeper', 'broker'])
  test(`${victim} killed: the service ends in order, and knows everything after a restart`, async () => {
    const state = scratch();
    const before = await inTheMiddle(state);
    const all = processes(before.service);
    process.kill(processOf(before.service, victim).pid, 'SIGKILL');
    await assertOver(before.service, all);
    await assertConnectionsEnded(before.callers);
    const [line] = before.service.events('process_ended').filter(({ of }) => of === victim);
    assert.equal(line?.signal, 9, before.service.text);
    const after = await serve({ state });
    try { await assertKept(after, before); } finally { await after.stop(); }
  });

test('egress killed, over and over: the service goes on, and has another each time', async () => {
  const service = await serve({ state: scratch() });
  const up = (count) => until(() => service.events('fenced').filter(({ of }) => of === 'egress').length === count, 'another one');
  try {
    const id = await accepted(service, { script: endless, timeout: 3 });
    const others = ['keeper', 'broker'].map((name) => processOf(service, name).pid);
    for (let round = 0; round < 4; round++) {
      await up(round + 1);
      process.kill(processOf(service, ': egress').pid, 'SIGKILL');
      await completed(service, { script: fine });
      await until(() => service.events('egress_lost').filter(({ process: of }) => of === 'supervisor').length === round + 1, 'word of it');
    }
    await up(5);
    assert.deepEqual(['keeper', 'broker'].map((name) => processOf(service, name).pid), others);
    assert.equal((await ended(service, id)).json.error_code, 'timeout');
  } finally { await service.stop(); }
});

test('the supervisor killed: all others end with it', async () => {
  const state = scratch();
  const before = await inTheMiddle(state);
  const all = processes(before.service);
  await before.service.kill();
  await until(() => all.every(({ pid }) => { try { process.kill(pid, 0); return false; } catch { return true; } }), 'the end of all', 2000);
  await assertConnectionsEnded(before.callers);
  const after = await serve({ state });
  try { await assertKept(after, before); } finally { await after.stop(); }
});

test('the whole service killed, twice in a row', async () => {
  const state = scratch();
  const before = await inTheMiddle(state);
  await killAll(before.service);
  await assertConnectionsEnded(before.callers);
  const between = await serve({ state });
  const again = await accepted(between, { script: endless, timeout: 60 }, { user: 'again' });
  await killAll(between);
  // Killed before it has recovered, too.
  const early = await serve({ state, wait: false });
  await sleep(30);
  await killAll(early);
  const after = await serve({ state });
  try {
    await assertKept(after, before);
    assert.equal((await job(after, again, { user: 'again' })).json.error_code, 'interrupted');
  } finally { await after.stop(); }
});

describe('SIGTERM while jobs run', () => {
  test('what can end within the grace, ends; nothing new begins', async () => {
    const service = await serve({ state: scratch(), args: ['--stop-grace', '5s'] });
    const all = processes(service);
    const body = { script: 'function main() { const until = Date.now() + 600; while (Date.now() < until); return 1 }' };
    const running = execute(service, body);
    await until(async () => (await ask(service, 'GET', '/jobs?status=running')).json[0], 'the running job');
    service.child.kill('SIGTERM');
    await until(() => service.events('stopping').length, 'its word');
    const late = await execute(service, { script: fine }, { user: 'late' }).catch((error) => error);
    assert.ok(late.code === 'ECONNREFUSED' || late.code === 'ECONNRESET' || late.json?.error_code === 'stopping', late.text ?? late);
    const { json } = await running;
    assert.deepEqual([json.status, json.output], ['completed', { result: 1 }]);
    assert.deepEqual(await service.ended, { status: 0, signal: null });
    assert.deepEqual(all.filter(({ pid }) => { try { process.kill(pid, 0); return true; } catch { return false; } }), []);
  });

  test('what cannot is interrupted, with a receipt, and says so afterwards', async () => {
    const state = scratch();
    const service = await serve({ state, args: ['--stop-grace', '300ms'] });
    const id = await accepted(service, { script: endless });
    const sync = execute(service, { script: endless }, { user: 'sync' });
    await until(async () => (await ask(service, 'GET', '/jobs?status=running', { user: 'sync' })).json[0], 'the synchronous job');
    service.child.kill('SIGTERM');
    const { json } = await sync;
    assert.deepEqual([json.status, json.error_code], ['failed', 'interrupted']);
    assert.ok(json.receipt);
    assert.deepEqual(await service.ended, { status: 0, signal: null });
    const after = await serve({ state });
    try {
      const { json: kept, text } = await job(after, id);
      assert.deepEqual([kept.status, kept.error_code], ['failed', 'interrupted']);
      await assertVerifies(after, text, { script: endless });
    } finally { await after.stop(); }
  });
});

test('the keeper stopped: callers do not wait for ever, and what was acknowledged is there after a restart', async () => {
  const { state, service, all, id, caller } = await silenced;
  await assertOver(service, all, 45_000);
  assert.equal(service.events('keeper_silent').length, 1);
  await assertConnectionsEnded([caller]);
  const after = await serve({ state });
  try { assert.equal((await job(after, id)).json.error_code, 'interrupted'); } finally { await after.stop(); }
});
