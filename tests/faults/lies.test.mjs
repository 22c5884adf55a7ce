// A worker that lies (tests/liar.c): its caller hears worker_lied, with a receipt; the worker is replaced, and nobody else
// notices. The script names the lie.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ask, completed, execute, scratch, serve, until, workersOf } from '../service/service.mjs';
import { accepted, assertVerifies, ended, job } from './faults.mjs';

let service;
before(async () => {
  const env = { NEOCOMPUTE_WORKER: resolve(process.env.LIAR ?? 'build/tests/liar') };
  service = await serve({ state: scratch(), env, args: ['--jobs-workers', '2', '--jobs-workers-idle', '1'] });
});
after(() => service?.stop());

const lies = ['forged length', 'long length', 'short body', 'other id', 'ready again', 'bad text', 'bad result', 'not json', 'two values',
  'too much', 'many logs', 'bad log', 'long log', 'other log', 'job', 'many steps', 'long time'];

describe('a lie', () => {
  for (const lie of lies) test(lie, async () => {
    const before = workersOf(service).map(({ pid }) => pid);
    const { status, json, text } = await execute(service, { script: lie, timeout: 2 });
    assert.deepEqual([status, json.status, json.error_code], [200, 'failed', 'worker_lied'], text);
    // Nothing of what it said is in the reply, but the log entries that it was allowed.
    const { output, output_hash: hash, encrypted_output: sealed, logs } = json;
    assert.deepEqual([output, hash, sealed], [undefined, undefined, undefined]);
    assert.ok(logs.length <= 100, text);
    await assertVerifies(service, text, { script: lie, timeout: '2' });
    assert.deepEqual((await job(service, json.job_id)).json, json);
    assert.deepEqual((await completed(service, { script: 'truth' })).output, { sum: 5 });
    await until(() => workersOf(service).some(({ pid }) => !before.includes(pid)), 'another worker');
  });

  test('of an asynchronous job', async () => {
    const id = await accepted(service, { script: 'two values' });
    const { json, text } = await ended(service, id);
    assert.equal(json.error_code, 'worker_lied');
    await assertVerifies(service, text, { script: 'two values' });
  });

  test('told after the truth: the job is what it was, the worker goes', async () => {
    const failures = () => service.events('worker_failed').length;
    const failed = failures();
    assert.deepEqual((await completed(service, { script: 'twice' })).output, { sum: 5 });
    await until(() => failures() > failed, 'its end');
    assert.deepEqual((await completed(service, { script: 'truth' })).output, { sum: 5 });
  });
});

describe('what is no lie, but no better', () => {
  for (const [script, code] of [['quit', 'worker_lost'], ['half', 'worker_lost'], ['nothing', 'worker_lost'], ['hang', 'timeout']])
    test(script, async () => {
      const { json, text } = await execute(service, { script, timeout: 1 });
      assert.deepEqual([json.status, json.error_code], ['failed', code], text);
      assert.ok(json.usage.wall_us > 0, text);
      await assertVerifies(service, text, { script, timeout: '1' });
      await completed(service, { script: 'truth' });
    });
});

test('liars side by side with honest workers', async () => {
  const replies = await Promise.all(Array.from({ length: 40 }, (_, i) =>
    execute(service, { script: i % 2 === 0 ? 'truth' : 'not json' }, { user: `user-${i}` })));
  for (const [i, { json, text }] of replies.entries())
    assert.equal(json.error_code, i % 2 === 0 ? undefined : 'worker_lied', text);
  const { json: info } = await ask(service, 'GET', '/info');
  assert.ok(info);
});

test('a program that is no worker: the service does not start, and says so', async () => {
  const other = await serve({ wait: false, env: { NEOCOMPUTE_WORKER: '/bin/true' } });
  const { status } = await other.ended;
  assert.equal(status, 1);
  assert.ok(other.log.some(({ error }) => /engine_start/.test(JSON.stringify(error) ?? '')) || /engine_start/.test(other.text), other.text);
  const none = await serve({ wait: false, env: { NEOCOMPUTE_WORKER: '/nowhere/worker' } });
  assert.equal((await none.ended).status, 1);
  assert.match(none.events('not_started')[0].reason, /\/nowhere\/worker: No such file/);
});
