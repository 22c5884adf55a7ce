// Egress as its keeper sees it: real processes, a real origin on loopback. tests/egress_main.c is its supervisor and keeper.
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, readSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { start } from './egress.mjs';
import { authority, origin } from './origin.mjs';
import { startPostgres } from './postgres.mjs';

const LOOPBACK = '127.0.0.0/8 ::1/128';
const NAMES = ['a.example', 'b.example'];
const ca = authority(), other = authority();
const namesFile = join(ca.folder, 'names');
writeFileSync(namesFile, `127.0.0.1 ${NAMES.join(' ')} wrong.example\n192.0.2.1 docs.example\n::ffff:127.0.0.1 mapped.example\n`);
const tls = ca.leaf([...NAMES, '127.0.0.1']);
const egress = (options) => start({ names: namesFile, exceptions: LOOPBACK, authorities: ca.file, ...options });
const cpu = (pid) => { const [, rest] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(/\) (?=\w )/); const f = rest.split(' '); return Number(f[11]) + Number(f[12]); };
const rss = (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
// Where in a process's memory one of `needles` is.
function search(pid, needles) {
  const memory = openSync(`/proc/${pid}/mem`, 'r'), hits = [];
  for (const [, from, to, what] of readFileSync(`/proc/${pid}/maps`, 'utf8').matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw.*?(\S*)$/gm)) {
    const bytes = Buffer.alloc(parseInt(to, 16) - parseInt(from, 16));
    readSync(memory, bytes, 0, bytes.length, parseInt(from, 16));
    for (const needle of needles) for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) hits.push(`${needle.slice(0, 8)} in ${what || from} at ${at}`);
  }
  closeSync(memory);
  return hits;
}
const until = async (holds, ms = 5000) => {
  for (const end = Date.now() + ms; Date.now() < end; await new Promise((done) => setTimeout(done, 10))) if (holds()) return;
  assert.ok(holds());
};
const refused = (answer, result, sentence) => {
  assert.deepEqual([answer.result, answer.status, answer.body.length, answer.headers], [result, 0, 0, []], answer.error);
  assert.match(answer.error, sentence);
};

for (const h2 of [false, true]) describe(h2 ? 'HTTP/2' : 'HTTP/1.1', () => {
  let server, e;
  before(async () => { server = await origin({ tls, h2 }); e = await egress(); });
  after(async () => { server.close(); assert.deepEqual((await e.stop()), { ended: 0, signal: 0 }, e.log); });
  const ask = (target, more) => e.ask({ target, port: server.port, ...more });
  const echo = async (more, target = '/echo') => JSON.parse((await ask(target, more)).body);

  test('an exchange: method, target, headers and body go out as they are, and nothing else', async () => {
    const answer = await ask('/echo?status=201&x=/../%2e?y', { method: 'PATCH', headers: [['x-one', '1'], ['x-empty', '']], body: 'a body' });
    assert.deepEqual([answer.result, answer.status, answer.location], ['ok', 201, '']);
    const said = JSON.parse(answer.body);
    assert.deepEqual([said.method, said.target, said.body, said.version], ['PATCH', '/echo?status=201&x=/../%2e?y', 'a body', h2 ? '2.0' : '1.1']);
    const { host, ':authority': authority_, ...headers } = said.headers;
    assert.equal(h2 ? authority_ : host, `a.example:${server.port}`);
    const names = Object.keys(headers).filter((name) => !name.startsWith(':')).sort();
    assert.deepEqual(names, ['accept-encoding', 'content-length', 'x-empty', 'x-one']);
    assert.deepEqual([headers['x-one'], headers['x-empty'], headers['content-length']], ['1', '', '6']);
  });

  test('content type, accept and encoding are the request\'s', async () => {
    const { headers } = await echo({ method: 'POST', headers: [['content-type', 'text/x'], ['accept', 'text/y'], ['accept-encoding', 'identity']], body: '{}' });
    assert.deepEqual([headers['content-type'], headers.accept, headers['accept-encoding']], ['text/x', 'text/y', 'identity']);
  });

  test('methods with and without a body', async () => {
    assert.equal((await echo({ method: 'POST' })).headers['content-length'], '0');
    assert.equal((await echo({ method: 'GET' })).headers['content-length'], undefined);
    assert.equal((await echo({ method: 'DELETE', body: 'x' })).body, 'x');
    assert.equal((await echo({ method: 'OPTIONS' })).method, 'OPTIONS');
    const head = await ask('/echo', { method: 'HEAD' });
    assert.deepEqual([head.result, head.status, head.body.length], ['ok', 200, 0]);
    assert.equal((await echo({ method: 'PUT', body: 'x'.repeat(1 << 20) })).length, 1 << 20);
  });

  test('headers of the answer: names in lower case, in order, one by one', async () => {
    const { headers } = await ask('/cookies');
    assert.deepEqual(headers.filter(([name]) => name === 'set-cookie'), [['set-cookie', 'a=1'], ['set-cookie', 'b=2']]);
    assert.deepEqual(headers.find(([name]) => name === 'x-mixed'), ['x-mixed', 'Case']);
  });

  test('no cookie comes back', async () => {
    await ask('/cookies');
    assert.equal((await echo()).headers.cookie, undefined);
  });

  test('statuses are answers, too', async () => {
    assert.deepEqual([(await ask('/none')).status, (await ask('/echo?status=500')).status, (await ask('/empty')).status], [404, 500, 204]);
  });

  test('a redirect is told, resolved, and not followed', async () => {
    const base = `https://a.example:${server.port}`;
    for (const [to, location] of [['/x?y#z', `${base}/x?y`], ['x', `${base}/x`], ['//b.example/', 'https://b.example/'], ['?q', `${base}/redirect?q`],
      ['https://user:word@b.example/p#f', 'https://b.example/p'], ['http://b.example:81/a/../b', 'http://b.example:81/b'], ['ftp://b.example/', 'ftp://b.example/']]) {
      const answer = await ask(`/redirect?to=${encodeURIComponent(to)}`);
      assert.deepEqual([answer.result, answer.status, answer.location, String(answer.body)], ['ok', 302, location, 'gone'], to);
    }
    assert.equal(server.requests.some(({ url }) => url.startsWith('/x')), false);
    assert.equal((await ask(`/redirect?status=304&to=/x`)).location, '');
    refused(await ask(`/redirect?to=${encodeURIComponent('https://:::/')}`), 'fetch_failed', /no URL/);
  });

  test('bounds: body, headers, time', async () => {
    assert.equal((await ask('/huge?bytes=1000', { max: 1000 })).body.length, 1000);
    refused(await ask('/huge?bytes=1001', { max: 1000 }), 'fetch_response_too_large', /body is too large/);
    refused(await ask('/chunked?chunks=4', { max: 3999 }), 'fetch_response_too_large', /body is too large/);
    assert.equal((await ask('/chunked?chunks=4', { max: 4000 })).body.length, 4000);
    assert.equal((await ask('/headers?count=8&bytes=1900')).status, 200);
    refused(await ask('/headers?count=9&bytes=1900'), 'fetch_headers_too_large', /headers are too large/);
    refused(await ask('/silent', { timeout: 200 }), 'fetch_timeout', /a\.example: no answer in time/);
    refused(await ask('/drip', { timeout: 300 }), 'fetch_timeout', /no answer in time/);
    assert.equal(String((await ask('/drip?bytes=3&ms=10')).body), '...');
    assert.equal((await ask('/slow?ms=100', { timeout: 4000 })).result, 'ok');
  });

  test('a body that unpacks is bounded by what it unpacks to', async () => {
    assert.equal((await ask('/gzip?bytes=100000', { max: 100000 })).body.length, 100000);
    refused(await ask('/gzip?bytes=100001', { max: 100000 }), 'fetch_response_too_large', /body is too large/);
    refused(await ask('/gzip?bytes=100000000', { max: 1 << 20 }), 'fetch_response_too_large', /body is too large/);
    refused(await ask('/bad-gzip'), 'fetch_failed', /decompress/);
    assert.ok((await ask('/gzip?bytes=100000', { headers: [['accept-encoding', 'gzip']] })).body.length < 1000);
  });

  test('a server that ends the connection', async () => {
    refused(await ask('/close'), 'fetch_failed', /./);
    if (h2) refused(await ask('/reset'), 'fetch_failed', /broke the answer off/);
  });

  test('connections are kept, but within a pool only', async () => {
    const opened = server.opened;
    for (const pool of ['alice', 'bob', 'alice', 'bob', 'alice']) assert.equal((await ask('/echo', { pool })).result, 'ok');
    assert.equal(server.opened - opened, 2);
    await ask('/echo', { pool: 'alice', operator: true });
    assert.equal(server.opened - opened, 3);
    const by = new Map();
    const from = server.requests.length;
    for (let i = 0; i < 30; i++) {
      const pool = `user-${i % 3}`;
      await ask(`/echo?${pool}`, { pool });
    }
    for (const { url, connection } of server.requests.slice(from)) by.set(connection, (by.get(connection) ?? new Set()).add(url));
    for (const users of by.values()) assert.equal(users.size, 1);
    assert.equal(by.size, 3);
  });

  test('FORGET breaks off, and what comes after is whole', async () => {
    const { ticket } = e.begin({ target: '/silent', port: server.port, pool: 'forgetful' });
    await until(() => server.requests.some(({ url }) => url === '/silent'));
    e.forget(ticket);
    e.forget(ticket);
    e.forget(123456);
    assert.equal((await ask('/echo', { pool: 'forgetful' })).status, 200);
    assert.equal(e.heard.some((said) => said.ticket === ticket), false);
  });

  test('a thousand wait at once', async () => {
    const quiet = [];
    for (let i = 0; i < 1000; i++) quiet.push(e.begin({ target: '/slow?ms=1500', port: server.port, pool: `crowd-${i % 50}`, timeout: 30000 }));
    await new Promise((done) => setTimeout(done, 1000));
    const used = cpu(e.pid);
    assert.equal((await ask('/echo')).status, 200);
    const answers = await Promise.all(quiet.map(({ answer }) => answer));
    assert.deepEqual(answers.filter(({ result }) => result !== 'ok'), []);
    assert.ok(used >= 0 && rss(e.pid) > 0);
  });
});

describe('who it calls', () => {
  let server, plain;
  before(async () => { server = await origin({ tls }); plain = await origin(); });
  after(() => { server.close(); plain.close(); });
  const once = async (options, request) => {
    const e = await egress(options);
    try { return await e.ask({ port: server.port, target: '/echo', timeout: 3000, ...request }); } finally { await e.stop(); }
  };

  test('a name for loopback is refused unless the operator excepts the address', async () => {
    const opened = server.opened;
    refused(await once({ exceptions: '' }), 'fetch_address_forbidden', /a\.example: its address is not one that may be reached/);
    refused(await once({ exceptions: '10.0.0.0/8 ::1/128' }), 'fetch_address_forbidden', /address/);
    assert.equal(server.opened, opened);
    assert.equal((await once({ exceptions: '127.0.0.1' })).status, 200);
    assert.equal((await once({ exceptions: '' }, { operator: true })).status, 200);
  });

  test('addresses as hosts, however they are written', async () => {
    for (const host of ['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '10.0.0.1', '169.254.169.254', '0.0.0.0', 'docs.example', 'localhost'])
      refused(await once({ exceptions: '', names: host === 'localhost' ? '' : namesFile }, { host }), 'fetch_address_forbidden', /address/);
    for (const host of ['2130706433', '0x7f.1', '017700000001', '127.1', '[::1', 'a b', 'A.example', 'a.example.', '', 'user@a.example', 'a.example/x'])
      refused(await once({}, { host }), 'fetch_address_forbidden', /host is none/);
    refused(await once({}, { host: 'mapped.example' }), 'fetch_address_forbidden', /address/);
    assert.equal((await once({}, { host: '127.0.0.1' })).status, 200);
  });

  test('a name that the file has not is not asked for elsewhere', async () => {
    refused(await once({}, { host: 'localhost' }), 'fetch_failed', /localhost: the host's name cannot be resolved/);
    refused(await once({}, { host: 'example.com' }), 'fetch_failed', /cannot be resolved/);
  });

  test('the resolver is asked where there is no file', async () => {
    const answer = await once({ names: '' }, { host: 'no-such-host.invalid', timeout: 20000 });
    assert.ok(['fetch_failed', 'fetch_timeout'].includes(answer.result), answer.error);
  });

  test('nobody listens', async () => refused(await once({}, { port: 1 }), 'fetch_failed', /cannot connect/));

  test('http only where it is asked for', async () => {
    assert.equal((await once({}, { port: plain.port, plain: true })).status, 200);
    refused(await once({}, { port: plain.port }), 'fetch_tls', /./);
    refused(await once({}, { plain: true }), 'fetch_failed', /./);
  });

  test('a server is verified: its CA, its name', async () => {
    refused(await once({ authorities: other.file }), 'fetch_tls', /certificate/);
    refused(await once({}, { host: 'wrong.example' }), 'fetch_tls', /wrong\.example/);
    refused(await once({ authorities: namesFile }), 'fetch_tls', /no certificate/);
  });

  test('old TLS is refused', async () => {
    const { createServer: createTls } = await import('node:tls');
    const old = createTls({ ...tls, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }).on('tlsClientError', () => {});
    await new Promise((done) => old.listen(0, '127.0.0.1', done));
    refused(await once({}, { port: old.address().port }), 'fetch_tls', /./);
    old.close();
  });
});

describe('bad answers over HTTP/1.1', () => {
  let server, e;
  before(async () => { server = await origin({ tls }); e = await egress(); });
  after(async () => { server.close(); await e.stop(); });
  for (const [route, sentence] of [['/garbage', /not HTTP/], ['/half', /complete|connection/], ['/half-head', /./], ['/status-999', /status/], ['/bad-chunk', /./], ['/two-lengths', /./]])
    test(route, async () => refused(await e.ask({ target: route, port: server.port }), 'fetch_failed', sentence));

  test('hints before and trailers after it are not its headers', async () => {
    for (const route of ['/hints', '/trailers']) {
      const answer = await e.ask({ target: route, port: server.port });
      assert.deepEqual([answer.status, String(answer.body)], [200, 'ok'], answer.error);
      assert.equal(answer.headers.some(([name]) => name === 'link' || name === 'x-late'), false);
    }
  });

  test('a server that accepts and says nothing', async () => {
    const deaf = createServer(() => {});
    await new Promise((done) => deaf.listen(0, '127.0.0.1', done));
    refused(await e.ask({ port: deaf.address().port, timeout: 300 }), 'fetch_timeout', /no answer/);
    deaf.close();
  });
});

describe('requests that are none', () => {
  let server, e;
  before(async () => { server = await origin({ tls }); e = await egress(); });
  after(async () => { server.close(); await e.stop(); });
  const bad = { 'a target without /': { target: 'x' }, 'a target with a space': { target: '/a b' }, 'a target with a line break': { target: '/a\r\nx: y' },
    'a target with a fragment': { target: '/a#b' }, 'a target beyond ASCII': { target: '/ü' }, 'a method in lower case': { method: 'get' }, 'a method with a space': { method: 'GET /x' },
    'a header with a line break': { headers: [['a', 'b\r\nc: d']] }, 'a header\'s name with a colon': { headers: [['a:', 'b']] }, 'a header without a name': { headers: [['', 'b']] },
    'a name with a space': { headers: [['a b', 'c']] }, 'no port': { port: 0 }, 'a port that is none': { port: 65536 }, 'HEAD with a body': { method: 'HEAD', body: 'x' } };
  for (const [name, request] of Object.entries(bad)) test(name, async () => {
    const before_ = server.requests.length;
    refused(await e.ask({ port: server.port, ...request }), 'fetch_failed', /cannot be sent/);
    assert.equal(server.requests.length, before_);
  });
  test('no time', async () => refused(await e.ask({ port: server.port, timeout: 0 }), 'fetch_timeout', /./));
});

describe('the process', () => {
  test('ends when its keeper says what it may not, or is gone', async () => {
    const e = await egress();
    e.lie();
    assert.deepEqual(await e.ended, { ended: 1, signal: 0 });
    assert.match(e.log, /peer_lied/);
  });

  test('the secret store is away until there is one', async () => {
    const e = await egress();
    assert.deepEqual(await e.query(7), { rows: 7, result: 'secret_store_unavailable', count: 0 });
    assert.deepEqual(await e.stop(), { ended: 0, signal: 0 });
  });

  test('the secret store in PostgreSQL, from within the fence: by address, by name, verified', async () => {
    const hold = createServer().listen(0, '127.0.0.1');
    await new Promise((done) => hold.on('listening', done));
    const { port } = hold.address();
    await new Promise((done) => hold.close(done));
    const postgres = await startPostgres({ tcp: port, tls: ca.leaf(['localhost']) });
    try {
      postgres.sql("INSERT INTO secrets (user_id, name, version, encrypted_value) VALUES ('alice', 'one', 1, 'x'), ('bob', 'two', 1, 'y')");
      const named = postgres.connection.replace('127.0.0.1', 'localhost');
      for (const database of [`${postgres.connection}?sslmode=disable`, `${named}?sslmode=require`, `${named}?sslmode=verify-full`]) {
        const e = await egress({ database });
        for (let i = 1; i < 4; i++) assert.deepEqual(await e.query(i), { rows: i, result: 'ok', count: 1 }, e.log);
        assert.deepEqual(await e.stop(), { ended: 0, signal: 0 }, e.log);
      }
      for (const [options, why] of [[{ database: `${named}?sslmode=verify-full`, authorities: other.file }, /certificate verify failed/],
        [{ database: `${postgres.connection}?sslmode=verify-full` }, /does not match host name/]]) {
        const e = await egress(options);
        assert.equal((await e.query(1)).result, 'secret_store_unavailable');
        assert.match(e.log, why);
        await e.stop();
      }
    } finally { await postgres.stop(); }
    const e = await egress({ database: postgres.connection });
    assert.equal((await e.query(1)).result, 'secret_store_unavailable');
    assert.match(e.log, /postgres_unusable.*refused/);
    await e.stop();
  });

  // What HTTP/2 has in its table of headers goes with its connection.
  const unseen = process.getuid() !== 0 || /asan/.test(process.env.EGRESS ?? '');
  for (const h2 of [false, true]) test(`nothing of an exchange is left in memory, ${h2 ? 'HTTP/2' : 'HTTP/1.1'}`, { skip: unseen && 'only root may look, and not with the sanitizers' }, async () => {
    const server = await origin({ tls, h2 }), e = await egress();
    const canary = (name) => `${name}-${'c0ffee'.repeat(6)}-canary`;
    const secrets = ['body', 'target', 'answer', 'set-cookie', ...(h2 ? [] : ['authorization'])];
    const request = { port: server.port, target: `/secret?${canary('target')}`, body: canary('body').padEnd(200000, '.'), method: 'POST', headers: h2 ? [] : [['authorization', canary('authorization')]] };
    server.more['/secret'] = async (incoming, response) => {
      await new Promise((done) => incoming.on('end', done).resume());
      response.setHeader('set-cookie', canary('set-cookie'));
      response.end(canary('answer').padEnd(200000, '.'));
    };
    server.more['/held'] = () => {};
    const held = e.begin({ ...request, target: `/held?${canary('target')}` });
    await until(() => server.requests.length === 1);
    assert.ok(search(e.pid, secrets.map(canary)).length > 0, 'the search finds what is there');
    e.forget(held.ticket);
    for (let i = 0; i < 5; i++) assert.equal((await e.ask(request)).body.length, 200000);
    assert.deepEqual(search(e.pid, secrets.map(canary)), []);
    server.close();
    await e.stop();
  });

  test('after a burst it has no connection and no thread left over', async () => {
    const server = await origin({ tls }), e = await egress({ names: '' });
    await Promise.all(Array.from({ length: 50 }, (_, i) => e.ask({ host: `no-${i}.invalid`, port: server.port, timeout: 100 })));
    assert.equal((await e.ask({ host: '127.0.0.1', target: '/echo', port: server.port })).status, 200);
    await until(() => readdirSync(`/proc/${e.pid}/task`).length === 1, 20000);
    server.close();
    assert.deepEqual(await e.stop(), { ended: 0, signal: 0 }, e.log);
  });
});
