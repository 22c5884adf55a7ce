// Callers that do not behave: what they hold of the broker comes back to it, and everybody else is served meanwhile.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import { ask, completed, execute, processOf, scratch, serve, sleep, until } from '../service/service.mjs';
import { descriptors, fine, endless } from './faults.mjs';

let service, broker, heldAtStart;

// What the broker holds: descriptors where we may look, its own count of connections otherwise.
async function held() {
  try { return descriptors(broker); } catch { /* only root sees another's */ }
  const { text } = await ask(service, 'GET', '/metrics', { url: service.metricsUrl, user: null });
  return Number(text.match(/^neocompute_http_connections(?:\{.*\})? (\d+)$/m)[1]);
}

before(async () => {
  service = await serve({ state: scratch() });
  broker = processOf(service, 'broker').pid;
  await completed(service, { script: fine });
  await sleep(100);
  heldAtStart = await held();
});
after(() => service?.stop());
afterEach(async () => {
  assert.equal(service.exit, null, service.text);
  assert.deepEqual((await completed(service, { script: fine })).output, { ok: true });
  await until(async () => await held() === heldAtStart, 'all descriptors back');
  const { json } = await ask(service, 'GET', '/info');
  assert.ok(json);
});

// A connection: `text` is what came so far, `closed` resolves once the other end is done with it.
function open({ allowHalfOpen = true } = {}) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: service.port, host: '127.0.0.1', allowHalfOpen });
    const connection = { socket, text: '' };
    connection.closed = new Promise((done) => { socket.on('close', done).on('end', done); });
    socket.on('error', (error) => { connection.error = error; reject(error); }).on('connect', () => resolve(connection));
    socket.on('data', (data) => { connection.text += data.toString('latin1'); });
  });
}
const openMany = async (count) => {
  const all = [];
  while (all.length < count) all.push(...await Promise.all(Array.from({ length: Math.min(500, count - all.length) }, () => open())));
  return all;
};
const closeAll = (connections) => { for (const { socket } of connections) socket.destroy(); };

const post = (body, { user = 'alice', length = Buffer.byteLength(body) } = {}) =>
  `POST /execute HTTP/1.1\r\nhost: x\r\nx-user-id: ${user}\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`;

test('10,000 idle connections', async (t) => {
  const most = (pid) => Number(readFileSync(`/proc/${pid}/limits`, 'utf8').match(/^Max open files +\d+ +(\d+)/m)[1]);
  const room = Math.min(most('self'), most(service.pid)) - 500;
  const count = Math.min(10_000, room);
  t.diagnostic(`${count} connections`);
  const idle = await openMany(count);
  assert.equal(idle.filter(({ error }) => error).length, 0);
  await until(async () => await held() >= heldAtStart + count, 'all of them accepted');
  for (let i = 0; i < 5; i++) await completed(service, { script: fine });
  // Each of them is as good as a new one.
  const last = idle.at(-1);
  last.socket.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
  await until(() => /^HTTP\/1\.1 200 /.test(last.text), 'a reply');
  closeAll(idle);
});

describe('a slow reader', () => {
  const script = 'function main() { return { text: "x".repeat(1000000) } }';
  test('of 1 MB gets all of it, while others are served', async () => {
    const socket = connect(service.port, '127.0.0.1');
    socket.write(post(JSON.stringify({ script }), { user: 'slow' }).replace('host: x', 'host: x\r\nconnection: close'));
    let text = '';
    socket.setEncoding('latin1').pause();
    const end = new Promise((resolve, reject) => { socket.on('end', resolve).on('error', reject); });
    let over = false;
    end.then(() => { over = true; });
    while (!over) {
      text += socket.read(20_000) ?? socket.read() ?? '';
      await sleep(5);
      if (text.length % 3 === 0) await completed(service, { script: fine });
    }
    socket.destroy();
    const body = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4));
    assert.equal(body.output.text.length, 1_000_000);
    assert.equal(body.output_hash, createHash('sha256').update(JSON.stringify(body.output)).digest('hex'));
  });

  test('that leaves in the middle', async () => {
    const readers = await openMany(20);
    for (const [i, { socket }] of readers.entries()) socket.pause().write(post(JSON.stringify({ script }), { user: `u${i}` }));
    await until(async () => (await Promise.all(readers.map((_, i) => ask(service, 'GET', '/jobs', { user: `u${i}` })))).every(({ json }) => json[0]?.status === 'completed'), 'their jobs');
    closeAll(readers);
  });

  test('of pages of many megabytes, and forty of them', async () => {
    await Promise.all(Array.from({ length: 5 }, () => completed(service, { script }, { user: 'pages' })));
    const replies = await Promise.all(Array.from({ length: 40 }, () => ask(service, 'GET', '/jobs', { user: 'pages' })));
    for (const { status, json } of replies) assert.ok(status === 200 ? json.length >= 4 : json.error_code === 'busy', status);
    assert.ok(replies.some(({ status }) => status === 200));
    // Who asks again, later, gets it.
    assert.equal((await ask(service, 'GET', '/jobs', { user: 'pages' })).status, 200);
  });
});

describe('half-closed', () => {
  test('without a request: closed', async () => {
    const connections = await openMany(50);
    for (const { socket } of connections) socket.end();
    await Promise.all(connections.map(({ closed }) => closed));
    closeAll(connections);
  });

  test('after the request: the caller has left, its job is cancelled', async () => {
    const { socket, closed } = await open();
    socket.end(post(JSON.stringify({ script: endless }), { user: 'half' }));
    await closed;
    const list = await until(async () => {
      const { json } = await ask(service, 'GET', '/jobs', { user: 'half' });
      return json[0]?.status !== 'running' && json;
    }, 'the end of its job');
    for (const { error_code: code } of list) assert.equal(code, 'cancelled');
    socket.destroy();
  });
});

test('closed in the middle of a body: nothing runs', async () => {
  for (const how of ['end', 'destroy', 'resetAndDestroy']) {
    const connections = await openMany(100);
    await Promise.all(connections.map(({ socket }) => new Promise((sent) => { socket.write(post('{"script":"function main', { user: 'mid', length: 5000 }), sent); })));
    for (const { socket } of connections) socket.on('error', () => {})[how]();
    if (how === 'end') await Promise.all(connections.map(({ closed }) => closed));
    closeAll(connections);
  }
  assert.deepEqual((await ask(service, 'GET', '/jobs', { user: 'mid' })).json, []);
});

test('200 connections that send garbage: refused or closed', async () => {
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
  const garbage = [() => randomBytes(1000), () => Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), () => `${preface}${'x'.repeat(500)}`,
    () => 'GET / HTTP/9.9\r\n\r\n', () => `${'A'.repeat(70_000)}`, () => '\0'.repeat(100), () => 'GET /\r\n\r\n', () => post('x').replace('POST', 'P\x7fST')];
  const connections = await openMany(200);
  for (const [i, { socket }] of connections.entries()) socket.on('error', () => {}).write(garbage[i % garbage.length]());
  await sleep(300);
  await completed(service, { script: fine });
  for (const { text } of connections) assert.ok(text === '' || /^HTTP\/1\.1 4\d\d /.test(text) || /^\0\0/.test(text), text.slice(0, 100));
  assert.ok(connections.filter(({ text }) => /^HTTP\/1\.1 400 /.test(text)).length >= 50);
  closeAll(connections);
});

test('200 callers that leave while their jobs run or wait: all are cancelled', async () => {
  const connections = await openMany(200);
  for (const [i, { socket }] of connections.entries()) socket.write(post(JSON.stringify({ script: endless }), { user: `leaver${i}` }));
  await sleep(200);
  closeAll(connections);
  await until(async () => {
    const { text } = await ask(service, 'GET', '/metrics', { url: service.metricsUrl, user: null });
    const [running, waiting] = ['running', 'waiting'].map((what) => Number(text.match(new RegExp(`^neocompute_jobs_${what} (\\d+)$`, 'm'))[1]));
    return running === 0 && waiting === 0;
  }, 'no job left');
});
