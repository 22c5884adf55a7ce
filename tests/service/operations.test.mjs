// The service as its operator and its callers' tools see it: log, secrets at rest, stop, command line, settings, receipts.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { binary, cli, file } from '../lib.mjs';
import { b64, canonical, defaultLimits, protection, readReceipt, sha256 } from '../receipts.mjs';
import { MASTER_KEY, ask, assertProblem, completed, execute, processes, refusedStart, scratch, serve, sleep, threads, until } from './service.mjs';

const fine = 'function main() { return { ok: true } }';
const spin = (ms) => `function main() { const t = Date.now() + ${ms}; while (Date.now() < t); return { late: 1 } }`;
const runs = (service, user) => until(async () => (await ask(service, 'GET', '/jobs?status=running', { user })).json[0], `a running job of ${user}`);
const onlyRoot = { skip: process.getuid() !== 0 && 'only root may look' };

describe('what is secret stays so', () => {
  const canary = (name) => `CANARY${name}5150`;
  const state = scratch();
  let service;
  before(async () => {
    service = await serve({ state, args: ['--log-level', 'debug', '--auth-mode', 'dev'], env: { SECRETS_MASTER_KEY: 'CANARYkey'.repeat(4).slice(0, 32), NEOCOMPUTE_JWT_SECRET: 'CANARYjwt'.repeat(4), MARBLE_SECRETS: JSON.stringify({ OTHER: Buffer.from('CANARY').toString('base64') }) } });
    const headers = { authorization: `Bearer ${canary('token')}`, cookie: canary('cookie'), 'x-canary': canary('header'), 'idempotency-key': canary('idem'), 'user-agent': canary('agent') };
    const body = (more) => ({ script: `// ${canary('script')}\nfunction main(i) { console.log('${canary('log')}', i); ${more} return i }`, input: { a: canary('input') }, nonce: canary('nonce'), secret_refs: [] });
    const user = canary('user'), options = { user, headers };
    await completed(service, body(''), options);
    delete headers['idempotency-key'];
    await execute(service, body(`throw new Error('${canary('error')}');`), options);
    await execute(service, body('').script.slice(0, -1), options);
    await execute(service, { ...body(''), secret_refs: ['names.are.no.secrets'] }, options);
    await execute(service, { ...body(''), [canary('field')]: 1 }, options);
    await execute(service, { ...body(''), timeout: 1, script: `/* ${canary('script')} */ function main() { for (;;); }` }, options);
    await execute(service, body(''), { ...options, path: `/execute?encrypted=1&${canary('query')}` });
    const { json } = await execute(service, { ...body(''), async: true }, options);
    await until(async () => (await ask(service, 'GET', `/jobs/${json.job_id}`, { user })).json.status === 'completed', 'its end');
  });
  after(() => service.stop());

  test('the log is JSON, a line an event, each request with its trace id', async () => {
    assert.deepEqual(service.events('unreadable'), []);
    for (const line of service.log) {
      assert.match(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
      assert.match(line.level, /^(debug|info|warn|error)$/);
      assert.match(line.process, /^(supervisor|keeper|broker|worker)$/);
      assert.equal(typeof line.event, 'string');
    }
    await execute(service, { script: fine }, { headers: { 'x-trace-id': 'find-me' } });
    const line = await until(() => service.events('request').find(({ trace_id: id }) => id === 'find-me'), 'the line');
    assert.deepEqual([line.method, line.path, line.status], ['POST', '/execute', 200]);
    for (const request of service.events('request')) assert.match(request.trace_id, /^[\w-]{1,64}$/);
  });

  test('a path cannot write lines of the log', async () => {
    const before_ = service.events('unreadable').length;
    await ask(service, 'GET', '/%0a{"event":"forged"}'.replace(/[{}"]/g, (c) => encodeURIComponent(c)));
    await ask(service, 'GET', `/${'long'.repeat(1000)}`);
    const line = await until(() => service.events('request').find(({ path }) => path.startsWith('/longlong')), 'the line');
    assert.ok(line.path.length < 600, String(line.path.length));
    assert.equal(service.events('unreadable').length, before_);
    assert.equal(service.events('forged').length, 0);
  });

  test('the log holds nothing of what callers sent', () => {
    const at = service.text.indexOf('CANARY');
    assert.equal(at, -1, service.text.slice(Math.max(0, at - 300), at + 50));
    assert.doesNotMatch(service.text, new RegExp(MASTER_KEY));
  });

  test('no file of the state directory does', () => {
    const files = readdirSync(state, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    assert.ok(files.some(({ name }) => name.endsWith('-wal')), String(files.map(({ name }) => name)));
    let looked = 0;
    for (const { name, parentPath, path } of files) {
      const bytes = readFileSync(join(parentPath ?? path, name));
      looked += bytes.length;
      for (const needle of ['CANARY', Buffer.from('CANARY').toString('base64').slice(0, 8), Buffer.from('CANARY').toString('hex'), MASTER_KEY, Buffer.from(MASTER_KEY, 'hex'), '"output"', 'eyJhbGciOiJFUzI1NiI'])
        assert.equal(bytes.indexOf(needle), -1, `${name}: ${needle}`);
    }
    assert.ok(looked > 10_000);
  });

  test('no process has a key in its environment or its arguments', onlyRoot, () => {
    const all = processes(service);
    assert.ok(all.length >= (threads ? 1 : 4));
    const looked = new Set();
    for (const { pid, name } of all) {
      for (const part of ['environ', 'cmdline']) {
        let text;
        try { text = readFileSync(`/proc/${pid}/${part}`, 'latin1'); } catch { continue; } // a worker that has just ended
        assert.doesNotMatch(text, new RegExp(`${MASTER_KEY}|CANARY|MASTER_KEY|MARBLE_SECRETS|JWT_SECRET`), `${name} ${part}`);
        looked.add(name);
      }
    }
    for (const name of threads ? ['neocompute-thread'] : ['keeper', 'broker', 'worker']) assert.ok([...looked].some((seen) => seen.includes(name)), [...looked].join());
  });
});

describe('a stop', () => {
  test('what is held finishes; new connections are refused; status 0', async () => {
    const service = await serve();
    const held = execute(service, { script: spin(600) }, { user: 'held' });
    await runs(service, 'held');
    const idle = net.connect(service.port, '127.0.0.1');
    idle.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => { idle.once('data', resolve); });
    const closed = new Promise((resolve) => { idle.on('close', resolve); });
    service.child.kill('SIGTERM');
    await until(() => service.events('stopping').length, 'stopping');
    await closed;
    await until(() => new Promise((resolve) => {
      const late = net.connect(service.port, '127.0.0.1').on('error', () => resolve(true)).on('connect', () => { late.destroy(); resolve(false); });
    }), 'refusal', 400);
    const reply = await held;
    assert.deepEqual([reply.status, reply.json.output], [200, { late: 1 }]);
    assert.equal(reply.headers.connection, 'close');
    assert.deepEqual(await service.ended, { status: 0, signal: null });
  });

  test('what takes longer than the grace fails, with a reply and a receipt', async () => {
    const service = await serve({ args: ['--stop-grace', '300ms'] });
    const held = execute(service, { script: 'function main() { for (;;); }', timeout: 60 }, { user: 'held' });
    await runs(service, 'held');
    service.child.kill('SIGINT');
    const { status, json } = await held;
    assert.deepEqual([status, json.status], [200, 'failed']);
    assert.equal(json.error_code, 'interrupted');
    assert.ok(json.receipt);
    assert.deepEqual(await service.ended, { status: 0, signal: null });
  });

  test('a kept-alive connection with another request behind the stop is told', async () => {
    const service = await serve();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const held = execute(service, { script: spin(400) }, { user: 'held', agent });
    await runs(service, 'held');
    service.child.kill('SIGTERM');
    assert.equal((await held).headers.connection, 'close');
    agent.destroy();
    assert.equal((await service.ended).status, 0);
  });

  test('nothing acknowledged is lost', async () => {
    const state = scratch();
    const service = await serve({ state });
    const ids = (await Promise.all(Array.from({ length: 30 }, (_, i) => completed(service, { script: fine }, { user: `u${i % 10}` })))).map(({ job_id: id }) => id);
    assert.equal((await service.stop()).status, 0);
    const again = await serve({ state });
    for (const [i, id] of ids.entries()) assert.equal((await ask(again, 'GET', `/jobs/${id}`, { user: `u${i % 10}` })).json.status, 'completed');
    await again.stop();
  });
});

// The program, while this one goes on reading what the service says: {status, stdout, stderr}.
function program(args, env = {}) {
  return new Promise((resolve) => {
    const child = spawn(binary, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const result = { child, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (part) => { result.stdout += part; });
    child.stderr.setEncoding('utf8').on('data', (part) => { result.stderr += part; });
    child.on('close', (status) => resolve({ ...result, status }));
  });
}

describe('the command line as a client', () => {
  let service, at;
  before(async () => { service = await serve(); at = ['--url', service.url, '--user', 'ada']; });
  after(() => service.stop());
  const submit = (script, args = []) => program(['submit', file(script, `submit-${Math.random()}.js`), ...at, ...args]);
  const jobs = (...args) => program(['jobs', ...args, ...at]);

  test('submit', async () => {
    const done = await submit('function main(i) { return i }', ['--input', '{"z":1,"a":2}']);
    assert.equal(done.status, 0, done.stderr);
    assert.match(done.stdout, /^\{[^\n]*\}\n$/);
    assert.deepEqual(JSON.parse(done.stdout).output, { a: 2, z: 1 });
    assert.equal((await submit('throw 1')).status, 1);
    const refused = await submit(' '.repeat(102401));
    assert.equal(refused.status, 2);
    assert.match(refused.stdout + refused.stderr, /script exceeds maximum size of 102400 bytes/);
    assert.equal((await program(['submit', file(fine), '--url', 'http://127.0.0.1:1'])).status, 3);
    const byEnvironment = await program(['submit', file(fine)], { NEOCOMPUTE_URL: service.url, NEOCOMPUTE_USER: 'env' });
    assert.equal(byEnvironment.status, 0, byEnvironment.stderr);
    assert.equal((await ask(service, 'GET', '/jobs', { user: 'env' })).json.length, 1);
  });

  test('jobs: list, get, follow, cancel, delete', async () => {
    const taken = await submit(`function main() { console.log('now'); for (;;); }`, ['--async']);
    assert.equal(taken.status, 0);
    const id = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(taken.stdout)[0];
    const listed = await jobs('list', '--status', 'running');
    assert.deepEqual(JSON.parse(listed.stdout).map((job) => job.job_id), [id]);
    const following = jobs('follow', id);
    await sleep(150);
    assert.deepEqual(await jobs('cancel', id).then(({ status, stdout }) => [status, stdout]), [0, '']);
    const { status, stdout } = await following;
    assert.equal(status, 0);
    assert.deepEqual([...stdout.matchAll(/^event: (.*)$/gm)].map(([, event]) => event), ['status', 'log', 'end']);
    assert.equal(JSON.parse((await jobs('get', id)).stdout).error_code, 'cancelled');
    assert.equal((await jobs('delete', id)).status, 0);
    const gone = await jobs('get', id);
    assert.equal(gone.status, 2);
    assert.match(gone.stdout, /job_not_found/);
    assert.equal((await jobs('follow', id)).status, 2);
  });

  describe('verify', () => {
    const secret = 'the input\u2028 as sent';
    const cases = {
      completed: { script: 'function main(i) { console.log(i); return i }', input: { b: 1, a: secret } },
      'completed without input': { script: fine },
      failed: { script: 'function main() { throw new Error("no") }' },
      'out of time': { script: 'function main() { for (;;); }', timeout: 1 },
      'a missing secret': { script: fine, secret_refs: ['api_key'] },
      sealed: { script: 'function main(i) { return i }', input: { x: [1, 2] }, encrypted: true },
      everything: { script: 'export function go(i) { return [i, Math.random()] }', entry_point: 'go', input: { q: 1 }, nonce: 'order-1', deterministic: true, timeout: 7, limits: { memory_mb: 64, steps: 100000 } },
    };
    const made = {};
    let attested;
    before(async () => {
      for (const [name, { encrypted, ...body }] of Object.entries(cases)) {
        const reply = await execute(service, body, { user: 'ada', path: encrypted ? '/execute?encrypted=1' : '/execute' });
        assert.equal(reply.status, 200, reply.text);
        made[name] = reply.text;
      }
      attested = (await ask(service, 'GET', `/attestation/${JSON.parse(made.completed).attestation}`)).text;
    });
    const option = (name, value) => (value === undefined ? [] : [`--${name}`, String(value)]);
    const verify = (name, text = made[name], { script = cases[name].script, input = cases[name].input ?? {}, user = 'ada', nonce = cases[name].nonce, doc = attested, more = [] } = {}) => {
      const body = cases[name], opened = body.encrypted && protection(Buffer.from(MASTER_KEY, 'hex')).decrypt(JSON.parse(made[name]).encrypted_output);
      return cli(['verify', file(text, 'r.json'), '--script', file(script, 's.js'), '--attestation', file(doc, 'a.json'), '--allow-simulated', '--user', user,
        '--input', file(JSON.stringify(input), 'i.json'), ...option('nonce', nonce), ...option('entry', body.entry_point),
        ...option('timeout', body.timeout), ...option('memory', body.limits?.memory_mb), ...option('steps', body.limits?.steps), ...(body.deterministic ? ['--deterministic'] : []),
        ...(opened ? ['--output', file(opened, 'o.json')] : []), ...more]);
    };
    for (const name of Object.keys(cases)) {
      test(`${name}: verified whole, and no tampered twin is`, async () => {
        const good = verify(name);
        assert.equal(good.status, 0, good.stdout + good.stderr);
        assert.match(good.stdout, /^verdict: verified/m);
        assert.doesNotMatch(good.stdout, /not checked/);
        const twins = [
          [made[name].replace(/"gas_used":\d/, '"gas_used":9'), {}],
          [made[name].replace(/"steps":(\d+)/, '"steps":1$1'), {}],
          [made[name].replace(/"status":"(completed|failed)"/, (_, status) => `"status":"${status === 'failed' ? 'completed' : 'failed'}"`), {}],
          [made[name].replace(/"job_id":"(.)/, '"job_id":"f'), {}],
          [made[name].replace(/"logs":\[/, '"logs":["forged"'), {}],
          [made[name].replace(/("receipt":"[^"]{500})(.)/, (_, head, c) => head + (c === 'A' ? 'B' : 'A')), {}],
          [made[name].replace(/"receipt_salt":"(.)/, (_, c) => `"receipt_salt":"${c === 'A' ? 'B' : 'A'}`), {}],
          [made[name].replace(/"attestation":"./, '"attestation":"x'), {}],
          [made[name].replace('{', '{"status":"completed",'), {}],
          [undefined, { script: `${cases[name].script} ` }],
          [undefined, { user: 'mallory' }],
          [undefined, { nonce: 'another' }],
          [undefined, { more: ['--timeout', '9'] }],
          [undefined, { more: ['--entry', 'other'] }],
          [undefined, { input: { other: true } }],
        ];
        if (/"output":/.test(made[name])) twins.push([made[name].replace('"output":{', '"output":{"forged":1,'), {}]);
        if (/"error_code":/.test(made[name])) twins.push([made[name].replace(/"error_code":"[a-z_]+"/, '"error_code":"cancelled"'), {}]);
        for (const [text, options] of twins) {
          if (text !== undefined) assert.notEqual(text, made[name]);
          const bad = verify(name, text, options);
          assert.equal(bad.status, 1, `${text ?? JSON.stringify(options)}\n${bad.stdout}${bad.stderr}`);
        }
      });
    }

    test('a later document with a nonce serves; another service\'s does not', async () => {
      const nonce = b64(Buffer.alloc(32, 7));
      const later = (await ask(service, 'GET', `/attestation?nonce=${nonce}`)).text;
      assert.equal(verify('completed', undefined, { doc: later }).status, 0);
      const other = await serve();
      const foreign = (await ask(other, 'GET', '/attestation')).text;
      await other.stop();
      assert.equal(verify('completed', undefined, { doc: foreign }).status, 1);
    });

    test('a stored job and an asynchronous one', async () => {
      made.stored = (await ask(service, 'GET', `/jobs/${JSON.parse(made.completed).job_id}`, { user: 'ada' })).text;
      cases.stored = cases.completed;
      assert.equal(verify('stored').status, 0);
      const { json: { job_id: id } } = await execute(service, { ...cases.completed, async: true }, { user: 'ada' });
      made.later = (await until(async () => {
        const reply = await ask(service, 'GET', `/jobs/${id}`, { user: 'ada' });
        return reply.json.status !== 'running' && reply;
      }, 'its end')).text;
      cases.later = cases.completed;
      assert.equal(verify('later').status, 0);
    });
  });
});

describe('receipts', () => {
  let service, jwk, document, hash;
  before(async () => {
    service = await serve({ args: ['--jobs-workers', '2'] });
    const { json } = await ask(service, 'GET', '/attestation');
    hash = json.document_sha256;
    document = JSON.parse(Buffer.from(json.document, 'base64url'));
    jwk = document.cnf.jwks.find(({ crv }) => crv === 'P-256');
  });
  after(() => service.stop());

  // Every claim made again, from what the caller has.
  function check(text, body, user, { sealed } = {}) {
    const reply = JSON.parse(text), { header, payload, text: raw } = readReceipt(reply.receipt, jwk);
    const salt = Buffer.from(reply.receipt_salt, 'base64url'), hash64 = (...parts) => b64(sha256(...parts));
    const part = (name) => new RegExp(`"${name}":`).test(text) && text.slice(text.indexOf(`"${name}":`) + name.length + 3);
    const output = sealed ?? (reply.status === 'completed' ? canonical(reply.output) : undefined);
    const limits = { ...defaultLimits, ...(body.timeout && { timeout_ms: body.timeout * 1000 }), ...(body.limits?.memory_mb && { memory_bytes: body.limits.memory_mb << 20 }),
      ...(body.limits?.steps && { steps: body.limits.steps }), ...(body.deterministic && { deterministic: true }) };
    assert.equal(raw, canonical(payload));
    assert.ok(raw.length <= 768);
    const { seq, prev, iat, dur_us: duration, ...rest } = payload;
    assert.deepEqual(rest, {
      ...(reply.error_code && { code: reply.error_code }), entry: body.entry_point ?? 'main', gas: 10 * Buffer.byteLength(body.script), iss: 'neocompute', job: reply.job_id,
      input: hash64(salt, JSON.stringify(body.input ?? {})), limits: hash64(canonical(limits)), logs: hash64(JSON.stringify(reply.logs)),
      ...(body.nonce && { nonce: body.nonce }), ...(output !== undefined && { output: sealed === undefined ? hash64(output) : hash64(salt, output) }),
      script: hash64(body.script), secrets: hash64(''), status: reply.status, steps: reply.usage.steps, sub: hash64(user), tee: 'sim', v: 1 });
    assert.deepEqual(header, { alg: 'ES256', att: b64(Buffer.from(hash, 'hex')), eng: document.eng, iso: document.iso, kid: hash64(canonical({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y })), typ: 'neocompute-receipt+jwt' });
    assert.equal(reply.attestation, hash);
    assert.equal(salt.length, 16);
    assert.ok(Math.abs(iat - Date.now() / 1000) < 60 && Number.isInteger(duration));
    const units = { 'µs': 1, ms: 1e3, s: 1e6 }, [, number, unit] = /^([\d.]+)(µs|ms|s)$/.exec(reply.duration);
    assert.ok(Math.abs(number * units[unit] - duration) <= 1, `${reply.duration} ${duration}`);
    assert.ok(part('receipt'));
    return { seq, prev, receipt: reply.receipt };
  }

  test('every claim, made again', async () => {
    const bodies = [{ script: fine }, { script: 'function main(i) { console.log("é", 1); return { ...i, n: [1.5, "\\u2028"] } }', input: { z: 1, a: { b: null } }, nonce: 'n-1' },
      { script: 'throw new Error("x")' }, { script: 'function main() { for (;;); }', timeout: 1, limits: { memory_mb: 32 } },
      { script: 'function main() { for (;;); }', limits: { steps: 1234 } }, { script: fine, deterministic: true, secret_refs: ['none'] }];
    for (const body of bodies) check((await execute(service, body, { user: 'ada' })).text, body, 'ada');
    const body = { script: fine, input: { a: 1 } };
    const sealed = await execute(service, body, { user: 'ada', path: '/execute?encrypted=1' });
    check(sealed.text, body, 'ada', { sealed: '{"ok":true}' });
  });

  test('twenty in a chain', async () => {
    const body = { script: fine };
    const replies = await Promise.all(Array.from({ length: 20 }, (_, i) => execute(service, body, { user: `chain-${i}` })));
    const chain = replies.map(({ text }, i) => check(text, body, `chain-${i}`)).sort((a, b) => a.seq - b.seq);
    for (let i = 1; i < chain.length; i++) {
      assert.equal(chain[i].seq, chain[0].seq + i);
      assert.equal(chain[i].prev, b64(sha256(chain[i - 1].receipt)));
    }
  });
});

describe('settings', () => {
  const free = () => new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => resolve(port)); });
  });

  test('--help has all of them, each with its environment name and its default', () => {
    const { status, stdout } = cli(['serve', '--help']);
    assert.equal(status, 0);
    const source = readFileSync(new URL('../../src/base/config.h', import.meta.url), 'utf8');
    const rows = [...source.matchAll(/X\([A-Z_]+, "([a-z_.]+)", "(NEOCOMPUTE_[A-Z_]+)", "([^"]*)"/g)];
    assert.ok(rows.length >= 20);
    const help = stdout.replace(/\s+/g, ' ');
    for (const [, name, environment, fallback] of rows) {
      const option = `--${name.replace(/^server\./, '').replace(/[._]/g, '-')} `;
      assert.ok(help.includes(option), option);
      assert.ok(help.includes(fallback ? `(${environment}; ${fallback})` : `(${environment})`), environment);
    }
    assert.match(stdout, /--config FILE/);
  });

  test('PORT, as the reference has it', async () => {
    const port = await free();
    const service = await serve({ base: [], env: { PORT: String(port), NEOCOMPUTE_METRICS_LISTEN: '127.0.0.1:0', NEOCOMPUTE_STATE: 'memory' } });
    assert.equal(service.address, `127.0.0.1:${port}`);
    assert.equal((await ask(service, 'GET', '/health')).status, 200);
    await service.stop();
    const { status, text } = await refusedStart({ env: { PORT: 'http' } });
    assert.deepEqual([status, /PORT/.test(text)], [2, true]);
  });

  test('environment, file, command line: the later one counts', async () => {
    const config = join(scratch(), 'neocompute.ini');
    writeFileSync(config, '; settings\n[server]\nstate = memory\nlisten = 127.0.0.1:0\nmetrics_listen = 127.0.0.1:0\n[jobs]\nper_user = 2\nwaiting = 7\nworkers = 3\n');
    const service = await serve({ base: ['--config', config], args: ['--jobs-per-user', '4'], env: { NEOCOMPUTE_JOBS_PER_USER: '3', NEOCOMPUTE_JOBS_WAITING: '8' } });
    const { limits } = (await ask(service, 'GET', '/info')).json;
    assert.deepEqual([limits.jobs_per_user, limits.jobs_waiting, limits.jobs_running], [4, 8, 3]);
    await service.stop();
    writeFileSync(config, '[server]\nprot = 1\n');
    const { status, text } = await refusedStart({ base: ['--config', config] });
    assert.equal(status, 2);
    assert.match(text, /neocompute\.ini:2: no such setting/);
  });

  test('the log level', async () => {
    for (const [level, told] of [['info', 1], ['warn', 0]]) {
      const url = `http://127.0.0.1:${await free()}`;
      const service = await serve({ wait: false, env: { NEOCOMPUTE_LOG_LEVEL: level }, base: ['--listen', url.slice(7), '--metrics-listen', '', '--state', 'memory'] });
      await until(() => ask(service, 'GET', '/ready', { url }).then(({ status }) => status === 200, () => false), 'readiness');
      await completed(service, { script: fine }, { url });
      assert.equal((await execute(service, { script: fine }, { url, user: null })).status, 401);
      await service.stop();
      assert.equal(service.events('request').filter(({ path, status }) => path === '/execute' && status === 200).length, told);
      assert.equal(service.events('refused_caller').length, 1);
    }
  });

  test('limits that are set are kept', async () => {
    const service = await serve({ env: { NEOCOMPUTE_JOBS_PER_USER: '1' } });
    const first = execute(service, { script: spin(400) });
    await runs(service, 'alice');
    const problem = assertProblem(await execute(service, { script: fine }), 429, 'too_many_jobs');
    assert.equal(problem.message, 'too many concurrent jobs (max 1)');
    await first;
    await service.stop();
  });

  test('encrypted_output always: beside the output, as the reference', async () => {
    const service = await serve({ env: { NEOCOMPUTE_ENCRYPTED_OUTPUT: 'always' } });
    const { output, encrypted_output: sealed } = await completed(service, { script: fine });
    assert.deepEqual(output, { ok: true });
    assert.equal(protection(Buffer.from(MASTER_KEY, 'hex')).decrypt(sealed), '{"ok":true}');
    await service.stop();
  });

  test('values that are none', async () => {
    for (const args of [['--jobs-encrypted-output', 'sometimes'], ['--log-level', 'loud'], ['--jobs-disk-sync', 'maybe']]) {
      const { status, reason } = await refusedStart({ args });
      assert.equal(status, 1, args.join(' '));
      assert.match(reason, new RegExp(args[0].slice(2).split('-').at(-1)));
    }
  });
});
