// Jobs: asynchronous, listed, read, cancelled, deleted, followed, idempotent, admitted in turn, kept and forgotten.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { ask, assertProblem, completed, execute, scratch, serve, sleep, until } from './service.mjs';

const fine = 'function main() { return { ok: true } }';
const endless = 'function main() { for (;;); }';
const job = (service, id, options) => ask(service, 'GET', `/jobs/${id}`, options);
const ended = (service, id, options) => until(async () => {
  const reply = await job(service, id, options);
  return reply.json?.status !== 'running' && reply;
}, `the end of ${id}`);

// A stream of server-sent events, read to its end or to `enough`: [{id, event, data}].
export function follow(service, path, { headers = {}, user = 'alice', enough = () => false } = {}) {
  return new Promise((resolve, reject) => {
    const events = [];
    const request = http.get(service.url + path, { agent: false, headers: { 'x-user-id': user, ...headers } }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
      assert.equal(response.headers['content-type'], 'text/event-stream');
      let text = '';
      response.setEncoding('utf8').on('data', (data) => {
        text += data;
        for (let at; (at = text.indexOf('\n\n')) >= 0; text = text.slice(at + 2)) {
          const lines = text.slice(0, at).split('\n').map((line) => line.match(/^(\w+): (.*)$/)).filter(Boolean);
          const event = Object.fromEntries(lines.map(([, name, value]) => [name, value]));
          if (event.event) events.push({ id: Number(event.id), event: event.event, data: JSON.parse(event.data) });
          if (enough(events)) request.destroy();
        }
      }).on('close', () => resolve(events));
    });
    request.on('error', (error) => (events.length ? resolve(events) : reject(error)));
  });
}

let service;
before(async () => { service = await serve({ state: scratch() }); });
after(() => service.stop());

describe('asynchronous', () => {
  for (const [how, body, headers] of [['by member', { async: true }, {}], ['by header', {}, { prefer: 'respond-async, wait=1' }]]) {
    test(`${how}: 202, then the result`, async () => {
      const reply = await execute(service, { script: fine, ...body }, { headers });
      assert.equal(reply.status, 202, reply.text);
      assert.equal(reply.json.status, 'running');
      assert.equal(reply.headers.location, `/jobs/${reply.json.job_id}`);
      const { json } = await ended(service, reply.json.job_id);
      assert.deepEqual([json.job_id, json.status, json.output], [reply.json.job_id, 'completed', { ok: true }]);
      assert.ok(json.receipt);
    });
  }

  test('it runs on when its caller is gone, and says so while it runs', async () => {
    const { json: { job_id: id } } = await execute(service, { script: endless, async: true, timeout: 1 });
    const running = (await job(service, id)).json;
    assert.deepEqual([running.job_id, running.status], [id, 'running']);
    assert.equal((await ended(service, id)).json.error_code, 'timeout');
  });
});

describe('reading', () => {
  test('another user\'s job is a job that never was', async () => {
    const { job_id: id } = await completed(service, { script: fine });
    const other = await job(service, id, { user: 'mallory' });
    const never = await job(service, '00000000-0000-7000-8000-000000000000', { user: 'mallory' });
    const { trace_id: a, ...theirs } = assertProblem(other, 404, 'job_not_found');
    const { trace_id: b, ...none } = assertProblem(never, 404, 'job_not_found');
    assert.deepEqual(theirs, none);
    assert.equal(theirs.message, 'job not found');
    assertProblem(await ask(service, 'DELETE', `/jobs/${id}`, { user: 'mallory' }), 404, 'job_not_found');
    assertProblem(await job(service, 'nonsense'), 404, 'job_not_found');
    assert.equal((await job(service, id)).status, 200);
  });

  test('a list, newest first, in pages', async () => {
    const ids = [];
    for (let i = 0; i < 5; i++) ids.unshift((await completed(service, { script: `function main() { return ${i} }` }, { user: 'lister' })).job_id);
    const failed = (await execute(service, { script: 'function main() { throw 1 }' }, { user: 'lister' })).json.job_id;
    ids.unshift(failed);
    const list = (query) => ask(service, 'GET', `/jobs${query}`, { user: 'lister' });
    assert.deepEqual((await list('')).json.map((entry) => entry.job_id), ids);
    const first = await list('?limit=4');
    assert.deepEqual(first.json.map((entry) => entry.job_id), ids.slice(0, 4));
    const next = first.headers.link.match(/^<(.*)>; rel="next"$/)[1];
    const second = await ask(service, 'GET', next, { user: 'lister' });
    assert.deepEqual(second.json.map((entry) => entry.job_id), ids.slice(4));
    assert.equal(second.headers.link, undefined);
    assert.deepEqual((await list('?status=failed')).json.map((entry) => entry.job_id), [failed]);
    assert.equal((await list('?status=completed&limit=2')).json.length, 2);
    assert.deepEqual((await ask(service, 'GET', '/jobs', { user: 'nobody-yet' })).json, []);
    for (const query of ['?limit=0', '?limit=1001', '?limit=x', '?status=lost', '?before=x']) assertProblem(await list(query), 400, 'bad_request');
  });

  test('delete', async () => {
    const { job_id: id } = await completed(service, { script: fine });
    const reply = await ask(service, 'DELETE', `/jobs/${id}`);
    assert.deepEqual([reply.status, reply.text], [204, '']);
    assertProblem(await job(service, id), 404, 'job_not_found');
    assertProblem(await ask(service, 'DELETE', `/jobs/${id}`), 404, 'job_not_found');
  });
});

describe('cancelling', () => {
  test('DELETE ends a running job, with a receipt', async () => {
    const { json: { job_id: id } } = await execute(service, { script: endless, async: true });
    assert.equal((await ask(service, 'DELETE', `/jobs/${id}`)).status, 204);
    const { json } = await job(service, id);
    assert.deepEqual([json.status, json.error_code], ['failed', 'cancelled']);
    assert.ok(json.receipt);
  });

  test('a caller who leaves cancels a synchronous job', async () => {
    const leaving = new AbortController();
    const asked = execute(service, { script: endless }, { user: 'leaver', signal: leaving.signal }).catch(() => null);
    const running = await until(async () => {
      const { json } = await ask(service, 'GET', '/jobs?status=running', { user: 'leaver' });
      return json[0];
    }, 'the running job');
    leaving.abort();
    await asked;
    assert.equal((await ended(service, running.job_id, { user: 'leaver' })).json.error_code, 'cancelled');
  });
});

describe('idempotency', () => {
  const key = { 'idempotency-key': 'k-1' };
  test('the same key and body is the same job', async () => {
    const body = { script: 'function main() { return { r: Math.random() } }' };
    const replies = await Promise.all([1, 2, 3].map(() => execute(service, body, { headers: key, user: 'idem' })));
    const later = await execute(service, body, { headers: key, user: 'idem' });
    for (const reply of [...replies, later]) assert.equal(reply.text, replies[0].text);
    assert.notEqual((await execute(service, body, { headers: key, user: 'other' })).json.job_id, later.json.job_id);
    const problem = assertProblem(await execute(service, { script: fine }, { headers: key, user: 'idem' }), 422, 'idempotency_mismatch');
    assert.match(problem.message, /idempotency key/);
  });

  test('an asynchronous job, while it runs and afterwards', async () => {
    const ask1 = () => execute(service, { script: 'function main() { for (let i = 0; i < 2e6; i++); return 1 }', async: true }, { headers: { 'idempotency-key': 'k-2' } });
    const first = await ask1();
    const second = await ask1();
    assert.equal(first.json.job_id, second.json.job_id);
    await ended(service, first.json.job_id);
    assert.equal((await ask1()).json.job_id, first.json.job_id);
  });

  test('a key of 256 bytes', async () =>
    assertProblem(await execute(service, { script: fine }, { headers: { 'idempotency-key': 'k'.repeat(256) } }), 400, 'bad_request'));
});

describe('events', () => {
  test('of a running job: status, logs as they come, the end', async () => {
    const { json: { job_id: id } } = await execute(service, { script: `function main() {
      console.log('one'); console.warn({ two: 2 });
      const until = Date.now() + 300; while (Date.now() < until);
      console.error('three\\n\\nlines'); return { ok: 1 } }`, async: true });
    const events = await follow(service, `/jobs/${id}/events`);
    assert.deepEqual(events.map(({ event }) => event), ['status', 'log', 'log', 'log', 'end']);
    assert.deepEqual(events.map((event) => event.id), [1, 2, 3, 4, 5]);
    assert.deepEqual(events.filter(({ event }) => event === 'log').map(({ data }) => [data.level, data.text]),
      [['log', 'one'], ['warn', '{ two: 2 }'], ['error', 'three\n\nlines']]);
    assert.equal(events.at(-1).data.status, 'completed');
    assert.deepEqual(events.at(-1).data, (await job(service, id)).json);
  });

  test('Last-Event-ID goes on where the caller was', async () => {
    const { json: { job_id: id } } = await execute(service, { script: `function main() { console.log(1); console.log(2);
      const until = Date.now() + 500; while (Date.now() < until); }`, async: true });
    await follow(service, `/jobs/${id}/events`, { enough: (events) => events.length === 2 });
    const rest = await follow(service, `/jobs/${id}/events`, { headers: { 'last-event-id': '2' } });
    assert.deepEqual(rest.map(({ event, data }) => [event, data.text]), [['log', '2'], ['end', undefined]]);
  });

  test('of a job that is over, and of none', async () => {
    const { job_id: id } = await completed(service, { script: fine });
    const events = await follow(service, `/jobs/${id}/events`);
    assert.equal(events.at(-1).event, 'end');
    assert.equal(events.at(-1).data.job_id, id);
    assertProblem(await ask(service, 'GET', `/jobs/${id}/events`, { user: 'mallory' }), 404, 'job_not_found');
  });
});

describe('admission', () => {
  test('five at a time for one user, and none for the sixth', async () => {
    const started = await Promise.all(Array.from({ length: 5 }, () => execute(service, { script: endless, async: true, timeout: 20 }, { user: 'five' })));
    for (const reply of started) assert.equal(reply.status, 202, reply.text);
    const refused = await execute(service, { script: fine }, { user: 'five' });
    const problem = assertProblem(refused, 429, 'too_many_jobs');
    assert.equal(problem.message, 'too many concurrent jobs (max 5)');
    assert.ok(Number(refused.headers['retry-after']) >= 1);
    // Another user's short script runs meanwhile.
    await completed(service, { script: fine }, { user: 'sixth' });
    await Promise.all(started.map(({ json }) => ask(service, 'DELETE', `/jobs/${json.job_id}`, { user: 'five' })));
    await completed(service, { script: fine }, { user: 'five' });
  });

  test('turns: one who queues five does not make another wait for all of them', async () => {
    const small = await serve({ args: ['--jobs-workers', '1', '--jobs-workers-idle', '1'] });
    try {
      const order = [];
      const spin = 'function main() { const until = Date.now() + 150; while (Date.now() < until); }';
      const first = execute(small, { script: spin }, { user: 'greedy' }).then(() => order.push('greedy'));
      await sleep(50);
      const rest = Array.from({ length: 4 }, () => execute(small, { script: spin }, { user: 'greedy' }).then(() => order.push('greedy')));
      await sleep(30);
      const modest = execute(small, { script: fine }, { user: 'modest' }).then(() => order.push('modest'));
      await Promise.all([first, ...rest, modest]);
      assert.ok(order.indexOf('modest') <= 2, order.join(' '));
    } finally { await small.stop(); }
  });

  test('a queue that is full', async () => {
    const small = await serve({ args: ['--jobs-workers', '1', '--jobs-waiting', '1'] });
    try {
      const long = () => execute(small, { script: endless, timeout: 2 }, { user: `u${Math.random()}` });
      const running = long();
      await sleep(200);
      const waiting = long();
      await sleep(100);
      const refused = await execute(small, { script: fine }, { user: 'late' });
      assertProblem(refused, 503, 'busy');
      assert.ok(Number(refused.headers['retry-after']) >= 1);
      await Promise.all([running, waiting]);
    } finally { await small.stop(); }
  });
});

describe('retention', () => {
  test('what has expired is gone', async () => {
    const short = await serve({ args: ['--jobs-result-ttl', '300ms', '--jobs-cleanup-interval', '100ms'] });
    try {
      const { job_id: id } = await completed(short, { script: fine });
      assert.equal((await job(short, id)).status, 200);
      await until(async () => (await job(short, id)).status === 404, 'its deletion');
    } finally { await short.stop(); }
  });
});
