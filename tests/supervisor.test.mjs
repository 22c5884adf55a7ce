// `neocompute serve` as its operator sees it: start, refusals, keys, signals, and what happens when a process of the service
// ends or lies. But for the last tests the program is neocompute-standin: the same command line and supervisor, with a keeper
// and a broker that can be told to misbehave (tests/standin.c).
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, describe, test } from 'node:test';
import { gramine } from './service/gramine.mjs';

const real = resolve(process.env.NEOCOMPUTE ?? 'build/neocompute');
const program = resolve(process.env.STANDIN ?? 'build/neocompute-standin');
const folder = mkdtempSync(join(tmpdir(), 'supervisor-test-'));
chmodSync(folder, 0o755); // root's broker is nobody, and must get to its state directory
after(() => rmSync(folder, { recursive: true, force: true }));

const KEY = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff';
const PEM = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n';
const running = new Set();
after(() => { for (const child of running) child.kill('SIGKILL'); });

const onlyRoot = { skip: process.getuid() !== 0 && 'only root may look' };

let count = 0;
const put = (name, content) => { const path = join(folder, name); writeFileSync(path, content); return path; };

// A child has no environment once it is the program it is to be; a moment before, it is a copy of the supervisor, which has no
// key in its own any more.
async function assertBare(child) {
  for (const end = Date.now() + 5000; ; await new Promise((resolve) => setTimeout(resolve, 10))) {
    const environment = readFileSync(`/proc/${child}/environ`, 'utf8');
    assert.doesNotMatch(environment, /c0ffee|MASTER_KEY|MARBLE_SECRETS|JWT_SECRET/);
    if (environment === '') return;
    if (Date.now() > end) assert.equal(environment, '');
  }
}

// A started service: `lines` are its log so far; `ended` resolves to {status, signal, lines, ms}.
function serve(args = [], env = {}, options = {}) {
  const state = join(folder, `state-${count++}`);
  const [command, ...before] = [...(options.through ?? []), options.program ?? program];
  const child = spawn(command, [...before, 'serve', '--listen=127.0.0.1:0', '--metrics-listen=', `--state=${state}`, ...args],
    { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'ignore', 'pipe'], detached: options.detached });
  const service = { child, pid: child.pid, state, lines: [], text: '' };
  const waiting = [];
  running.add(child);
  child.stderr.setEncoding('utf8').on('data', (part) => {
    service.text += part;
    const whole = service.text.split('\n').slice(0, -1);
    service.lines = whole.map((line) => { try { return JSON.parse(line); } catch { return { plain: line }; } });
    for (const look of waiting) look();
  });
  service.ended = new Promise((done) => child.on('close', (status, signal) => {
    running.delete(child);
    done({ status, signal, lines: service.lines, text: service.text });
  }));
  // The first line with this event; fails if the service ends before.
  service.event = (name, nth = 0) => new Promise((found, failed) => {
    const look = () => {
      const hits = service.lines.filter(({ event }) => event === name);
      if (hits.length > nth) found(hits[nth]);
    };
    waiting.push(look);
    look();
    service.ended.then(() => { look(); failed(new Error(`no ${name}: ${service.text}`)); });
  });
  return service;
}

const children = (pid) => readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name) => {
  try {
    const [, rest] = readFileSync(`/proc/${name}/stat`, 'utf8').split(/\) (?=\w )/);
    return rest.split(' ')[1] === String(pid) ? [Number(name)] : [];
  } catch { return []; }
});
const alive = (pid) => { try { return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')); } catch { return false; } };
const commandOf = (pid) => { try { return readFileSync(`/proc/${pid}/cmdline`, 'utf8'); } catch { return ''; } };
const named = (pid, name) => children(pid).find((child) => commandOf(child).startsWith(name));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const until = async (true_, ms = 5000) => {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(10)) if (true_()) return;
  assert.ok(true_());
};

async function up(...args) {
  const service = serve(...args);
  await service.event('listening');
  await until(() => children(service.pid).length === 5);
  return service;
}

async function refused(reason, args, env) {
  const { status, lines } = await serve(args, env).ended;
  assert.equal(status, 1);
  const line = lines.find(({ event }) => event === 'not_started');
  assert.match(line?.reason ?? JSON.stringify(lines), reason);
  assert.equal(lines.some(({ event }) => event === 'listening'), false);
}

describe('a start', () => {
  test('five processes, the address in the log, private state, an end by SIGTERM', async () => {
    const service = await up([], { COMPUTE_MASTER_KEY: KEY });
    const { address } = await service.event('listening');
    assert.match(address, /^127\.0\.0\.1:[1-9]\d*$/);
    const key = await service.event('standin_key');
    assert.deepEqual([key.bytes, key.secrets, key.supabase], [32, 0, 0]);
    const setup = await service.event('standin_setup');
    assert.deepEqual([setup.auth, setup.store, setup.strict], ['dev', `${service.state}/jobs.sqlite`, 0]);
    assert.equal(statSync(service.state).mode & 0o777, 0o700);
    const all = children(service.pid);
    service.child.kill('SIGTERM');
    const { status, lines } = await service.ended;
    assert.equal(status, 0);
    const complaints = lines.filter(({ level }) => level === 'error' || level === 'warn').map(({ event }) => event);
    assert.deepEqual(complaints, ['evidence_simulated'], JSON.stringify(lines));
    assert.deepEqual(all.filter(alive), []);
  });

  test('SIGINT, too; and a terminal\'s goes to the supervisor alone', async () => {
    const service = await up([], {}, { detached: true });
    process.kill(-service.pid, 'SIGINT'); // as a terminal does it: the whole group
    const { status, lines } = await service.ended;
    assert.equal(status, 0);
    assert.deepEqual(lines.filter(({ event }) => event !== 'egress_ended' && /ended|lost/.test(event)), []);
  });

  test('no process has a key in its environment, nor anything else', onlyRoot, async () => {
    const canary = 'c0ffee'.repeat(12);
    const service = await up(['--auth-mode=jwt'], {
      COMPUTE_MASTER_KEY: canary, SECRETS_MASTER_KEY: canary.slice(0, 64), NEOCOMPUTE_DATABASE_URL: `postgres://x:${canary}@localhost/x`, NEOCOMPUTE_JWT_SECRET: canary, SUPABASE_SERVICE_KEY: canary,
      MARBLE_SECRETS: JSON.stringify({ OTHER: Buffer.from(canary).toString('base64') }), HARMLESS: 'yes',
    });
    assert.equal((await service.event('standin_setup')).jwt_secret, canary.length);
    const environment = readFileSync(`/proc/${service.pid}/environ`, 'utf8');
    assert.match(environment, /HARMLESS=yes/);
    assert.doesNotMatch(environment, /c0ffee|MASTER_KEY|MARBLE_SECRETS|JWT_SECRET|DATABASE_URL/);
    for (const child of children(service.pid)) await assertBare(child);
    service.child.kill('SIGTERM');
    assert.doesNotMatch((await service.ended).text, /c0ffee/);
  });

  test('memory of the supervisor holds no key once it runs', onlyRoot, async (t) => {
    const service = await up([], { COMPUTE_MASTER_KEY: KEY });
    const needles = [Buffer.from(KEY, 'hex'), Buffer.from(KEY)];
    const text = readFileSync(`/proc/${service.pid}/maps`, 'utf8');
    if (text.includes('libasan')) return void (t.skip('AddressSanitizer keeps a copy of the environment'), service.child.kill('SIGTERM'));
    const maps = text.matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw.*?(\S*)$/gm);
    const memory = openSync(`/proc/${service.pid}/mem`, 'r');
    let looked = 0;
    for (const [, from, to] of maps) {
      const bytes = Buffer.alloc(parseInt(to, 16) - parseInt(from, 16));
      looked += readSync(memory, bytes, 0, bytes.length, parseInt(from, 16));
      for (const needle of needles) assert.equal(bytes.indexOf(needle), -1, `${from}-${to}`);
    }
    closeSync(memory);
    assert.ok(looked > 100000);
    service.child.kill('SIGTERM');
    assert.equal((await service.ended).status, 0);
  });

  test('keys of the secret stores go to the keeper', async () => {
    const service = await up([], { SECRETS_MASTER_KEY: KEY, SUPABASE_SERVICE_KEY: 'abcdef', COMPUTE_MASTER_KEY: KEY });
    const key = await service.event('standin_key');
    assert.deepEqual([key.bytes, key.secrets, key.supabase], [32, 32, 6]);
    service.child.kill('SIGTERM');
    assert.equal((await service.ended).status, 0);
  });

  test('without a key it makes do, and says so', async () => {
    const service = await up();
    assert.equal((await service.event('master_key_ephemeral')).level, 'warn');
    assert.equal((await service.event('standin_key')).bytes, 0);
    service.child.kill('SIGTERM');
    await service.ended;
  });

  test('settings: command line before environment before file', async () => {
    const file = put('settings.ini', '[server]\nlog_level = debug\n[auth]\nmode = jwt\n[jobs]\nworkers = 3\n');
    const service = await up([`--config=${file}`, '--auth-mode=dev'], { NEOCOMPUTE_AUTH: 'mtls' });
    assert.equal((await service.event('standin_setup')).auth, 'dev');
    service.child.kill('SIGTERM');
    await service.ended;
  });

  test('systemd hears READY, WATCHDOG and STOPPING', async () => {
    const path = join(folder, 'notify');
    const ear = spawn('perl', ['-MSocket', '-e', `socket(S, AF_UNIX, SOCK_DGRAM, 0); bind(S, sockaddr_un('${path}')) or die;
      $| = 1; print "up\\n"; while (defined recv(S, $_, 999, 0)) { print "$_\\n" }`], { stdio: ['ignore', 'pipe', 'inherit'] });
    running.add(ear);
    let heard = '';
    ear.stdout.on('data', (part) => { heard += part; });
    await until(() => heard.includes('up'));
    const service = await up([], { NOTIFY_SOCKET: path, WATCHDOG_USEC: '200000' });
    await until(() => heard.includes('READY=1') && heard.split('WATCHDOG=1').length > 2);
    service.child.kill('SIGTERM');
    assert.equal((await service.ended).status, 0);
    await until(() => heard.includes('STOPPING=1'));
    ear.kill();
    running.delete(ear);
  });
});

describe('a start is refused', () => {
  const strict = { NEOCOMPUTE_STRICT: 'on' };
  const tls = (...parts) => parts.map((part) => `--tls-${part}=${put(`${part}.pem`, PEM)}`);
  test('address in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((listening) => other.on('listening', listening));
    const { port } = other.address();
    await refused(new RegExp(`server\\.listen: cannot listen on 127\\.0\\.0\\.1:${port}: Address already in use`), [`--listen=127.0.0.1:${port}`]);
    await refused(/server\.metrics_listen: cannot listen/, [`--metrics-listen=127.0.0.1:${port}`]);
    other.close();
  });
  test('an address that is none', () => refused(/server\.listen: localhost is no ADDRESS:PORT/, ['--listen=localhost']));
  test('dev beyond loopback', () => refused(/auth\.mode dev believes any caller, so it listens on loopback only/, ['--listen=0.0.0.0:0']));
  test('dev with a certificate', () => refused(/auth\.mode dev/, ['--auth-mode=dev', ...tls('cert', 'key', 'client-ca')]));
  test('a certificate without a CA', () => refused(/auth\.mode mtls needs tls\.client_ca/, tls('cert', 'key')));
  test('MarbleRun\'s certificate without a root CA', () => refused(/MARBLE_CERT needs MARBLE_ROOT_CA/, [], { MARBLE_CERT: PEM, MARBLE_KEY: PEM, COMPUTE_MASTER_KEY: KEY }));
  test('strict without a key', () => refused(/COMPUTE_MASTER_KEY is missing/, [], strict));
  test('in an enclave without a key', () => refused(/COMPUTE_MASTER_KEY is missing/, [], { OE_SIMULATION: '0' }));
  test('strict with identity headers', () => refused(/strict service needs mtls or jwt/, ['--attest-root', gramine().root], { ...strict, COMPUTE_MASTER_KEY: KEY }));
  test('a short key', () => refused(/at least 32 bytes/, [], { COMPUTE_MASTER_KEY: KEY.slice(2) }));
  test('jwt without a key', () => refused(/NEOCOMPUTE_JWT_SECRET or auth\.jwt_jwks/, ['--auth-mode=jwt']));
  test('a number that is none', () => refused(/jobs\.workers: 0 is no whole number from 1/, ['--jobs-workers=0']));
  test('a duration that is none', () => refused(/jobs\.result_ttl: 1 day is no duration/, ['--jobs-result-ttl=1 day']));
  test('a state directory in use', async () => {
    const service = await up();
    await refused(/another service uses the state directory/, [`--state=${service.state}`]);
    service.child.kill('SIGTERM');
    assert.equal((await service.ended).status, 0);
  });
  test('a state directory that others may use', async () => {
    const path = join(folder, 'shared');
    mkdirSync(path);
    put('shared/other', '');
    chmodSync(path, 0o755);
    await refused(/not empty and others may use it/, [`--state=${path}`]);
  });
  test('no worker', () => refused(/no-such-worker: No such file/, [], { NEOCOMPUTE_WORKER: '/no-such-worker' }));
  test('no egress beside the program', async () => {
    const lone = put('neocompute-lone', readFileSync(program));
    chmodSync(lone, 0o755);
    const { status, lines } = await serve([], { NEOCOMPUTE_WORKER: resolve(program, '../neocompute-worker') }, { program: lone }).ended;
    assert.equal(status, 1);
    assert.match(lines.find(({ event }) => event === 'not_started').reason, /neocompute-egress: No such file/);
  });
  test('what is said of the outside', async () => {
    await refused(/egress\.hosts: A\.example is no list of hosts/, ['--egress-hosts=A.example']);
    await refused(/egress\.private: 10\.0\.0\.1\/8 is no list of networks/, ['--egress-private=10.0.0.1/8']);
    await refused(/egress\.http: yes is none of on off/, ['--egress-http=yes']);
    await refused(/egress\.ca \/no-such-file: No such file/, ['--egress-ca=/no-such-file']);
    await refused(/egress\.ca .*: no certificate is in it/, [`--egress-ca=${put('no-ca', 'x')}`]);
    await refused(/egress\.names .*: No such file/, ['--egress-names=/no-such-file']);
    await refused(/secrets\.stores: vault is no list of embedded, supabase and postgres/, ['--secrets-stores=vault']);
    await refused(/secrets\.stores/, ['--secrets-stores=embedded embedded']);
    await refused(/secrets\.supabase_url: project\.example is no address/, [], { SUPABASE_URL: 'project.example' });
    await refused(/scripts\.url: https:\/\/user@x is no address/, ['--scripts-url=https://user@x']);
    await refused(/SECRETS_MASTER_KEY must have 32 bytes/, [], { SECRETS_MASTER_KEY: KEY.slice(2) });
  });
  test('usage', async () => {
    for (const args of [['--dance'], ['argument'], [`--config=${join(folder, 'none')}`], [`--config=${put('bad.ini', '[server]\nport = 1\n')}`]]) {
      const { status, text } = await serve(args).ended;
      assert.equal(status, 2);
      assert.match(text, /^neocompute serve: /);
    }
  });
});

describe('a process ends or lies', () => {
  // Status 1 within two seconds, nobody left.
  async function over(service, event, after_ = Date.now()) {
    const all = children(service.pid);
    const { status, lines } = await service.ended;
    assert.ok(Date.now() - after_ < 2000, `${Date.now() - after_} ms`);
    assert.equal(status, 1);
    assert.ok(lines.some((line) => line.event === event), JSON.stringify(lines));
    assert.deepEqual(all.filter(alive), []);
  }

  for (const name of ['keeper', 'broker']) {
    test(`kill -9 of the ${name}`, async () => {
      const service = await up();
      const all = children(service.pid), at = Date.now();
      process.kill(named(service.pid, `neocompute: ${name}`), 'SIGKILL');
      await over(service, 'process_ended', at);
      assert.deepEqual(all.filter(alive), []);
      assert.equal(service.lines.find(({ event }) => event === 'process_ended').signal, 9);
    });
  }

  test('kill -9 of the supervisor', async () => {
    const service = await up();
    const all = children(service.pid);
    service.child.kill('SIGKILL');
    await service.ended;
    await until(() => all.every((pid) => !alive(pid)), 2000);
  });

  test('kill -9 of a worker is the keeper\'s affair', async () => {
    const service = await up();
    await until(() => named(service.pid, 'neocompute-worker')); // it may not be the program yet
    process.kill(named(service.pid, 'neocompute-worker'), 'SIGKILL');
    await service.event('standin_gone');
    assert.equal(service.lines.find(({ event }) => event === 'worker_ended').signal, 9);
    assert.equal(children(service.pid).length, 4); // and no zombie
    service.child.kill('SIGTERM');
    assert.equal((await service.ended).status, 0);
  });

  test('kill -9 of egress: another is started, and the keeper is handed a link to it', async () => {
    const service = await up();
    const others = children(service.pid).filter((pid) => pid !== named(service.pid, 'neocompute: egress'));
    for (let round = 0; round < 3; round++) {
      const before = named(service.pid, 'neocompute: egress');
      process.kill(before, 'SIGKILL');
      const lost = await service.event('egress_lost', round);
      assert.deepEqual([lost.level, lost.signal], ['warn', 9]);
      await until(() => ![undefined, before].includes(named(service.pid, 'neocompute: egress')));
      await service.event('standin_outlet', round + 1);
      await until(() => service.lines.filter(({ event, of }) => event === 'fenced' && of === 'egress').length === round + 2);
    }
    assert.deepEqual(others.filter(alive), others);
    service.child.kill('SIGTERM');
    assert.equal((await service.ended).status, 0);
  });

  test('a worker is killed and another started at the keeper\'s word', async () => {
    const service = await up(['--auth-jwt-audience=keeper: replaces']);
    assert.equal((await service.event('standin_gone')).worker, 1);
    await until(() => children(service.pid).length === 5);
    service.child.kill('SIGTERM');
    assert.equal((await service.ended).status, 0);
  });

  // Who need not be root may give a priority back if he has the right to (RLIMIT_NICE); else the worker is replaced.
  const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
  const root = process.getuid() === 0;
  const cases = [['by whoever runs this', [], root], ['by nobody with the right', ['prlimit', '--nice=20:20', ...nobody], true],
    ['by nobody without', ['prlimit', '--nice=0:0', ...nobody], false]].filter(([, [word, ...words]]) =>
    !word || (root && spawnSync(word, [...words, 'true']).status === 0));
  for (const [name, through, kept] of cases) {
    test(`a priority lowered ${name}`, async () => {
      const service = serve(['--auth-jwt-audience=keeper: lowers a priority', '--state=memory'], {}, { through });
      await service.event('listening');
      const nice = (pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(/\) (?=\w )/)[1].split(' ')[16];
      await until(() => children(service.pid).some((pid) => nice(pid) === '10'));
      service.child.kill('SIGTERM');
      assert.equal((await service.ended).status, 0);
    });
    test(`a priority given back ${name}`, async () => {
      const service = serve(['--auth-jwt-audience=keeper: gives it back', '--state=memory'], {}, { through });
      if (kept) {
        await service.event('listening');
        await until(() => children(service.pid).length === 5);
        await sleep(50);
        assert.equal(service.lines.some(({ event }) => event === 'standin_gone' || event === 'priority_refused'), false);
      } else {
        await service.event('priority_refused');
        assert.equal((await service.event('standin_gone')).worker, 1);
      }
      service.child.kill('SIGTERM');
      assert.equal((await service.ended).status, 0);
    });
  }

  const lies = ['keeper: spawns the same', 'keeper: spawns too many', 'keeper: nice below zero', 'keeper: says what the broker says',
    'keeper: long message', 'keeper: up again', 'keeper: no fence', 'broker: drained too early', 'broker: spawns'];
  for (const lie of lies) test(lie, () => over(serve([`--auth-jwt-audience=${lie}`]), 'process_lied'));
  for (const end of ['keeper: exits', 'keeper: crashes', 'broker: exits'])
    test(end, () => over(serve([`--auth-jwt-audience=${end}`]), 'process_ended'));

  test('a broker that is never drained', async () => {
    const service = await up(['--auth-jwt-audience=broker: never drained', '--stop-grace=100ms']);
    service.child.kill('SIGTERM');
    const { status, lines } = await service.ended;
    assert.equal(status, 0);
    assert.ok(lines.some(({ event }) => event === 'not_drained'));
  });

  test('a second SIGTERM is at once', async () => {
    const service = await up(['--auth-jwt-audience=broker: never drained']);
    service.child.kill('SIGTERM');
    await service.event('stopping');
    service.child.kill('SIGTERM');
    assert.equal((await service.ended).status, 0);
  });

  test('SIGTERM before it serves', async () => {
    const service = serve(['--auth-jwt-audience=broker: silent']);
    await service.event('standin_setup');
    service.child.kill('SIGTERM');
    assert.equal((await service.ended).status, 0);
  });
});

describe('the real keeper and broker', () => {
  const start = async (args = [], env = {}) => {
    const service = serve(args, env, { program: real });
    service.url = `http://${(await service.event('listening')).address}`;
    return service;
  };
  const execute = async (service, script) => (await fetch(`${service.url}/execute`, { method: 'POST',
    headers: { 'content-type': 'application/json', 'x-user-id': 'somebody' }, body: JSON.stringify({ script }) })).json();

  test('serve, and end by SIGTERM with nobody left', async () => {
    const service = await start([], { COMPUTE_MASTER_KEY: KEY });
    assert.deepEqual((await execute(service, 'function main() { return { sum: 1 + 1 } }')).output, { sum: 2 });
    const all = children(service.pid);
    assert.ok(all.length >= 3);
    if (process.getuid() === 0)
      for (const child of all) await assertBare(child);
    service.child.kill('SIGTERM');
    assert.equal((await service.ended).status, 0);
    assert.deepEqual(all.filter(alive), []);
    assert.equal(service.text.includes(KEY.slice(0, 16)), false);
  });

  for (const name of ['keeper', 'broker', 'supervisor']) {
    test(`kill -9 of the ${name} while a script runs`, async () => {
      const service = await start();
      const all = children(service.pid);
      const running_ = execute(service, 'function main() { for (;;); }').catch((error) => error);
      await sleep(200);
      const at = Date.now();
      process.kill(name === 'supervisor' ? service.pid : named(service.pid, `neocompute: ${name}`), 'SIGKILL');
      const { status } = await service.ended;
      assert.ok(Date.now() - at < 2000, `${Date.now() - at} ms`);
      assert.equal(status, name === 'supervisor' ? null : 1);
      await until(() => !all.some(alive), 2000);
      await running_;
    });
  }
});

describe('the systemd unit', () => {
  const analyze = spawnSync('systemd-analyze', ['--version']).status === 0;
  test('has nothing that systemd would complain of', { skip: !analyze && 'systemd-analyze is not installed' }, () => {
    const unit = readFileSync('deploy/systemd/neocompute.service', 'utf8');
    assert.match(unit, /^ExecStart=\/usr\/local\/bin\/neocompute serve /m);
    const path = put('neocompute.service', unit.replace('/usr/local/bin/neocompute', program));
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, '']);
  });
});

describe('certificates', () => {
  test('are handed over, and again at SIGHUP; bad ones are not', async () => {
    const cert = put('server.pem', PEM), key = put('server.key', PEM), ca = put('ca.pem', PEM);
    const service = await up([`--tls-cert=${cert}`, `--tls-key=${key}`, `--tls-client-ca=${ca}`]);
    assert.equal((await service.event('standin_setup')).auth, 'mtls');
    assert.equal((await service.event('standin_tls')).certificate, PEM.length);
    put('server.pem', PEM + PEM);
    service.child.kill('SIGHUP');
    assert.equal((await service.event('standin_tls', 1)).certificate, 2 * PEM.length);
    put('server.pem', 'rubbish');
    service.child.kill('SIGHUP');
    assert.match((await service.event('certificates_kept')).reason, /not PEM/);
    service.child.kill('SIGTERM');
    const { status, lines } = await service.ended;
    assert.deepEqual([status, lines.filter(({ event }) => event === 'standin_tls').length], [0, 2]);
  });

  test('MarbleRun\'s need clients\' certificates', async () => {
    const service = await up([], { MARBLE_CERT: PEM, MARBLE_KEY: PEM, MARBLE_ROOT_CA: PEM, MARBLE_EXTRA_CLIENT_CA: PEM, COMPUTE_MASTER_KEY: KEY });
    const { require_client, client_ca } = await service.event('standin_tls');
    assert.deepEqual([require_client, client_ca], [1, 2 * PEM.length]);
    assert.deepEqual([(await service.event('standin_setup')).auth, (await service.event('standin_setup')).strict], ['mtls', 1]);
    if (process.getuid() === 0) assert.doesNotMatch(readFileSync(`/proc/${service.pid}/environ`, 'utf8'), /MARBLE_KEY/);
    service.child.kill('SIGTERM');
    assert.equal((await service.ended).status, 0);
  });
});
