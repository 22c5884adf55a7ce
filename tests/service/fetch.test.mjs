// fetch through the real binaries: scripts call origins on loopback, and the test looks from both sides.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { origin } from '../origin.mjs';
import { assertSecretsCommitment, assertVerifies, bearer, fails, line, network, rawMember, run, serveOutside, sha, succeeds, tls, verifyText, withTokens } from './outside.mjs';
import { ask, assertProblem, execute, processOf, sleep, threads, until } from './service.mjs';

let server, second, plain, service;
const at = (path, { host = 'a.example', of = server, scheme = 'https' } = {}) => `${scheme}://${host}:${of.port}${path}`;
before(async () => {
  server = await origin({ tls });
  second = await origin({ tls, h2: true });
  plain = await origin();
  service = await serveOutside();
});
after(async () => {
  for (const one of [server, second, plain]) one.close();
  await service.stop();
});

// What a script sees of one fetch: its code and message, or what the body says.
const one = (url, init = {}) => `async function main(input, secrets) {
  try { const r = await fetch(${JSON.stringify(url)}, ${JSON.stringify(init)}); const text = await r.text();
    return { status: r.status, ok: r.ok, url: r.url, redirected: r.redirected, length: text.length, text: text.slice(0, 3000) }; }
  catch (e) { return { code: e.code, name: e.name, message: e.message }; } }`;
const look = async (url, init, more, options) => (await succeeds(options?.service ?? service, one(url, init), more, options)).json.output;
const refused = async (code, url, init, more, options) => {
  const seen = await look(url, init, more, options);
  assert.deepEqual([seen.code, seen.name], [code, 'TypeError'], JSON.stringify(seen));
  assert.match(seen.message, new RegExp(`\\(${code}\\)$`));
  return seen;
};
const count = (part, of = server) => of.requests.filter(({ url }) => url.includes(part)).length;

describe('what a script gets', () => {
  test('the request goes out as it was made, and the Response is that of the standard', async () => {
    const script = `async function main(input) {
      const r = await fetch(input.url, { method: 'PATCH', headers: { 'X-One': ' 1 ', 'content-type': 'text/x' }, body: 'grüße' });
      const copy = r.clone(), json = await r.json();
      let again; try { await r.text(); } catch (e) { again = e.name; }
      const bytes = await copy.bytes();
      return { json, again, bytes: bytes.length, used: [r.bodyUsed, copy.bodyUsed], is: r instanceof Response, status: r.status, ok: r.ok, type: r.type,
        url: r.url, redirected: r.redirected, content: r.headers.get('Content-Type'), has: r.headers.has('x-none'), body: r.body,
        tag: Object.prototype.toString.call(r) };
    }`;
    const input = { url: at('/echo?status=201&q=%20a#fragment') };
    const reply = await succeeds(service, script, { input });
    const { json, bytes, ...seen } = reply.json.output;
    assert.deepEqual(seen, { again: 'TypeError', used: [true, true], is: true, status: 201, ok: true, type: 'basic', url: at('/echo?status=201&q=%20a'),
      redirected: false, content: 'application/json', has: false, body: null, tag: '[object Response]' });
    assert.deepEqual([json.method, json.target, json.headers['x-one'], json.headers['content-type']], ['PATCH', '/echo?status=201&q=%20a', '1', 'text/x']);
    assert.equal(Buffer.from(json.body, 'latin1').toString(), 'grüße');
    assert.equal(json.headers.host, `a.example:${server.port}`);
    assert.match(json.headers['user-agent'], /^neocompute\//);
    assert.ok(bytes > 100);
    await assertVerifies(service, reply, { script, input });
  });

  test('Request, Headers, FormData-like bodies, statuses', async () => {
    const script = `async function main(input) {
      const request = new Request(input.url, { method: 'POST', body: new URLSearchParams({ a: '1 2', b: 'ü' }), headers: [['x-a', '1'], ['x-a', '2']] });
      const a = await (await fetch(request)).json();
      const b = await (await fetch(input.url, { method: 'POST', body: new Uint8Array([0, 255, 10]) })).json();
      const none = await fetch(input.none);
      const cookies = (await fetch(input.cookies)).headers.getSetCookie();
      const head = await fetch(input.url, { method: 'HEAD' });
      const empty = await fetch(input.empty);
      return { a: [a.body, a.headers['content-type'], a.headers['x-a']], b: [b.length, b.headers['content-type'] ?? null], none: [none.ok, none.status], cookies, head: (await head.text()).length, empty: [empty.status, (await empty.text()).length] };
    }`;
    const { output } = (await succeeds(service, script, { input: { url: at('/echo'), none: at('/none'), cookies: at('/cookies'), empty: at('/empty') } })).json;
    assert.deepEqual(output, { a: ['a=1+2&b=%C3%BC', 'application/x-www-form-urlencoded;charset=UTF-8', '1, 2'], b: [3, null], none: [false, 404], cookies: ['a=1', 'b=2'], head: 0, empty: [204, 0] });
  });

  test('what is no request is a TypeError, and nothing goes out', async () => {
    const before_ = server.opened + plain.opened;
    const cases = ["fetch('nonsense')", "fetch('ftp://a.example/')", "fetch('https://user:word@a.example/')", "fetch('https://a.example/', { method: 'CONNECT' })", "fetch('https://a.example/', { body: 'x' })",
      "fetch('https://a.example/', { headers: { 'a b': '1' } })", "fetch('https://a.example/', { headers: { a: 'x\\ny' } })", "fetch('https://a.example/', { headers: { host: 'b.example' } })",
      "fetch('https://a.example/', { redirect: 'never' })", 'fetch()', "fetch('https://a.example/', { method: 'a b' })", "fetch('https://a.example/', { headers: { 'transfer-encoding': 'chunked' } })"];
    for (const call of cases) {
      const { output } = (await succeeds(service, `async function main() { try { await ${call}; return { went: true } } catch (e) { return { name: e.name } } }`)).json;
      assert.deepEqual(output, { name: 'TypeError' }, call);
    }
    assert.equal(server.opened + plain.opened, before_);
  });

  test('a failure that is not caught is the job\'s, with its message', async () => {
    const { json } = await fails(service, 'execution_error', `async function main() { await fetch('${at('/close')}') }`);
    assert.match(json.error, /fetch failed: .*\(fetch_failed\)/);
    assert.equal(json.network.requests, 1);
  });

  test('HTTP/2', async () => {
    const seen = await look(at('/echo', { of: second }), { method: 'POST', body: 'over two' });
    const said = JSON.parse(seen.text);
    assert.deepEqual([said.version, said.body], ['2.0', 'over two']);
    await refused('fetch_failed', at('/reset', { of: second }));
    assert.equal((await look(at('/huge?bytes=2000000', { of: second }))).length, 2_000_000);
  });
});

test('Promise.all: the origin sees six at once, and the others in their turn', async () => {
  let now = 0, most = 0;
  server.more['/counted'] = async (request, response) => { most = Math.max(most, ++now); await sleep(200); now--; response.end('x'); };
  const script = `async function main(input) { return { all: await Promise.all(Array.from({ length: 14 }, (_, i) => fetch(input.url + '?' + i).then((r) => r.text()))) } }`;
  const { json } = await succeeds(service, script, { input: { url: at('/counted') } });
  assert.deepEqual([json.output.all, most, json.network.requests], [Array(14).fill('x'), 6, 14]);
});

describe('bounds, each with its code', () => {
  test('20 requests, redirects not counted', async () => {
    const script = `async function main(input) { const seen = []; for (let i = 0; i < 22; i++) { try { await fetch(input.url + '&' + i); seen.push(0); } catch (e) { seen.push(e.code); } } return { seen } }`;
    const url = at(`/redirect?to=${encodeURIComponent(at('/echo?twenty'))}`);
    const { json } = await succeeds(service, script, { input: { url } });
    assert.deepEqual(json.output.seen, [...Array(20).fill(0), 'fetch_too_many', 'fetch_too_many']);
    assert.deepEqual([count('/echo?twenty'), json.network.requests], [20, 40]);
  });

  test('1 MB up', async () => {
    const script = `async function main(input) { const go = (n) => fetch(input.url, { method: 'POST', body: 'x'.repeat(n) }).then((r) => r.json()).then((j) => j.length, (e) => e.code); return { seen: [await go(1048576), await go(1048577)] } }`;
    assert.deepEqual((await succeeds(service, script, { input: { url: at('/echo') } })).json.output.seen, [1048576, 'fetch_body_too_large']);
  });

  test('5 MB down, counted when it is unpacked', async () => {
    assert.equal((await look(at('/huge?bytes=5242880'))).length, 5242880);
    await refused('fetch_response_too_large', at('/huge?bytes=5242881'));
    await refused('fetch_response_too_large', at('/gzip?bytes=100000000'));
    await refused('fetch_response_too_large', at('/chunked?chunks=5300'));
  });

  test('10 redirects', async () => {
    server.more['/hop'] = (request, response, url) => {
      const n = Number(url.searchParams.get('n'));
      if (n === 0) return response.end('there');
      return response.writeHead(302, { location: `/hop?n=${n - 1}` }).end();
    };
    const ten = await look(at('/hop?n=10'));
    assert.deepEqual([ten.text, ten.redirected, ten.url], ['there', true, at('/hop?n=0')]);
    await refused('fetch_too_many_redirects', at('/hop?n=11'));
    await refused('fetch_too_many_redirects', at('/hop?n=1'), { redirect: 'error' });
    const manual = await look(at('/hop?n=1'), { redirect: 'manual' });
    assert.deepEqual([manual.status, manual.redirected], [302, false]);
  });

  test('16 KiB of headers, both ways', async () => {
    assert.equal((await look(at('/headers?count=8&bytes=1900'))).status, 200);
    await refused('fetch_headers_too_large', at('/headers?count=9&bytes=1900'));
    assert.equal((await look(at('/echo'), { headers: { 'x-long': 'v'.repeat(15000) } })).status, 200);
    await refused('fetch_headers_too_large', at('/echo'), { headers: { 'x-long': 'v'.repeat(17000) } });
  });

  test('the job\'s time is the most a request has, and its end is its own', async () => {
    const before_ = count('/silent');
    const reply = await run(service, one(at('/silent?jobs-time')), { timeout: 1 });
    // Which of the two ends comes first is nobody's promise; no answer comes later.
    assert.ok(reply.json.error_code === 'timeout' || reply.json.output?.code === 'fetch_timeout', reply.text);
    assert.equal(count('/silent'), before_ + 1);
    assert.deepEqual([reply.json.network.requests, reply.json.network.hosts], [1, [`a.example:${server.port}`]]);
    await assertSecretsCommitment(service, reply);
  });

  test('30 s for a request, within a longer job', async () => {
    const reply = await succeeds(service, one(at('/silent?half-a-minute')), { timeout: 60 });
    assert.equal(reply.json.output.code, 'fetch_timeout');
    assert.ok(reply.json.usage.wall_us >= 29_500_000 && reply.json.usage.wall_us < 45_000_000, String(reply.json.usage.wall_us));
    assert.deepEqual(reply.json.network, network([`a.example:${server.port}`], [`GET ${at('/silent?half-a-minute')} fetch_timeout`]));
  });

  test('slow is not failing', async () => {
    assert.equal((await look(at('/slow?ms=300'))).text, 'slow');
    assert.equal((await look(at('/drip?bytes=5&ms=50'))).text, '.....');
  });
});

describe('redirects', () => {
  const to = (url, status = 302) => at(`/redirect?status=${status}&to=${encodeURIComponent(url)}`);
  const headers = { authorization: 'Bearer mine', cookie: 'c=1', 'x-keep': 'kept' };
  const heard = async (url, init) => JSON.parse((await look(url, init)).text);

  test('credentials stay with their origin', async () => {
    const same = await heard(to(at('/echo')), { headers });
    assert.deepEqual([same.headers.authorization, same.headers.cookie, same.headers['x-keep']], ['Bearer mine', 'c=1', 'kept']);
    for (const other of [at('/echo', { host: 'b.example' }), at('/echo', { of: second })]) {
      const { headers: got } = await heard(to(other), { headers });
      assert.deepEqual([got.authorization, got.cookie, got['x-keep']], [undefined, undefined, 'kept'], other);
    }
  });

  test('methods and bodies, as the standard has them', async () => {
    for (const [status, method, then] of [[301, 'POST', 'GET'], [302, 'POST', 'GET'], [303, 'PUT', 'GET'], [307, 'POST', 'POST'], [308, 'PUT', 'PUT'], [302, 'PUT', 'PUT']]) {
      const got = await heard(to(at('/echo'), status), { method, body: 'b', headers: { 'content-type': 'text/x' } });
      assert.deepEqual([got.method, got.length, got.headers['content-type']], then === 'GET' ? ['GET', 0, undefined] : [then, 1, 'text/x'], `${status} ${method}`);
    }
  });

  test('a redirect is judged as a request is', async () => {
    await refused('fetch_address_forbidden', to('https://metadata.example/latest'));
    await refused('fetch_forbidden', to(at('/echo', { scheme: 'http', of: plain })));
    await refused('fetch_invalid', to('ftp://a.example/'));
    await refused('fetch_forbidden', to(at('/echo', { host: 'b.example' })), {}, { limits: { hosts: ['a.example'] } });
  });
});

describe('addresses', () => {
  test('a name that is bound to an address that may not be reached', async () => {
    for (const host of ['private.example', 'metadata.example']) {
      const seen = await refused('fetch_address_forbidden', `https://${host}/`);
      assert.match(seen.message, new RegExp(host));
    }
  });

  // URL writes all of them as dotted quads or in brackets, as the standard says.
  test('literal addresses in every notation', async () => {
    for (const host of ['10.0.0.1', '169.254.169.254', '0xa9fea9fe', '0xa9.254.169.254', '025177524776', '2852039166', '169.254.43518', '[::ffff:10.0.0.1]', '[::ffff:a9fe:a9fe]', '[fd00::1]', '[fe80::1]', '[::]',
      '0.0.0.0', '100.64.0.1', '192.168.1.1', '172.16.0.1', '224.0.0.1', '255.255.255.255', '[64:ff9b::a00:1]', '[2002:a00:1::]', '%31%30.0.0.1', '１０.0.0.1'])
      await refused('fetch_address_forbidden', `https://${host}/`);
    assert.equal((await look(at('/echo', { host: '0x7f.1' }))).url, at('/echo', { host: '127.0.0.1' }));
  });

  test('loopback, unless it is excepted', async () => {
    const strict = await serveOutside({ env: { NEOCOMPUTE_EGRESS_PRIVATE: '' } });
    const opened = server.opened;
    for (const host of ['a.example', '127.0.0.1', '127.1', '2130706433', '[::1]', '[::ffff:127.0.0.1]']) await refused('fetch_address_forbidden', at('/echo', { host }), {}, {}, { service: strict });
    assert.equal(server.opened, opened);
    await strict.stop();
  });

  test('a name that nobody knows', async () => void await refused('fetch_failed', 'https://nowhere.example/'));
});

describe('hosts', () => {
  test('http is off, and on where the operator says so', async () => {
    const url = at('/echo', { of: plain, scheme: 'http' });
    await refused('fetch_forbidden', url);
    const both = await serveOutside({ env: { NEOCOMPUTE_EGRESS_HTTP: 'on' } });
    assert.equal((await look(url, {}, {}, { service: both })).status, 200);
    const reply = await succeeds(both, one(url));
    assert.deepEqual(reply.json.network.hosts, [`http://a.example:${plain.port}`]);
    await assertVerifies(both, reply, { script: one(url) });
    await refused('fetch_forbidden', at(`/redirect?to=${encodeURIComponent(url)}`), {}, {}, { service: both });
    await both.stop();
  });

  test('the operator\'s list', async () => {
    const listed = await serveOutside({ env: { NEOCOMPUTE_EGRESS_HOSTS: 'a.example *.sub.example' } });
    assert.equal((await look(at('/echo'), {}, {}, { service: listed })).status, 200);
    for (const host of ['b.example', 'sub.example', 'a.example.evil.example', '127.0.0.1']) {
      const { message } = await refused('fetch_forbidden', at('/echo', { host }), {}, {}, { service: listed });
      assert.match(message, /service lets scripts reach/);
    }
    await refused('fetch_failed', 'https://x.sub.example/', {}, {}, { service: listed }); // allowed, and not there
    await refused('fetch_forbidden', at('/echo', { host: 'b.example' }), {}, { limits: { hosts: ['b.example'] } }, { service: listed });
    await listed.stop();
  });

  test('the job\'s own list, which the receipt binds', async () => {
    const limits = { hosts: ['b.example', '*.c.example'] };
    const { message } = await refused('fetch_forbidden', at('/echo'), {}, { limits });
    assert.match(message, /job asked for/);
    const script = one(at('/echo', { host: 'b.example' }));
    const reply = await succeeds(service, script, { limits });
    assert.equal(reply.json.output.status, 200);
    assert.equal((await verifyText(service, reply.text, { script, hosts: limits.hosts })).status, 0);
    assert.equal((await verifyText(service, reply.text, { script, hosts: ['b.example'] })).status, 1);
    assert.equal((await verifyText(service, reply.text, { script })).status, 1);
    for (const hosts of [['A B'], ['https://a.example'], [1], 'a.example', ['*.*']]) {
      const reply_ = await execute(service, { script, limits: { hosts } });
      assertProblem(reply_, 400, reply_.json.error_code);
    }
  });

  test('outside of dev mode nobody can be reached unless hosts are named', async () => {
    const start = (env) => serveOutside({ ...withTokens, env: { ...withTokens.env, ...env } });
    const closed = await start({}), opened = server.opened;
    await refused('fetch_unavailable', at('/echo'), {}, {}, { service: closed, ...bearer() });
    assert.equal(server.opened, opened);
    await closed.stop();
    const open = await start({ NEOCOMPUTE_EGRESS_HOSTS: '*' });
    assert.equal((await look(at('/echo'), {}, {}, { service: open, ...bearer() })).status, 200);
    await open.stop();
  });
});

describe('abort', () => {
  test('a signal ends a request, and the origin sees it go', async () => {
    let gone = 0;
    server.more['/hold'] = (request) => request.socket.on('close', () => gone++);
    const script = `async function main(input) {
      const c = new AbortController(); setTimeout(() => c.abort(), 100);
      const seen = []; try { await fetch(input.url, { signal: c.signal }); } catch (e) { seen.push(e.name); }
      try { await fetch(input.url, { signal: AbortSignal.timeout(50) }); } catch (e) { seen.push(e.name); }
      try { await fetch(input.url, { signal: AbortSignal.abort('why') }); } catch (e) { seen.push(e); }
      return { seen } }`;
    const reply = await succeeds(service, script, { input: { url: at('/hold') } });
    assert.deepEqual(reply.json.output.seen, ['AbortError', 'TimeoutError', 'why']);
    assert.deepEqual(reply.json.network, network([`a.example:${server.port}`], Array(2).fill(`GET ${at('/hold')} cancelled`)));
    await until(() => gone === 2, 'both connections closed');
  });

  test('a job that ends breaks off what it did not wait for', async () => {
    const before_ = count('/silent?left');
    const script = `async function main(input) { fetch(input.url).catch(() => {}); await new Promise((r) => setTimeout(r, 100)); return { left: true } }`;
    const reply = await succeeds(service, script, { input: { url: at('/silent?left') } });
    assert.deepEqual(reply.json.network, network([`a.example:${server.port}`], [`GET ${at('/silent?left')} cancelled`]));
    assert.equal(count('/silent?left'), before_ + 1);
  });

  test('a caller who leaves', async () => {
    const leave = new AbortController(), before_ = count('/silent?left-by');
    const reply = execute(service, { script: one(at('/silent?left-by')), timeout: 60 }, { user: 'leaver', signal: leave.signal }).catch((error) => error.name);
    await until(() => count('/silent?left-by') > before_, 'the request');
    leave.abort();
    assert.equal(await reply, 'AbortError');
    await until(async () => (await ask(service, 'GET', '/jobs?status=running', { user: 'leaver' })).json.length === 0, 'its end');
  });
});

describe('servers that misbehave', () => {
  for (const [route, code] of [['/close', 'fetch_failed'], ['/garbage', 'fetch_failed'], ['/half', 'fetch_failed'], ['/half-head', 'fetch_failed'], ['/two-lengths', 'fetch_failed'], ['/bad-chunk', 'fetch_failed'], ['/status-999', 'fetch_failed'], ['/bad-gzip', 'fetch_failed']])
    test(route, async () => void await refused(code, at(route)));

  test('certificates: another name, no TLS at all', async () => {
    await refused('fetch_tls', at('/echo', { host: 'wrong.example' }));
    await refused('fetch_tls', at('/echo', { of: plain }));
  });

  test('one that accepts and says nothing', async () => {
    const deaf = createServer(() => {});
    await new Promise((done) => deaf.listen(0, '127.0.0.1', done));
    const { json } = await run(service, one(`https://a.example:${deaf.address().port}/`), { timeout: 1 });
    assert.ok(json.error_code === 'timeout' || json.output?.code === 'fetch_timeout', JSON.stringify(json));
    deaf.close();
  });

  test('nobody listens', async () => void await refused('fetch_failed', 'https://a.example:1/'));
});

describe('connections', () => {
  test('are kept for the next job of the same user, and are nobody else\'s', async () => {
    const by = new Map();
    for (let round = 0; round < 4; round++)
      for (const user of ['conn-ada', 'conn-bob', 'conn-eve']) await look(at(`/echo?by=${user}`), {}, {}, { user });
    for (const { url, connection } of server.requests.filter(({ url: u }) => u.includes('by=conn-'))) by.set(connection, (by.get(connection) ?? new Set()).add(url));
    assert.equal(by.size, 3);
    for (const users of by.values()) assert.equal(users.size, 1);
  });
});

describe('the receipt\'s network', () => {
  test('is what the test computes itself, and verify says so', async () => {
    const echo = at('/echo', { host: 'b.example' }), url = at(`/redirect?to=${encodeURIComponent(echo)}`);
    const script = `async function main(input) {
      const r = await fetch(input.url); const body = await r.text();
      await (await fetch(input.huge)).text();
      try { await fetch(input.bad); } catch {}
      return { body } }`;
    const input = { url, huge: at('/huge?bytes=1000'), bad: at('/close') };
    const reply = await succeeds(service, script, { input });
    const expected = network([`a.example:${server.port}`, `b.example:${server.port}`], [line('GET', url, 302, 'gone'), line('GET', echo, 200, reply.json.output.body),
      line('GET', input.huge, 200, 'x'.repeat(1000)), `GET ${input.bad} fetch_failed`]);
    assert.deepEqual(reply.json.network, expected);
    assert.equal(rawMember(reply.text, 'network'), JSON.stringify(expected));
    await assertVerifies(service, reply, { script, input });
    const stored = await ask(service, 'GET', `/jobs/${reply.json.job_id}`);
    assert.equal(stored.text, reply.text);
  });

  test('is not there if nothing was asked', async () => {
    const reply = await succeeds(service, 'function main() { return {} }');
    assert.equal(reply.json.network, undefined);
    await assertVerifies(service, reply, { script: 'function main() { return {} }' });
    const judged = await succeeds(service, one('https://a.example/', { headers: { host: 'x' } }));
    assert.equal(judged.json.network, undefined);
    assert.equal(sha(''), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });
});

test('egress that ends while it is used: fetch_failed, and the service goes on', { skip: threads && 'a thread cannot be killed' }, async () => {
  const own = await serveOutside();
  const waiting = run(own, one(at('/silent?killed')), { timeout: 20 });
  await until(() => count('/silent?killed') > 0, 'the request');
  const { pid } = processOf(own, 'egress');
  process.kill(pid, 'SIGKILL');
  const reply = await waiting;
  assert.deepEqual([reply.json.status, reply.json.output.code], ['completed', 'fetch_failed'], reply.text);
  await assertVerifies(own, reply, { script: one(at('/silent?killed')), timeout: 20 });
  assert.equal((await execute(own, { script: 'function main() { return {} }' })).json.status, 'completed');
  const next = await until(() => processOf(own, 'egress')?.pid !== pid && processOf(own, 'egress'), 'another egress');
  assert.notEqual(next.pid, pid);
  const seen = await until(async () => { const s = await look(at('/echo'), {}, {}, { service: own }); return s.status === 200 && s; }, 'an answer');
  assert.equal(seen.status, 200);
  assert.equal(own.exit, null);
  await own.stop();
});
