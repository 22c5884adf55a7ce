// What is secret, looked for where it must not be: in the memory of every process, in its environment and arguments, in the
// log and in the state directory. A search that finds nothing proves nothing, so each needle is also looked for where it is.
import assert from 'node:assert/strict';
import { createHmac, hkdfSync } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import http2 from 'node:http2';
import { after, before, describe, test } from 'node:test';
import { authority } from './certificates.mjs';
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
