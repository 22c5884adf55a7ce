// The clock is set back an hour while the service runs (tests/stepped.c): nothing is lost, nothing ends early or never.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { ask, completed, execute, scratch, serve, sleep, until } from '../service/service.mjs';
import { accepted, assertVerifies, ended, endless, fine, job } from './faults.mjs';

const program = resolve(process.env.STEPPED ?? 'build/neocompute-stepped');
const HOUR = 3_600_000;
const age = (reply) => Date.now() - Date.parse(reply.started_at);

test('set back an hour', async () => {
  const state = scratch();
  const service = await serve({ state, program, args: ['--jobs-result-ttl', '30m', '--jobs-cleanup-interval', '100ms'] });
  try {
    const key = { headers: { 'idempotency-key': 'k' } };
    const before = [];
    for (let i = 0; i < 3; i++) before.push(await completed(service, { script: fine }, i === 0 ? key : {}));
    assert.ok(before.every((reply) => age(reply) < 60_000));
    // These run when it happens: one to its end, one to its limit of time.
    const whole = await accepted(service, { script: 'function main() { const until = Date.now() + 1e9; for (let i = 0; i < 3e7; i++); return { ran: true } }', timeout: 60 });
    const limited = execute(service, { script: endless, timeout: 5 });
    const stepped = await until(async () => {
      const reply = await completed(service, { script: fine }, { user: 'probe' });
      if (age(reply) > HOUR / 2) return reply;
      await sleep(50);
      return null;
    }, 'the step', 15_000);
    assert.ok(age(stepped) < HOUR + 60_000);
    await sleep(300); // the cleanup comes by
    const after = [];
    for (let i = 0; i < 3; i++) after.push(await completed(service, { script: fine }));
    // Whatever was acknowledged is there, and receipts hold, from before and after.
    for (const reply of [...before, ...after]) {
      const { text, json } = await job(service, reply.job_id);
      assert.deepEqual(json, reply);
      await assertVerifies(service, text, { script: fine });
    }
    // The newest are the newest: ids go on ascending.
    const [last] = (await ask(service, 'GET', '/jobs?limit=1')).json;
    assert.equal(last.job_id, after.at(-1).job_id);
    const { json: list } = await ask(service, 'GET', '/jobs?status=completed&limit=3');
    assert.deepEqual(list.map(({ job_id: id }) => id), after.map(({ job_id: id }) => id).reverse());
    // The key is that job's still.
    assert.equal((await execute(service, { script: fine }, key)).json.job_id, before[0].job_id);
    // Time limits and durations are another clock's.
    const { json: cut } = await limited;
    assert.equal(cut.error_code, 'timeout');
    assert.match(cut.duration, /^(4\.99|5\.)\d*s$/); // the clocks of a job's start and of its limit tick in ms
    const { json: ran } = await ended(service, whole);
    assert.match(ran.duration, /^[\d.]+m?s$/);
    assert.deepEqual((await ask(service, 'GET', '/jobs?status=running')).json, []);
  } finally { await service.stop(); }
});

test('set back while the service was down: what was stored and what comes are both there', async () => {
  const state = scratch();
  const later = await serve({ state }); // an hour later than the next, as that sees it
  const old = await completed(later, { script: fine }, { headers: { 'idempotency-key': 'k' } });
  await later.stop();
  const service = await serve({ state, program });
  try {
    await sleep(3500);
    const now = await completed(service, { script: fine });
    assert.ok(age(now) > HOUR / 2);
    assert.deepEqual((await job(service, old.job_id)).json, old);
    assert.equal((await execute(service, { script: fine }, { headers: { 'idempotency-key': 'k' } })).json.job_id, old.job_id);
    // Ids are times: until the clock is where it was, new jobs stand behind the old ones.
    const { json: list } = await ask(service, 'GET', '/jobs');
    assert.deepEqual(list.map(({ job_id: id }) => id), [old.job_id, now.job_id]);
  } finally { await service.stop(); }
});
