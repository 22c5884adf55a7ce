// The marble, from its activation by a stand-in Coordinator to a request that is served with what it was given; and everything that
// may go wrong on the way.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import { assertNames, codes, coordinator, encode, frame, impostor } from './coordinator.mjs';
import { gramine } from './gramine.mjs';
import { binary } from './lib.mjs';
import { MASTER_KEY, ask, completed, freePort, processes, scratch, serve, until } from './service/service.mjs';

const marble = process.env.MARBLE ? resolve(process.env.MARBLE) : join(dirname(binary), 'neocompute-marble');
const KEY = 'c0ffee00'.repeat(8);
const PRINT = ['/usr/bin/env', '-0']; // a program that says what it was started with
const EXIT = { refused: 1, usage: 2, notStarted: 3 };

// Runs the marble: {status, log, text, variables of the program it became}.
async function activate({ address, folder = scratch(), args = [], program = PRINT, env = {}, tree } = {}) {
  const options = ['--pause', '0.01', '--wait', '5', ...args, ...(tree ? ['--machine-root', tree] : [])];
  const child = spawn(marble, [...options, '--', ...program], {
    cwd: folder, stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, GIVEN: 'yes', EDG_MARBLE_TYPE: 'neocompute', EDG_MARBLE_COORDINATOR_ADDR: address, ...env } });
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
  const out = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (data) => { out[name] += data; });
  const status = await new Promise((done) => child.on('close', done));
  clearTimeout(timer);
  const log = out.stderr.split('\n').filter(Boolean).map((line) => { try { return JSON.parse(line); } catch { return { event: 'unreadable', line }; } });
  const variables = Object.fromEntries(out.stdout.split('\0').filter(Boolean).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  return { status, log, text: out.stdout, stderr: out.stderr, variables, events: (event) => log.filter((line) => line.event === event) };
}

// It must end before it becomes the program, and say why.
async function refused(options, reason, detail) {
  const got = await activate(options);
  assert.equal(got.status, EXIT.refused, got.stderr);
  assert.equal(got.text, '', 'the program was started');
  const [line] = got.events('not_activated');
  assert.match(line.reason, reason, got.stderr);
  if (detail) assert.match(line.detail, detail, got.stderr);
  return got;
}

const mode = (path) => (statSync(path).mode & 0o777).toString(8);
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

describe('from the activation to a request that is served', () => {
  const folder = scratch(), secrets = join(folder, 'secrets');
  let there, service;
  before(async () => {
    there = await coordinator({
      parameters: () => ({
        Env: { COMPUTE_MASTER_KEY: KEY, SECRETS_MASTER_KEY: 'ab'.repeat(32), NEOCOMPUTE_LOG_LEVEL: 'debug' },
        Files: { [join(secrets, 'deep', 'er.key')]: 'a secret', [join(secrets, 'top.txt')]: Buffer.from([0, 255, 10]) } }) });
    const tree = gramine(scratch());
    writeFileSync(join(folder, 'top.txt'), '');
    service = await serve({
      under: [marble, '--files', secrets, '--machine-root', tree, '--'], tls: { rejectUnauthorized: false },
      env: { COMPUTE_MASTER_KEY: undefined, EDG_MARBLE_TYPE: 'neocompute', EDG_MARBLE_COORDINATOR_ADDR: there.address,
        EDG_MARBLE_UUID_FILE: join(folder, 'uuid'), EDG_MARBLE_DNS_NAMES: 'localhost,compute.example,10.1.2.3,fd00::1'} });
    service.tls = { ca: there.ca.marbleRoot, ...there.client('gateway.example') };
  });
  after(() => service.stop());

  test('the Coordinator got what it asks for', () => {
    const [call] = there.calls;
    assert.equal(there.calls.length, 1);
    assert.equal(call.MarbleType, 'neocompute');
    assert.equal(call.UUID, readFileSync(join(folder, 'uuid'), 'utf8'));
    assert.match(call.UUID, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(mode(join(folder, 'uuid')), '600');
    assert.ok(call.Quote.length > 4600);
  });
  test('its certificate', () => {
    const certificate = new X509Certificate(there.calls[0].certificate);
    assert.equal(certificate.subject, 'CN=MarbleRun Marble');
    assert.equal(certificate.issuer, certificate.subject);
    assert.ok(certificate.verify(certificate.publicKey));
    assert.equal(certificate.publicKey.asymmetricKeyDetails.namedCurve, 'secp384r1');
    assert.equal(certificate.ca, false);
    assert.ok(new Date(certificate.validTo).getUTCFullYear() > 2300, certificate.validTo);
    assert.ok(Math.abs(Date.parse(certificate.validFrom) - Date.now()) < 60_000, certificate.validFrom);
    assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    assertNames(certificate, ['DNS:localhost', 'DNS:compute.example', 'IP Address:10.1.2.3', 'IP Address:FD00:0:0:0:0:0:0:1', 'IP Address:127.0.0.1', 'IP Address:0:0:0:0:0:0:0:1']);
    assert.ok(certificate.serialNumber.length > 24, certificate.serialNumber);
  });
  test('a request over mTLS is served with the certificate that was issued', async () => {
    const reply = await completed(service, { script: 'function main(i) { return { sum: i.a + i.b } }', input: { a: 2, b: 3 } });
    assert.deepEqual(reply.output, { sum: 5 });
  });
  test('the certificate on the wire is the issued one, for the names that were asked for', async () => {
    const socket = tls.connect({ port: service.port, host: '127.0.0.1', servername: 'compute.example', ...service.tls });
    await once(socket, 'secureConnect');
    const { subject, subjectaltname } = socket.getPeerCertificate();
    socket.destroy();
    assert.equal(subject.CN, there.calls[0].UUID);
    assert.match(subjectaltname, /DNS:compute\.example/);
  });
  test('nobody without a certificate of that root is', async () => {
    await assert.rejects(ask(service, 'GET', '/health', { tls: { ca: there.ca.marbleRoot } }));
  });
  test('the service is strict, and nothing of the keys is left in its environment', () => {
    if (process.getuid() !== 0) return;
    for (const { pid } of processes(service)) {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
      assert.doesNotMatch(environment, /c0ffee00|MASTER_KEY=|PRIVATE KEY/, String(pid));
    }
  });
  test('SIGHUP: its key is gone from the environment, so the certificate stays as it is', async () => {
    service.child.kill('SIGHUP');
    await until(() => service.events('certificates_kept').length, 'the answer');
    assert.equal((await ask(service, 'GET', '/health')).status, 200);
  });
  test('the files are written, for nobody else', () => {
    assert.equal(readFileSync(join(secrets, 'deep', 'er.key'), 'utf8'), 'a secret');
    assert.deepEqual([...readFileSync(join(secrets, 'top.txt'))], [0, 255, 10]);
    assert.deepEqual([secrets, join(secrets, 'deep'), join(secrets, 'deep', 'er.key'), join(secrets, 'top.txt')].map(mode), ['700', '700', '600', '600']);
  });
  test('the log says so, and no secret', () => {
    const [line] = service.events('activated');
    assert.equal(line.process, 'marble');
    assert.deepEqual([line.type, line.uuid, line.files], ['neocompute', there.calls[0].UUID, 2]);
    assert.deepEqual(service.events('simulation'), []);
    assert.doesNotMatch(service.text, /c0ffee00|a secret|PRIVATE KEY/);
  });
});

describe('MARBLE_TTLS_CONFIG', () => {
  test('its entry for our port is what is served with; the rest is said not to be used', async () => {
    const port = await freePort();
    const entry = (issued, ca) => ({ cacrt: ca.marbleRoot, clicrt: issued.cert, clikey: issued.key, clientAuth: true });
    const there = await coordinator({ simulation: true, parameters: (issued, ca) => ({ Env: { COMPUTE_MASTER_KEY: KEY,
      MARBLE_TTLS_CONFIG: JSON.stringify({ tls: { Incoming: { [`*:${port}`]: entry(issued, ca), '*:1': entry(issued, ca) }, Outgoing: { 'db:5432': {} } } }) } }) });
    const service = await serve({ under: [marble, '--'], tls: { ca: there.ca.marbleRoot, ...there.client('gateway') },
      base: ['--listen', `127.0.0.1:${port}`, '--metrics-listen', '127.0.0.1:0', '--state', 'memory'],
      env: { COMPUTE_MASTER_KEY: undefined, EDG_MARBLE_TYPE: 'neocompute', EDG_MARBLE_COORDINATOR_ADDR: there.address, EDG_CWD: scratch() } });
    assert.deepEqual((await completed(service, { script: 'function main() { return { ok: true } }' })).output, { ok: true });
    await assert.rejects(ask(service, 'GET', '/health', { tls: { ca: there.ca.marbleRoot } }));
    const [{ incoming, outgoing }] = service.events('ttls_not_used');
    assert.deepEqual([incoming, outgoing], [1, 1]);
    await service.stop();
  });
});

describe('what the program starts with', () => {
  let there;
  const parameters = { Env: { COMPUTE_MASTER_KEY: KEY, GIVEN_NOT: 'x' } };
  before(async () => { there = await coordinator({ simulation: true, parameters: () => parameters }); });

  test('its environment: the given one, the manifest\'s, every marble\'s', async () => {
    parameters.Env = { COMPUTE_MASTER_KEY: KEY, NEOCOMPUTE_WORKERS: '3', EXTRA: 'a=b\nc' };
    const { variables, status } = await activate({ address: there.address, args: ['--env', 'EXTRA'], env: { COMPUTE_MASTER_KEY: MASTER_KEY } });
    assert.equal(status, 0);
    assert.deepEqual([variables.GIVEN, variables.COMPUTE_MASTER_KEY, variables.NEOCOMPUTE_WORKERS, variables.EXTRA], ['yes', KEY, '3', 'a=b\nc']);
    assert.match(variables.MARBLE_PREDEFINED_PRIVATE_KEY, /^-----BEGIN PRIVATE KEY-----/);
    assert.equal(variables.MARBLE_PREDEFINED_MARBLE_CERTIFICATE_CHAIN.match(/BEGIN CERTIFICATE/g).length, 2);
  });
  test('its arguments: the given ones, or the manifest\'s', async () => {
    parameters.Env = {};
    assert.equal((await activate({ address: there.address, program: ['/bin/echo', 'given'] })).text, 'given\n');
    parameters.Argv = ['whatever', 'from the', 'manifest'];
    assert.equal((await activate({ address: there.address, program: ['/bin/echo', 'given'] })).text, 'from the manifest\n');
    parameters.Argv = [];
  });
  test('the same UUID every time', async () => {
    const folder = scratch();
    await activate({ address: there.address, folder });
    await activate({ address: there.address, folder });
    assert.equal(there.calls.at(-1).UUID, there.calls.at(-2).UUID);
    assert.notDeepEqual(there.calls.at(-1).certificate, there.calls.at(-2).certificate);
    await activate({ address: there.address });
    assert.notEqual(there.calls.at(-1).UUID, there.calls.at(-2).UUID);
  });
  test('a program that cannot be started', async () => {
    const { status, events } = await activate({ address: there.address, program: ['/no/such/program'] });
    assert.deepEqual([status, events('not_started')[0].program], [EXIT.notStarted, '/no/such/program']);
  });
  test('its end is the marble\'s', async () => assert.equal((await activate({ address: there.address, program: ['/bin/sh', '-c', 'exit 42'] })).status, 42));
  test('somebody has activated it before', async () => {
    const calls = there.calls.length;
    for (const name of ['MARBLE_PREDEFINED_PRIVATE_KEY', 'MARBLE_KEY']) {
      const { status, variables, events } = await activate({ address: there.address, env: { [name]: 'x', EDG_MARBLE_TYPE: '' } });
      assert.deepEqual([status, variables[name], events('already_activated').length], [0, 'x', 1]);
    }
    assert.equal(there.calls.length, calls);
  });
});

describe('hardware and simulation', () => {
  test('no SGX: a simulating Coordinator takes an empty quote, and the log warns', async () => {
    const there = await coordinator({ simulation: true });
    const { status, events } = await activate({ address: there.address });
    assert.equal(status, 0);
    assert.equal(events('simulation')[0].level, 'warn');
    assert.equal(there.calls[0].Quote.length, 0);
  });
  test('any other refuses it, once', async () => {
    const there = await coordinator();
    await refused({ address: there.address }, /PERMISSION_DENIED/, /OpenEnclave/);
    assert.equal(there.calls.length, 1);
  });
  test('a strict marble does not even ask', async () => {
    const there = await coordinator({ simulation: true });
    for (const env of [{ OE_SIMULATION: '0' }, { NEOCOMPUTE_STRICT: 'on' }]) await refused({ address: there.address, env }, /simulation is not allowed/);
    assert.equal(there.calls.length, 0);
    assert.equal((await activate({ address: there.address, env: { OE_SIMULATION: '1', NEOCOMPUTE_STRICT: 'auto' } })).status, 0);
  });
  test('a quote that is bound to the certificate', async () => {
    const there = await coordinator();
    const { status, events, stderr } = await activate({ address: there.address, tree: gramine(scratch()), env: { OE_SIMULATION: '0' } });
    assert.equal(status, 0, stderr);
    assert.deepEqual(events('simulation'), []);
    assert.equal(sha256(there.calls[0].certificate), there.calls[0].Quote.subarray(16 + 368, 16 + 400).toString('hex'));
  });
  test('a quote over something else is not sent', async () => {
    const there = await coordinator({ simulation: true });
    await refused({ address: there.address, tree: gramine(scratch(), 'other') }, /the quote cannot be made/);
    assert.equal(there.calls.length, 0);
  });
});

describe('what the Coordinator answers', () => {
  const again = [[codes.FAILED_PRECONDITION, 'cannot accept marbles in current state'], [codes.UNAVAILABLE, 'not yet']];
  test('not ready, then ready', async () => {
    const there = await coordinator({ simulation: true, answers: [...again] });
    const { status, events } = await activate({ address: there.address });
    assert.equal(status, 0);
    assert.deepEqual(events('asking_again').map((line) => [line.status, line.detail, line.pause_ms]),
      [['FAILED_PRECONDITION', 'cannot accept marbles in current state', 10], ['UNAVAILABLE', 'not yet', 20]]);
    assert.equal(there.calls.length, 3);
    assert.deepEqual(there.calls[2].certificate, there.calls[0].certificate);
  });
  test('never ready: the patience has an end', async () => {
    const there = await coordinator({ answers: Array.from({ length: 1000 }, () => again[0]) });
    await refused({ address: there.address, args: ['--wait', '0.3'] }, /FAILED_PRECONDITION/);
    assert.ok(there.calls.length > 1 && there.calls.length < 20, String(there.calls.length));
  });
  for (const [name, code] of Object.entries(codes).filter(([, number]) => typeof number === 'number' && ![codes.OK, codes.UNAVAILABLE, codes.FAILED_PRECONDITION].includes(number))) {
    test(`${name} is final`, async () => {
      const there = await coordinator({ answers: [[code, 'Grün: 100 %, "no"']] });
      await refused({ address: there.address }, new RegExp(`^${name}$`), /^Grün: 100 %, "no"$/);
      assert.equal(there.calls.length, 1);
    });
  }
  test('an unknown type', async () => refused({ address: (await coordinator({ simulation: true, marbles: ['other'] })).address }, /PERMISSION_DENIED/, /unknown marble type/));
  test('nobody is there', async () => {
    const got = await refused({ address: `127.0.0.1:${await freePort()}`, args: ['--wait', '0.2'] }, /UNAVAILABLE/);
    assert.ok(got.events('asking_again').length > 0);
  });
});

describe('whoever answers instead', () => {
  const ok = { ':status': 200, 'content-type': 'application/grpc' };
  const reply = (body, { headers = ok, trailers = { 'grpc-status': '0' } } = {}) => (stream) => {
    stream.once('wantTrailers', () => { if (!stream.destroyed) stream.sendTrailers(trailers); });
    stream.respond(headers, { waitForTrailers: true });
    stream.end(body);
  };
  const fine = () => frame(encode({ Env: {}, Files: {}, Argv: [] }));
  const cases = [
    ['garbage', reply(Buffer.from('garbage')), /INTERNAL/, /not one gRPC message/],
    ['nothing', reply(''), /INTERNAL/, /not one gRPC message/],
    ['a compressed message', reply(frame(encode({ Env: {} }), { flag: 1 })), /INTERNAL/, /not one gRPC message/],
    ['two messages', reply(Buffer.concat([fine(), fine()])), /INTERNAL/, /not one gRPC message/],
    ['a length of 4 GiB', reply(frame(Buffer.from('abc'), { length: 0xffffffff })), /INTERNAL/, /not one gRPC message/],
    ['a message that is none', reply(frame(Buffer.from([0xff, 0xff, 0xff]))), /the answer is no activation/],
    ['an empty message', reply(frame(Buffer.alloc(0))), /the answer is no activation/],
    ['more than may be', reply(Buffer.alloc(8 << 20)), /INTERNAL/, /too large/],
    ['half a million entries', reply(frame(Buffer.concat([Buffer.from([0x0a, 0xc0, 0x84, 0x3d]), Buffer.alloc(1_000_000, Buffer.from([0x12, 0x00]))]))), /the answer is no activation|what came cannot be used/],
    ['no status', reply(fine(), { trailers: {} }), /UNKNOWN/, /without a gRPC status/],
    ['a status that is none', reply(fine(), { trailers: { 'grpc-status': '0x0' } }), /INTERNAL/],
    ['two statuses', reply(fine(), { headers: { ...ok, 'grpc-status': '7' } }), /INTERNAL/],
    ['another type', reply(fine(), { headers: { ':status': 200, 'content-type': 'text/html' } }), /UNKNOWN/],
    ['401', (stream) => stream.respond({ ':status': 401 }, { endStream: true }), /UNAUTHENTICATED/, /HTTP status 401/],
    ['404', (stream) => stream.respond({ ':status': 404 }, { endStream: true }), /UNIMPLEMENTED/],
    ['a reset', (stream) => stream.close(2), /INTERNAL/],
    ['a redirect', (stream) => stream.respond({ ':status': 302, location: 'https://127.0.0.1:1/' }, { endStream: true }), /UNKNOWN/, /302/],
    ['silence', () => {}, /DEADLINE_EXCEEDED/],
    ['headers, then silence', (stream) => stream.respond(ok), /DEADLINE_EXCEEDED/],
  ];
  for (const [name, handle, reason, detail] of cases) {
    test(name, async () => {
      const there = await impostor(handle);
      await refused({ address: there.address, args: ['--timeout', reason.source === 'DEADLINE_EXCEEDED' ? '2' : '20'] }, reason, detail);
      assert.equal(there.calls(), 1);
    });
  }
  test('a proxy that says 503, until the patience ends', async () => {
    const there = await impostor((stream) => stream.respond({ ':status': 503 }, { endStream: true }));
    await refused({ address: there.address, args: ['--wait', '0.2'] }, /UNAVAILABLE/, /HTTP status 503/);
    assert.ok(there.calls() > 1);
  });
  test('HTTP/1.1', async () => {
    const there = await impostor();
    await refused({ address: there.address }, /INTERNAL/, /HTTP\/2/);
  });
  test('no TLS', async () => {
    const server = net.createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 200 OK\r\n\r\n'));
    await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
    after(() => server.close());
    await refused({ address: `127.0.0.1:${server.address().port}`, args: ['--wait', '0.1'] }, /UNAVAILABLE/);
  });
  test('a proxy of the environment is not asked', async () => {
    const there = await coordinator({ simulation: true });
    const { status } = await activate({ address: there.address, env: { https_proxy: 'http://127.0.0.1:1', ALL_PROXY: 'http://127.0.0.1:1' } });
    assert.equal(status, 0);
  });
});

describe('a manifest that goes too far', () => {
  const parameters = {};
  let there;
  before(async () => { there = await coordinator({ simulation: true, parameters: () => parameters }); });
  const goesTooFar = async (what, detail, args = []) => {
    Object.assign(parameters, { Env: {}, Files: {}, Argv: [] }, what);
    return refused({ address: there.address, args }, /what came cannot be used/, detail);
  };
  for (const name of ['LD_PRELOAD', 'LD_LIBRARY_PATH', 'GLIBC_TUNABLES', 'OPENSSL_CONF', 'NEOCOMPUTE_WORKER', 'PATH', 'OE_SIMULATION', 'MARBLE_', 'A B', '']) {
    test(`variable ${name}`, () => goesTooFar({ Env: { [name]: 'x' } }, /not the Coordinator's to set/));
  }
  test('not even if it is told that NEOCOMPUTE_WORKER may be set', () => goesTooFar({ Env: { NEOCOMPUTE_WORKER: 'x' } }, /not the Coordinator's/, ['--env', 'NEOCOMPUTE_WORKER']));
  test('a NUL in a value', () => goesTooFar({ Env: { MARBLE_X: 'a\0b' } }, /NUL/));
  test('a NUL in a name', () => goesTooFar({ Env: { 'MARBLE_X\0Y': 'a' } }, /not the Coordinator's/));
  test('a value too long', () => goesTooFar({ Env: { MARBLE_X: 'x'.repeat(131072) } }, /too long/));
  test('a NUL in an argument', () => goesTooFar({ Argv: ['a', 'b\0c'] }, /argument/));
  test('more variables than anybody needs', () => goesTooFar({ Env: Object.fromEntries(Array.from({ length: 1025 }, (_, i) => [`MARBLE_${i}`, ''])) }, /more than 1024/));

  const base = scratch(), allowed = join(base, 'allowed'), elsewhere = join(base, 'elsewhere');
  mkdirSync(allowed);
  mkdirSync(elsewhere);
  symlinkSync(elsewhere, join(allowed, 'link'));
  writeFileSync(join(elsewhere, 'file'), 'untouched');
  symlinkSync(join(elsewhere, 'file'), join(allowed, 'file'));
  const paths = [`${elsewhere}/new`, `${allowed}/../elsewhere/new`, `${allowed}`, `${allowed}/`, `${allowed}//new`, `${allowed}/./new`, 'relative', '', `${allowed}er/new`, `${allowed}/a\0b`, `${allowed}/${'x'.repeat(256)}`];
  for (const path of paths) {
    test(`file ${JSON.stringify(path.replace(base, '').slice(0, 40))}`, async () => {
      await goesTooFar({ Files: { [path]: 'x', [`${allowed}/fine`]: 'x' } }, /where none may be/, ['--files', allowed]);
      assert.equal(existsSync(join(allowed, 'fine')), false, 'something was written all the same');
    });
  }
  test('file through a link', () => goesTooFar({ Files: { [`${allowed}/link/new`]: 'x' } }, /allowed\/link\/new/, ['--files', allowed]));
  test('a link in the file\'s place', () => goesTooFar({ Files: { [`${allowed}/file`]: 'x' } }, /allowed\/file/, ['--files', allowed]));
  after(() => {
    assert.deepEqual(readdirSync(elsewhere), ['file']);
    assert.equal(readFileSync(join(elsewhere, 'file'), 'utf8'), 'untouched');
  });
  test('a file that others could read is closed to them', async () => {
    writeFileSync(join(allowed, 'lax'), 'old and longer');
    chmodSync(join(allowed, 'lax'), 0o644);
    Object.assign(parameters, { Env: {}, Files: { [`${allowed}/lax`]: 'new' }, Argv: [] });
    assert.equal((await activate({ address: there.address, args: ['--files', allowed] })).status, 0);
    assert.deepEqual([readFileSync(join(allowed, 'lax'), 'utf8'), mode(join(allowed, 'lax'))], ['new', '600']);
  });
});

describe('what it is told', () => {
  const address = '127.0.0.1:1';
  const wrong = async (options, message) => {
    const { status, stderr } = await activate({ address, ...options });
    assert.equal(status, EXIT.usage, stderr);
    assert.match(stderr, message);
  };
  test('no type', () => wrong({ env: { EDG_MARBLE_TYPE: '' } }, /EDG_MARBLE_TYPE/));
  for (const text of ['host', ':2001', 'host:', 'host:0', 'host:65536', 'a/b:1', 'user@host:1', '[::1:1', '::1:1', 'host:1/path', 'host:1?x', ' host:1']) test(`address ${text}`, () => wrong({ address: text }, /HOST:PORT/));
  test('no program', () => wrong({ program: [] }, /PROGRAM is missing/));
  for (const args of [['--files', 'relative'], ['--files', '/a/../b'], ['--files', '/'], ['--wait', 'x'], ['--timeout', '0'], ['--pause', '-1'], ['--unknown']]) test(args.join(' '), () => wrong({ args }, /./));
  test('--help', async () => assert.match((await activate({ address, args: ['--help'] })).text, /usage: neocompute-marble/));
  for (const names of ['a b', 'x,,y', 'under/score', 'a:b', 'x'.repeat(254), Array.from({ length: 65 }, (_, i) => `n${i}`).join()]) {
    test(`names ${names.slice(0, 20)}`, () => refused({ address, env: { EDG_MARBLE_DNS_NAMES: names } }, /EDG_MARBLE_DNS_NAMES/));
  }
  for (const content of ['', 'not a uuid', '123e4567-e89b-12d3-a456-42661417400', '123e4567-e89b-12d3-a456-426614174000x', '123e4567-e89b-12d3-a456-426614174000\n\n']) {
    test(`UUID file ${JSON.stringify(content)}`, async () => {
      const folder = scratch();
      writeFileSync(join(folder, 'uuid'), content);
      await refused({ address, folder }, /holds no UUID/);
      assert.equal(readFileSync(join(folder, 'uuid'), 'utf8'), content);
    });
  }
  test('a UUID file that cannot be written', () => refused({ address, env: { EDG_MARBLE_UUID_FILE: '/no/such/folder/uuid' } }, /UUID file/, /^\/no\/such\/folder\/uuid: No such file/));
  test('one that ends with a line break, in EDG_CWD', async () => {
    const there = await coordinator({ simulation: true }), folder = scratch();
    writeFileSync(join(folder, 'uuid'), '123E4567-e89b-12d3-a456-426614174000\n');
    assert.equal((await activate({ address: there.address, env: { EDG_CWD: folder } })).status, 0);
    assert.equal(there.calls[0].UUID, '123e4567-e89b-12d3-a456-426614174000');
  });
});
