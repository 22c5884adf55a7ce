// What a caller may do all at once, or at the wrong moment, without the service or another caller paying for it.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { ask, assertProblem, completed, execute, scratch, serve, sleep, until } from './service.mjs';

const fine = 'function main() { return { ok: true } }';
const large = 'function main() { return "x".repeat(1048000) }';
const longest = `function main() { for (let i = 0; i < 100; i++) console.log('\\u0001'.repeat(4096)); return 'x'.repeat(1048000) }`;
const ended = (service, id, options) => until(async () => {
  const reply = await ask(service, 'GET', `/jobs/${id}`, options);
  return reply.json?.status !== 'running' && reply;
}, `the end of ${id}`);

// A stream of server-sent events, as text, to its end.
async function events(service, id, options = {}) {
  return (await ask(service, 'GET', `/jobs/${id}/events`, options)).text;
}
const names = (text) => [...text.matchAll(/^event: (\w+)$/gm)].map(([, name]) => name);

let service;
before(async () => { service = await serve({ state: scratch() }); });
after(() => service.stop());

describe('many reads of large jobs at once', () => {
  const user = 'reader';
  let id;
  before(async () => { for (let i = 0; i < 5; i++) ({ job_id: id } = await completed(service, { script: large }, { user })); });

  test('on connections of their own', async () => {
    const paths = Array.from({ length: 60 }, (_, i) => (i % 2 ? '/jobs' : `/jobs/${id}`));
    const replies = await Promise.all(paths.map((path) => ask(service, 'GET', path, { user })));
    for (const { status, text } of replies) assert.equal(status, 200, text.slice(0, 200));
    await completed(service, { script: fine });
  });

  test('on one connection of HTTP/2', async () => {
    const session = http2.connect(service.url);
    const one = () => new Promise((resolve, reject) => {
      let bytes = 0, status;
      session.request({ ':path': '/jobs', 'x-user-id': user }).on('response', (headers) => { status = headers[':status']; })
        .on('data', (data) => { bytes += data.length; }).on('error', reject).on('end', () => resolve({ status, bytes })).end();
    });
    const replies = await Promise.all(Array.from({ length: 60 }, one));
    session.close();
    for (const { status, bytes } of replies) assert.ok(status === 200 && bytes > 4e6, `${status} ${bytes}`);
  });

  test('of a job by its idempotency key', async () => {
    const again = () => execute(service, { script: large }, { user, headers: { 'idempotency-key': 'large' } });
    const { json } = await again();
    for (const reply of await Promise.all(Array.from({ length: 60 }, again))) assert.equal(reply.json.job_id, json.job_id);
  });
});

test('callers who do not read what they asked for do not fill the memory; what they leave is free again', async (t) => {
  const crowded = await serve(), user = 'deaf';
  try {
    // A page of 7 MB: of less, the kernel takes most.
    for (let i = 0; i < 2; i++) await completed(crowded, { script: longest }, { user });
    const sockets = Array.from({ length: 200 }, () => {
      const socket = net.connect(crowded.port, '127.0.0.1').on('error', () => {}).pause();
      socket.write(`GET /jobs HTTP/1.1\r\nHost: x\r\nX-User-ID: ${user}\r\n\r\n`);
      return socket;
    });
    const refused = await until(async () => {
      const reply = await execute(crowded, { script: fine });
      return reply.status !== 200 && reply;
    }, 'a refusal', 20_000).catch(() => null);
    const asked = crowded.events('request').filter(({ path }) => path === '/jobs').length;
    if (!refused && asked < sockets.length) return t.skip('too slow a machine to fill it');
    assertProblem(refused, 503, 'busy');
    assertProblem(await ask(crowded, 'GET', '/jobs', { user }), 503, 'busy');
    assert.equal((await ask(crowded, 'GET', '/health')).status, 200);
    for (const socket of sockets) socket.destroy();
    await until(async () => (await execute(crowded, { script: fine })).status === 200, 'room');
    assert.equal((await ask(crowded, 'GET', '/jobs', { user })).status, 200);
  } finally { await crowded.stop(); }
});

describe('events', () => {
  const talk = (more) => `function main() { const wait = (ms) => { const t = Date.now() + ms; while (Date.now() < t); };
    wait(100); for (let i = 0; i < 100; i++) console.log('l'.repeat(4000)); wait(300); ${more} }`;

  for (const [what, delay] of [['as they come', 0], ['that came before', 250]]) {
    test(`more than a quarter of a MiB of them, ${what}`, async () => {
      const { json: { job_id: id } } = await execute(service, { script: talk(''), async: true });
      await sleep(delay);
      const got = names(await events(service, id));
      assert.deepEqual([got.length, got.filter((name) => name === 'log').length, got.at(-1)], [102, 100, 'end']);
    });
  }

  test('an end of several MiB', async () => {
    const script = `function main() { const t = Date.now() + 300; while (Date.now() < t);
      for (let i = 0; i < 100; i++) console.log('\\u0001'.repeat(4096)); return 'x'.repeat(1000000) }`;
    const { json: { job_id: id } } = await execute(service, { script, async: true });
    const text = await events(service, id);
    assert.equal(names(text).at(-1), 'end');
    assert.ok(text.endsWith('\n\n'));
    assert.equal(JSON.parse(text.slice(text.lastIndexOf('\ndata: ') + 7)).status, 'completed');
  });

  test('HEAD does not wait for the end', async () => {
    const { json: { job_id: id } } = await execute(service, { script: 'function main() { for (;;); }', async: true, timeout: 5 });
    const began = Date.now();
    const reply = await ask(service, 'HEAD', `/jobs/${id}/events`);
    assert.deepEqual([reply.status, reply.headers['content-type'], reply.text], [200, 'text/event-stream', '']);
    assert.ok(Date.now() - began < 3000);
    await ask(service, 'DELETE', `/jobs/${id}`);
  });

  test('so many listen to one job, and no more', async () => {
    const { json: { job_id: id } } = await execute(service, { script: 'function main() { for (;;); }', async: true, timeout: 20 });
    const listeners = Array.from({ length: 32 }, () => events(service, id));
    await sleep(300);
    const refused = await ask(service, 'GET', `/jobs/${id}/events`);
    assertProblem(refused, 429, 'too_many_requests');
    assert.ok(Number(refused.headers['retry-after']) >= 1);
    // Whoever wants it to end is heard all the same.
    assert.equal((await ask(service, 'DELETE', `/jobs/${id}`)).status, 204);
    for (const text of await Promise.all(listeners)) assert.equal(names(text).at(-1), 'end');
  });
});

describe('idempotency', () => {
  test('a key holds however long the query is', async () => {
    const once = () => execute(service, { script: 'function main() { return Math.random() }' },
      { path: `/execute?x=${'y'.repeat(8000)}`, headers: { 'idempotency-key': 'long' } });
    assert.equal((await once()).json.job_id, (await once()).json.job_id);
  });

  test('a caller who comes back with his key gets the job he left', async () => {
    const leaving = new AbortController();
    const body = { script: 'function main() { const t = Date.now() + 700; while (Date.now() < t); return { done: 1 } }' };
    const options = { user: 'returning', headers: { 'idempotency-key': 'back' } };
    const left = execute(service, body, { ...options, signal: leaving.signal }).catch(() => 'left');
    const running = await until(async () => (await ask(service, 'GET', '/jobs?status=running', { user: 'returning' })).json[0], 'it runs');
    leaving.abort();
    assert.equal(await left, 'left');
    await sleep(50);
    const { json } = await execute(service, body, options);
    assert.deepEqual([json.job_id, json.status, json.output], [running.job_id, 'completed', { done: 1 }]);
  });
});

test('the longest reply there can be is a reply', async () => {
  const reference = await serve({ args: ['--jobs-encrypted-output', 'always'] });
  try {
    const { json: { job_id: id } } = await execute(reference, { script: longest, async: true });
    const { json, text } = await ended(reference, id);
    assert.equal(json.status, 'completed', json.error ?? '');
  } finally { await reference.stop(); }
});

test('the listener of metrics says which methods it knows', async () => {
  const reply = await ask(service, 'POST', '/metrics', { url: service.metricsUrl });
  assert.deepEqual([reply.status, reply.headers.allow], [405, 'GET, HEAD']);
});

test('who asks at a stop for what is still looked up is told to come again, and the stop ends', async () => {
  const stopping = await serve({ args: ['--stop-grace', '200ms'] });
  const asked = Array.from({ length: 8 }, (_, i) => execute(stopping, { script: 'function main() { for (;;); }', timeout: 30 },
    { user: `u${i}`, headers: { 'idempotency-key': 'k' } }).catch(() => null));
  await sleep(20);
  const began = Date.now();
  assert.deepEqual(await stopping.stop(), { status: 0, signal: null });
  assert.ok(Date.now() - began < 5000);
  for (const reply of await Promise.all(asked)) assert.ok(reply === null || [200, 503].includes(reply.status), reply?.text);
});
