// What is secret, looked for where it must not be: in the memory of every process, in its environment and arguments, in the
// log and in the state directory. A search that finds nothing proves nothing, so each needle is also looked for where it is.
import assert from 'node:assert/strict';
import { createHmac, hkdfSync } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import http2 from 'node:http2';
import { after, before, describe, test } from 'node:test';
import { origin } from '../origin.mjs';
import { freePort, startPostgres } from '../postgres.mjs';
import { authority } from './certificates.mjs';
import { serveOutside, tls } from './outside.mjs';
import { ask, processOf, processes, scratch, serve, sleep, until, workersOf } from './service.mjs';

const mayLook = () => {
  try {
    closeSync(openSync(`/proc/${process.ppid}/mem`, 'r'));
    return process.getuid() === 0;
  } catch { return false; }
};
const onlyRoot = { skip: !mayLook() && 'only root may look into other processes' };

// Where in the memory of a process the needles stand: [{name, at}]. What cannot be read (guard pages, [vvar]) holds nothing.
function search(pid, needles) {
  const found = [], step = 1 << 20, overlap = 4096;
  const part = Buffer.alloc(step + overlap);
  const fd = openSync(`/proc/${pid}/mem`, 'r');
  let looked = 0;
  for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
    const [, from, to, mode, label] = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)$/.exec(line) ?? [];
    if (!mode?.startsWith('r') || /^\[v(var|syscall|var_vclock)\]$/.test(label)) continue;
    for (let at = BigInt(`0x${from}`), end = BigInt(`0x${to}`); at < end; at += BigInt(step)) {
      let n = 0;
      try { n = readSync(fd, part, 0, Math.min(part.length, Number(end - at)), at); } catch { continue; }
      looked += n;
      for (const [name, needle] of Object.entries(needles)) {
        const where = part.subarray(0, n).indexOf(needle);
        if (where >= 0) found.push({ name, near: part.subarray(Math.max(0, where - 60), where + 120).toString('latin1').replace(/[^ -~]/g, '.'),
          at: `${line} + ${Number(at - BigInt(`0x${from}`)) + where}` });
      }
    }
  }
  closeSync(fd);
  assert.ok(looked > 100_000, `${looked} bytes read of ${pid}`);
  return found;
}

const jwtSecret = 'KANARI-jwt-secret-5f0e77a1b3c2d4e6';
function token(user) {
  const text = ['{"alg":"HS256"}', JSON.stringify({ iss: 'canary', sub: user, exp: Math.floor(Date.now() / 1000) + 3600 - Date.now() % 7 })]
    .map((part) => Buffer.from(part).toString('base64url')).join('.');
  return `${text}.${createHmac('sha256', jwtSecret).update(text).digest('base64url')}`;
}
const tokenBegin = (user) => token(user).slice(0, 60); // header, issuer and user: the same in each of the user's tokens

// How callers come: each keeps what they send in other buffers.
const mesh = authority('canary mesh'), caller = mesh.client('gateway.mesh.example'), own = mesh.server();
const ways = {
  'HTTP/1.1': { args: ['--auth-mode', 'dev'], connect: (service) => (...call) => ask(service, ...call) },
  'HTTP/1.1 with bearer tokens': {
    args: ['--auth-mode', 'jwt', '--auth-jwt-issuer', 'canary'],
    connect: (service) => (method, path, { user, ...more }) => ask(service, method, path, { ...more, user: null, headers: { authorization: `Bearer ${token(user)}` } }),
  },
  'HTTP/2 over TLS': {
    args: ['--tls-cert', own.certFile, '--tls-key', own.keyFile, '--tls-client-ca', mesh.certFile],
    connect: (service) => {
      const session = http2.connect(`https://${service.address}`, { ca: mesh.cert, cert: caller.cert, key: caller.key });
      service.after = () => session.close();
      return (method, path, { body, user }) => new Promise((resolve, reject) => {
        const data = body && JSON.stringify(body);
        const stream = session.request({ ':method': method, ':path': path, 'x-user-id': user, ...(data && { 'content-type': 'application/json' }) }, { endStream: !data });
        const parts = [];
        let status;
        stream.on('response', (headers) => { status = headers[':status']; }).on('data', (part) => parts.push(part)).on('error', reject);
        stream.on('end', () => { const text = Buffer.concat(parts).toString(); resolve({ status, text, json: JSON.parse(text) }); });
        stream.end(data);
      });
    },
  },
};

for (const [way, { args, connect }] of Object.entries(ways)) describe(`keys and data in memory, ${way}`, onlyRoot, () => {
  // Unlike every other test's, so that no fixture in a binary looks like it.
  const key = Buffer.from('c0a1e5ce9b1f4d27a8830f5d61c2b79e4ab3f86d10527c9ee4d1803fb6a95c72', 'hex');
  const derived = (salt, info) => Buffer.from(hkdfSync('sha256', key, salt, info, 32));
  const keys = {
    'the master key': key,
    'the master key in digits': Buffer.from(key.toString('hex')),
    'the master key in capital digits': Buffer.from(key.toString('hex').toUpperCase()),
    'the master key in base64': Buffer.from(key.toString('base64').slice(0, 42)),
    'the HMAC key': derived('neocompute-signing-key', 'tee-result-signing'),
    'the store key': derived('neocompute', 'store-sealing-v1'),
  };
  // Each in two parts in the source, so that this file in somebody's memory is none.
  const canary = (name) => `KANARI-${name}-${'7f3a'}91c4`;
  const data = Object.fromEntries(['script', 'input', 'log', 'output', 'nonce', 'error'].map((name) => [name, Buffer.from(canary(name))]));
  for (const user of ['ada', 'bob', 'eve']) data[`token of ${user}`] = Buffer.from(tokenBegin(user));
  const state = scratch();
  let service, call;
  const post = (body, user, path = '/execute') => call('POST', path, { body, user });
  const run = async (user, path) => {
    const script = (end) => `// ${canary('script')}\nfunction main(i) { console.log('${canary('log').split('').join("'+'")}'); ${end} }`;
    const body = { input: { a: canary('input') }, nonce: canary('nonce') };
    const first = await post({ ...body, script: script(`return { a: i.a, b: '${canary('output').split('').join("'+'")}' }`) }, user, path);
    assert.equal(first.json.status, 'completed', first.text);
    await post({ ...body, script: script(`throw new Error('${canary('error').split('').join("'+'")}')`) }, user);
    await post({ ...body, script: script('return 1'), secret_refs: ['absent'] }, user);
    const { json } = await post({ ...body, script: script('return i'), async: true }, user);
    await until(async () => (await call('GET', `/jobs/${json.job_id}`, { user })).json.status === 'completed', 'its end');
    await call('GET', '/jobs', { user });
  };
  const named = (found) => [...new Set(found.map(({ name }) => name))].sort();

  before(async () => {
    service = await serve({ state, args: ['--log-level', 'debug', '--jobs-workers', '4', ...args], env: { COMPUTE_MASTER_KEY: key.toString('hex'), NEOCOMPUTE_JWT_SECRET: jwtSecret } });
    call = connect(service);
    await Promise.all(['ada', 'bob', 'eve'].map((user) => run(user)));
    await run('ada', '/execute?encrypted=1');
    // Connections close, workers go back to their snapshot, what is stored is stored.
    await until(() => service.events('request').length >= 24, 'the log of all requests');
    await sleep(1500);
  });
  after(() => { service.after?.(); return service.stop(); });

  test('keys are in the keeper and nowhere else', () => {
    const keeper = processOf(service, 'keeper');
    assert.ok(named(search(keeper.pid, keys)).includes('the HMAC key'), 'the search finds what is there');
    assert.deepEqual(named(search(keeper.pid, keys)).filter((name) => /digits|base64/.test(name)), [], 'in the keeper, as text');
    for (const { pid, name } of processes(service)) if (pid !== keeper.pid) assert.deepEqual(search(pid, keys), [], name);
  });

  test('the secret of bearer tokens is in the broker at most', () => {
    for (const { pid, name } of processes(service)) if (!name.includes('broker')) assert.deepEqual(search(pid, { jwtSecret }), [], name);
  });

  test('a script that runs is in its worker: the search finds it', async () => {
    const running = post({ script: `// ${canary('script')}\nfunction main(i) { const t = Date.now() + 1500; while (Date.now() < t); return 1 }`, input: { a: canary('input') } }, 'zoe');
    await sleep(300);
    const found = workersOf(service).flatMap(({ pid }) => named(search(pid, data)));
    assert.ok(found.includes('script') && found.includes('input'), String(found));
    await running;
    await sleep(1000);
  });

  for (const who of ['worker', 'broker', 'keeper', 'supervisor']) {
    test(`nothing of a job is left in ${who === 'worker' ? 'an idle worker' : `the ${who}`}`, () => {
      const some = who === 'supervisor' ? [{ pid: service.pid }] : processes(service).filter(({ name }) => name.includes(who));
      assert.ok(some.length > 0);
      for (const { pid } of some) assert.deepEqual(search(pid, data), []);
    });
  }

  test('nor in an environment or an argument, a log line, a file', () => {
    const needles = Object.entries({ ...keys, ...data });
    const clean = (text, where) => { for (const [name, needle] of needles) assert.equal(text.indexOf(needle), -1, `${name} in ${where}`); };
    for (const { pid, name } of processes(service)) for (const part of ['environ', 'cmdline']) clean(readFileSync(`/proc/${pid}/${part}`), `${part} of ${name}`);
    clean(Buffer.from(service.text), 'the log');
    for (const name of readdirSync(state)) clean(readFileSync(join(state, name)), name);
  });

  test('no process may leave a core', () => {
    for (const { pid, name } of processes(service)) {
      const limit = /^Max core file size +(\S+) +(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'));
      assert.deepEqual([limit[1], limit[2]], ['0', '0'], name);
    }
  });
});

// A secret with a known value through everything that can happen to a job that has one. That the search finds it is proven by a
// script that holds it at that moment.
describe('a secret, through success, failure, time-out, crash, an absent store and a fetch', onlyRoot, () => {
  const value = (what) => `KANARI-${what}-${'b81d'}5e02`;
  const needles = Object.fromEntries(['plain', 'egress', 'sealed'].map((what) => [what, Buffer.from(value(what))]));
  for (const what of ['plain', 'egress']) needles[`${what} in base64`] = Buffer.from(Buffer.from(value(what)).toString('base64').slice(0, 24));
  const state = scratch();
  let service, server, database;
  const found = () => processes(service).flatMap(({ pid, name }) => search(pid, needles).map((hit) => `${hit.name} in ${name}: ${hit.at}: ${hit.near}`));
  const refs = ['plain', 'egress'];
  const run = (script, more) => ask(service, 'POST', '/execute', { body: { script, secret_refs: refs, ...more }, user: 'ada' });
  const url = (path) => `https://a.example:${server.port}${path}`;
  const texts = [];

  before(async () => {
    server = await origin({ tls });
    service = await serveOutside({ state, args: ['--log-level', 'debug', '--jobs-workers', '3'] });
    const put = (name, body) => ask(service, 'PUT', `/secrets/${name}`, { body, user: 'ada' });
    assert.equal((await put('plain', { value: value('plain') })).status, 200);
    assert.equal((await put('egress', { value: value('egress'), policy: { expose: 'egress-only', hosts: ['a.example'] } })).status, 200);
  });
  after(async () => { server.close(); await service.stop(); });

  test('every way a job can end', async () => {
    const scripts = {
      success: ['function main(i, s) { return { n: s.plain.length } }', 'completed'],
      failure: ['function main(i, s) { const copy = s.plain + s.plain; throw new Error(String(copy.length)) }', 'execution_error'],
      'out of memory': ['function main(i, s) { const a = []; for (;;) a.push(s.plain.repeat(1000)) }', 'out_of_memory'],
      'time-out': ['function main(i, s) { const kept = s.plain.split(""); for (;;); }', 'timeout', { timeout: 1 }],
      'a syntax error': ['function (', 'syntax_error'],
      fetch: [`async function main(i, s) { const r = await fetch('${url('/echo')}', { method: 'POST', headers: { authorization: 'Bearer ' + s.egress }, body: s.egress }); return { n: (await r.text()).length } }`, 'completed'],
      'a fetch that is broken off': [`async function main(i, s) { try { await fetch('${url('/silent')}', { headers: { a: s.egress }, signal: AbortSignal.timeout(100) }); } catch {} return {} }`, 'completed'],
      'a server that closes': [`async function main(i, s) { try { await fetch('${url('/close')}', { method: 'POST', body: s.egress }); } catch {} return {} }`, 'completed'],
      'another host': [`async function main(i, s) { try { await fetch('https://b.example:${server.port}/', { headers: { a: s.egress } }); } catch (e) { return { e: e.message } } }`, 'completed'],
      'a missing neighbour': ['function main() {}', 'secret_not_found', { secret_refs: [...refs, 'missing'] }],
    };
    for (const [what, [script, end, more]] of Object.entries(scripts)) {
      const { json, text } = await run(script, more);
      assert.equal(json.error_code ?? json.status, end, `${what}: ${text}`);
      texts.push(text);
    }
    assert.equal(server.requests.find(({ headers }) => headers.authorization)?.headers.authorization, `Bearer ${value('egress')}`);
  });

  test('a worker that is killed while it has it: the search finds it there, and afterwards nowhere', async () => {
    const running = run('function main(i, s) { const kept = s.plain; const t = Date.now() + 8000; while (Date.now() < t); return { n: kept.length } }');
    const holder = await until(() => workersOf(service).find(({ pid }) => { try { return search(pid, { plain: needles.plain }).length > 0; } catch { return false; } }), 'a worker that holds it');
    process.kill(holder.pid, 'SIGKILL');
    const { json, text } = await running;
    assert.equal(json.status, 'failed', text);
    texts.push(text);
  });

  test('another job\'s memory does not have it', async () => {
    const script = 'function main(i) { let all = ""; for (let n = 0; n < 40; n++) all += new Uint8Array(1 << 16).join(""); return { zeros: /^0*$/.test(all) } }';
    for (let i = 0; i < 6; i++) assert.equal((await ask(service, 'POST', '/execute', { body: { script }, user: 'eve' })).json.output.zeros, true);
    await sleep(1500);
    assert.deepEqual(found(), []);
  });

  test('nor has a log, a file, a receipt, a record, the metrics or an audit row', async () => {
    const metrics = (await ask(service, 'GET', '/metrics', { url: service.metricsUrl, user: null })).text;
    const more = [['/jobs'], ['/secrets'], ['/secrets/plain/audit'], ['/secrets/egress/audit'], ['/info']];
    for (const [path] of more) texts.push((await ask(service, 'GET', path, { user: 'ada' })).text);
    const all = { metrics, log: service.text, replies: texts.join('\n') };
    assert.ok(metrics.length > 1000 && texts.length > 12);
    for (const name of readdirSync(state)) all[name] = readFileSync(join(state, name)).toString('latin1');
    for (const [where, text] of Object.entries(all)) for (const [what, needle] of Object.entries(needles)) assert.equal(text.indexOf(needle.toString('latin1')), -1, `${what} in ${where}`);
    const payloads = texts.flatMap((text) => [...text.matchAll(/"receipt":"[^.]*\.([^.]*)\./g)].map(([, part]) => Buffer.from(part, 'base64url').toString()));
    assert.ok(payloads.length > 10);
    assert.equal(payloads.some((text) => text.includes('KANARI')), false);
  });

  test('a store that is away, while it is asked and when it is written', async () => {
    database = await startPostgres({ tcp: await freePort() });
    const other = await serveOutside({ env: { NEOCOMPUTE_SECRETS_STORES: 'postgres', NEOCOMPUTE_DATABASE_URL: database.connection } });
    const write = () => ask(other, 'PUT', '/secrets/plain', { body: { value: value('sealed') }, user: 'ada' });
    assert.equal((await write()).status, 200);
    await ask(other, 'POST', '/execute', { body: { script: 'function main(i, s) { return { n: s.plain.length } }', secret_refs: ['plain'] }, user: 'ada' });
    await database.halt();
    assert.equal((await write()).status, 503);
    const { json } = await ask(other, 'POST', '/execute', { body: { script: 'function main() {}', secret_refs: ['plain'] }, user: 'ada' });
    assert.equal(json.error_code, 'secret_store_unavailable');
    await sleep(1500);
    for (const { pid, name } of processes(other)) assert.deepEqual(search(pid, needles), [], name);
    assert.equal(other.text.includes('KANARI'), false);
    await other.stop();
    await database.boot();
    assert.equal(database.sql('SELECT * FROM secrets; SELECT * FROM secret_audit_logs;').includes('KANARI'), false);
    await database.stop();
  });
});
