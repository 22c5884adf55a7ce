// HTTP as strangers speak it: over raw sockets what may not be, deadlines, slow and departing callers; and HTTP/2.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { authority } from './certificates.mjs';
import { ask, completed, execute, raw, serve, sleep, until } from './service.mjs';

const fine = 'function main() { return { ok: true } }';
const endless = 'function main() { for (;;); }';
const json = (script, more) => JSON.stringify({ script, ...more });
const from = (user) => `Host: x\r\nX-User-ID: ${user}\r\nContent-Type: application/json\r\n`;
const post = (fields, body, user = 'alice') => `POST /execute HTTP/1.1\r\n${from(user)}${fields}\r\n\r\n${body}`;
const framed = (body, user, more = '') => post(`Content-Length: ${body.length}${more}`, body, user);
const get = (path, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
const statuses = (text) => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));

// The jobs of a user, of a status.
const jobs = async (service, user, status) => (await ask(service, 'GET', `/jobs?status=${status}`, { user })).json;
async function cancelled(service, user, leave) {
  await until(async () => (await jobs(service, user, 'running'))[0], `a running job of ${user}`);
  await leave();
  const [{ error_code: code }] = await until(async () => {
    const ended = await jobs(service, user, 'failed');
    return ended.length > 0 && ended;
  }, `the end of ${user}'s job`);
  assert.equal(code, 'cancelled');
}

// A byte each 400 ms, until the server has had enough: what it said.
function drip(service, head, byte) {
  return new Promise((resolve) => {
    let text = '';
    const socket = net.connect(service.port, '127.0.0.1', () => socket.write(head));
    const timer = setInterval(() => socket.write(byte), 400);
    socket.on('data', (part) => { text += part; }).on('error', () => {}).on('close', () => { clearInterval(timer); resolve(text); });
  });
}

let service, drips;
before(async () => {
  service = await serve();
  drips = [drip(service, 'GET /health HTTP/1.1\r\nHost: x\r\nX-Drip: ', 'x'), drip(service, post('Content-Length: 1000', '{'), ' ')];
});
after(() => service.stop());

describe('what smuggles requests is refused, and the connection closed', () => {
  const body = json(fine), smuggled = get('/health');
  const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  for (const [name, bytes] of Object.entries({
    'Transfer-Encoding with Content-Length': post(`Transfer-Encoding: chunked\r\nContent-Length: ${body.length}`, chunked),
    'Content-Length with Transfer-Encoding': post(`Content-Length: ${chunked.length}\r\nTransfer-Encoding: chunked`, chunked),
    'two Content-Lengths': post(`Content-Length: ${body.length}\r\nContent-Length: 5`, body),
    'the same Content-Length twice': post(`Content-Length: ${body.length}\r\nContent-Length: ${body.length}`, body),
    'a list of Content-Lengths': post(`Content-Length: ${body.length}, ${body.length}`, body),
    'a Content-Length with a plus': post(`Content-Length: +${body.length}`, body),
    'a negative Content-Length': post('Content-Length: -1', body),
    'a hexadecimal Content-Length': post(`Content-Length: 0x${body.length.toString(16)}`, body),
    'space before a colon': post(`Content-Length : ${body.length}`, body),
    'gzip, chunked': post('Transfer-Encoding: gzip, chunked', chunked),
    'chunked twice': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', chunked),
    'xchunked': post('Transfer-Encoding: xchunked', chunked),
    'a chunk size with a sign': post('Transfer-Encoding: chunked', `+${chunked}`),
    'a chunk extension': post('Transfer-Encoding: chunked', chunked.replace('\r\n', ';a=b\r\n')),
    'a trailer': post('Transfer-Encoding: chunked', chunked.replace('0\r\n\r\n', '0\r\nHost: y\r\n\r\n')),
    'a folded field': post(`X-A: b\r\n c\r\nContent-Length: ${body.length}`, body),
    'no Host': framed(body).replace('Host: x\r\n', ''),
    'two Hosts': framed(body).replace('Host: x', 'Host: x\r\nHost: x'),
    'LF alone': framed(body).replace('Host: x\r\n', 'Host: x\n'),
    'LF alone everywhere': framed(body).replaceAll('\r\n', '\n'),
    'CR alone': framed(body).replace('Host: x\r\n', 'Host: x\r'),
    'NUL in a value': framed(body, 'alice', '\r\nX-A: b\0c'),
    'NUL in a name': framed(body, 'alice', '\r\nX-\0: b'),
    'a name that is no token': framed(body, 'alice', '\r\nX(A): b'),
    'a field without a name': framed(body, 'alice', '\r\n: b'),
    'HTTP/1.2': framed(body).replace('HTTP/1.1', 'HTTP/1.2'),
    'HTTP/0.9': 'GET /health\r\n',
    'two spaces': framed(body).replace('POST ', 'POST  '),
    'CONNECT': `CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n`,
    'a TLS hello': Buffer.from('16030100a5010000a10303', 'hex').toString('latin1') + '\r\n'.repeat(2),
  })) {
    test(name, async () => {
      const { text, closed } = await raw(service, Buffer.from(bytes + smuggled, 'latin1'));
      assert.deepEqual(statuses(text), [400], text);
      assert.match(text, /"error_code":"bad_http"/);
      assert.match(text, /\r\nConnection: close\r\n/);
      assert.ok(closed);
    });
  }

  test('and what is allowed is not', async () => {
    for (const bytes of [framed(body), post('Transfer-Encoding: chunked', chunked), `\r\n${framed(body)}`]) {
      const { text } = await raw(service, bytes + get('/health', 'Connection: close\r\n'));
      assert.deepEqual(statuses(text), [200, 200], text);
    }
  });
});

describe('sizes', () => {
  test('a head of 64 kB', async () => {
    const { text, closed } = await raw(service, get('/health', `X-Long: ${'x'.repeat(65536)}\r\n`));
    assert.deepEqual([statuses(text), closed], [[431], true]);
    assert.match(text, /"error_code":"head_too_large"/);
  });

  test('many fields', async () => {
    const { text } = await raw(service, get('/health', 'a: b\r\n'.repeat(2000)));
    assert.deepEqual(statuses(text), [431]);
  });

  test('2 GB, at once and before they are sent', async () => {
    for (const length of ['2147483648', '1310721', '18446744073709551615']) {
      const { text, closed } = await raw(service, post(`Content-Length: ${length}`, '{'));
      assert.deepEqual([statuses(text), closed], [[413], true]);
      assert.match(text, /"limit_bytes":1310720/);
    }
    assert.deepEqual(statuses((await raw(service, post('Content-Length: 18446744073709551616', '{'))).text), [400]);
  });

  test('chunks without end', async () => {
    const chunk = `10000\r\n${' '.repeat(65536)}\r\n`;
    const { text } = await raw(service, post('Transfer-Encoding: chunked', chunk.repeat(24)));
    assert.deepEqual(statuses(text), [413], text);
  });

  test('a job id of 8 kB, and paths that lead out', async () => {
    const id = 'a'.repeat(8192);
    for (const path of [`/jobs/${id}`, '/../../etc/passwd', '/jobs/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/..%5c..%5cetc', '/./', '//etc/passwd', '/jobs/%00']) {
      const { text } = await raw(service, get(path, 'X-User-ID: alice\r\nConnection: close\r\n'));
      assert.deepEqual(statuses(text), [404], path);
      assert.doesNotMatch(text, /root:/);
    }
  });
});

describe('a connection', () => {
  test('Expect: 100-continue', async () => {
    const body = json(fine), parts = [];
    const socket = net.connect(service.port, '127.0.0.1').on('data', (part) => parts.push(part));
    const text = () => Buffer.concat(parts).toString();
    socket.write(post(`Content-Length: ${body.length}\r\nExpect: 100-continue`, ''));
    await until(() => text() === 'HTTP/1.1 100 Continue\r\n\r\n', '100');
    socket.write(body);
    await until(() => text().includes('"status":"completed"'), '200');
    assert.deepEqual(statuses(text()), [100, 200]);
    socket.destroy();
    assert.deepEqual(statuses((await raw(service, post('Content-Length: 2147483648\r\nExpect: 100-continue', ''))).text), [413]);
    assert.deepEqual(statuses((await raw(service, post('Content-Length: 1\r\nExpect: wonders', ''))).text), [417]);
  });

  test('requests in a row, answered in theirs', async () => {
    const bodies = [1, 2, 3, 4, 5].map((n) => json(`function main() { return { n: ${n} } }`));
    const { text } = await raw(service, bodies.map((body) => framed(body)).join('') + get('/health', 'Connection: close\r\n'));
    assert.deepEqual(statuses(text), [200, 200, 200, 200, 200, 200]);
    assert.deepEqual([...text.matchAll(/"output":\{"n":(\d)\}/g)].map(([, n]) => n), ['1', '2', '3', '4', '5']);
  });

  test('HEAD: the length, no body', async () => {
    const { text } = await raw(service, `HEAD /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n${get('/openapi.json', 'Connection: close\r\n')}`);
    const [first, second] = text.split(/(?<=\r\n\r\n)(?=HTTP)/);
    assert.match(first, /\r\n\r\n$/);
    const length = (reply) => Number(/content-length: (\d+)/i.exec(reply)[1]);
    assert.equal(length(first), length(second));
    assert.equal(second.split('\r\n\r\n')[1].length, length(second));
    const { text: none } = await raw(service, `HEAD /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.match(none, /^HTTP\/1\.1 404 [^]*\r\n\r\n$/);
  });

  test('HTTP/1.0 is answered and closed', async () => {
    const { text, closed } = await raw(service, 'GET /health HTTP/1.0\r\n\r\n');
    assert.deepEqual([statuses(text), closed], [[200], true]);
  });

  test('half-closed while its request is held: cancelled', async () => {
    const socket = net.connect({ port: service.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.write(framed(json(endless), 'half'));
    await cancelled(service, 'half', () => socket.end());
    socket.destroy();
  });

  test('half-closed behind a request that is answered at once: answered', async () => {
    assert.deepEqual(statuses((await raw(service, get('/health'), { half: true })).text), [200]);
  });

  test('reset while its request is held: cancelled', async () => {
    const socket = net.connect(service.port, '127.0.0.1').on('error', () => {});
    socket.write(framed(json(endless), 'reset'));
    await cancelled(service, 'reset', () => socket.resetAndDestroy());
  });

  test('gone with requests behind the one that is held: cancelled, and they never ran', async () => {
    const socket = net.connect(service.port, '127.0.0.1').on('error', () => {});
    socket.write(framed(json(endless), 'queue') + framed(json(fine), 'queue').repeat(50));
    await cancelled(service, 'queue', () => socket.destroy());
    assert.deepEqual(await jobs(service, 'queue', 'completed'), []);
  });

  test('a slow reader of 1 MB gets all of it', async () => {
    const body = json('function main() { return { s: "x".repeat(1048568) } }');
    const socket = net.connect({ port: service.port, host: '127.0.0.1', highWaterMark: 4096 });
    socket.write(framed(body, 'slow', '\r\nConnection: close'));
    socket.pause();
    await sleep(1000);
    const parts = [];
    for await (const part of socket) {
      parts.push(part);
      if (parts.length % 16 === 0) await sleep(5);
    }
    const text = Buffer.concat(parts).toString();
    assert.deepEqual(statuses(text), [200]);
    assert.equal(JSON.parse(text.split('\r\n\r\n')[1]).output.s, 'x'.repeat(1048568));
  });

  test('one that sends nothing, and one that speaks TLS to a plain port, hold nobody up', async () => {
    const idle = Array.from({ length: 200 }, () => net.connect(service.port, '127.0.0.1'));
    await Promise.all(idle.map((socket) => once(socket, 'connect')));
    await completed(service, { script: fine });
    for (const socket of idle) socket.destroy();
  });
});

function session(origin, options) {
  const client = http2.connect(origin, options);
  client.on('error', () => {});
  return client;
}

// A request in a stream: {status, text, code}; `code` is the error it was reset with.
function stream(client, headers, body, act = () => {}) {
  return new Promise((resolve) => {
    const request = client.request({ 'x-user-id': 'alice', ...headers }, { endStream: body === undefined });
    const parts = [];
    let status;
    request.on('response', (got) => { status = got[':status']; }).on('data', (part) => parts.push(part)).on('error', () => {});
    request.on('close', () => resolve({ status, text: Buffer.concat(parts).toString(), code: request.rstCode }));
    if (body !== undefined) request.end(body);
    act(request);
  });
}
const run = (client, script, user, act) => stream(client, { ':method': 'POST', ':path': '/execute', 'content-type': 'application/json', 'x-user-id': user }, json(script), act);

describe('HTTP/2', () => {
  let ca, server, secure;
  before(async () => {
    ca = authority('test CA');
    server = ca.server();
    const client = ca.client('gateway.mesh');
    secure = await serve({ args: ['--tls-cert', server.certFile, '--tls-key', server.keyFile, '--tls-client-ca', ca.certFile],
      tls: { ca: ca.cert, cert: client.cert, key: client.key } });
  });
  after(() => secure.stop());

  test('by prior knowledge', async () => {
    const client = session(service.url);
    const replies = await Promise.all([stream(client, { ':path': '/health' }), run(client, fine, 'h2'), stream(client, { ':path': '/nothing' })]);
    assert.deepEqual(replies.map(({ status }) => status), [200, 200, 404]);
    assert.deepEqual(JSON.parse(replies[1].text).output, { ok: true });
    client.close();
  });

  test('by ALPN, and HTTP/1.1 for who does not ask', async () => {
    const client = session(secure.url, secure.tls);
    assert.equal((await run(client, fine, 'alpn')).status, 200);
    assert.equal(client.alpnProtocol, 'h2');
    client.close();
    assert.equal((await ask(secure, 'GET', '/health')).status, 200);
    const socket = tls.connect({ ...secure.tls, port: secure.port, host: '127.0.0.1', ALPNProtocols: ['http/1.1'] });
    await once(socket, 'secureConnect');
    assert.equal(socket.alpnProtocol, 'http/1.1');
    socket.destroy();
  });

  test('the same errors as in HTTP/1.1', async () => {
    const client = session(service.url);
    const long = await stream(client, { ':path': '/health', 'x-long': 'x'.repeat(20000) });
    assert.ok(long.status === 431 || long.code !== 0, JSON.stringify(long));
    const big = await stream(client, { ':method': 'POST', ':path': '/execute', 'content-length': '2147483648' }, '{');
    assert.ok(big.status === 413 || big.code !== 0, JSON.stringify(big));
    assert.equal((await stream(client, { ':method': 'POST', ':path': '/execute', 'x-user-id': '' }, json(fine))).status, 401);
    assert.equal((await stream(client, { ':path': '/execute' })).status, 405);
    client.destroy();
  });

  test('a body of 1 MB in, and out', async () => {
    const client = session(service.url);
    const s = 'x'.repeat(1000000);
    const { status, text } = await stream(client, { ':method': 'POST', ':path': '/execute' }, json('function main(i) { return i }', { input: { s } }));
    assert.equal(status, 200);
    assert.equal(JSON.parse(text).output.s, s);
    client.close();
  });

  test('a thousand streams', async () => {
    const client = session(service.url);
    const replies = await Promise.all(Array.from({ length: 1000 }, (_, i) =>
      i % 10 === 0 ? run(client, `function main() { return { i: ${i} } }`, `many-${i}`) : stream(client, { ':path': '/health' })));
    assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([200]));
    replies.forEach(({ text }, i) => { if (i % 10 === 0) assert.deepEqual(JSON.parse(text).output, { i }); });
    client.close();
  });

  for (const [name, origin] of [['plain', () => [service, service.url]], ['TLS', () => [secure, secure.url, secure.tls]]]) {
    test(`a stream that is reset cancels its job, and no other: ${name}`, async () => {
      const [where, url, options] = origin();
      const client = session(url, options);
      let held;
      const ended = run(client, endless, `rst-${name}`, (request) => { held = request; });
      await cancelled(where, `rst-${name}`, () => held.close(http2.constants.NGHTTP2_CANCEL));
      await ended;
      assert.equal((await run(client, fine, 'next')).status, 200);
      client.close();
    });

    test(`a session that ends cancels its jobs: ${name}`, async () => {
      const [where, url, options] = origin();
      const client = session(url, options);
      run(client, endless, `gone-${name}`);
      await cancelled(where, `gone-${name}`, () => client.destroy());
    });
  }

  test('rapid reset ends in GOAWAY, and the service serves on', async () => {
    const client = session(service.url);
    let goaway = null;
    client.on('goaway', (code) => { goaway = code; });
    for (let i = 0; i < 20000 && goaway === null && !client.destroyed; i++) {
      const request = client.request({ ':path': '/health', 'x-user-id': 'rapid' }).on('error', () => {});
      request.close(http2.constants.NGHTTP2_CANCEL);
      if (i % 100 === 0) await new Promise(setImmediate);
    }
    await until(() => goaway !== null || client.destroyed, 'GOAWAY');
    assert.notEqual(goaway, http2.constants.NGHTTP2_NO_ERROR);
    client.destroy();
    await completed(service, { script: fine }, { user: 'after' });
  });

  test('bytes that are no frames end the connection', async () => {
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n'.repeat(5), '\0'.repeat(9), '\xff'.repeat(100)])
      assert.ok((await raw(service, Buffer.from(preface + bytes, 'latin1'))).closed, JSON.stringify(bytes));
  });

  // Frames by hand (RFC 9113 §4.1); fields as literals that enter no table (RFC 7541 §6.2.2).
  const frame = (type, flags, id, payload) => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(id, 5);
    return Buffer.concat([head, payload]);
  };
  const DATA = 0, HEADERS = 1, PRIORITY = 2, SETTINGS = 4, PING = 6, CONTINUATION = 9, END_STREAM = 1, END_HEADERS = 4;
  const text = (value) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')]);
  const block = (fields) => Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])));
  const hello = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(SETTINGS, 0, 0, Buffer.alloc(0))]);
  const request = (fields, flags = END_STREAM | END_HEADERS) => frame(HEADERS, flags, 1, block(fields));
  const head = [[':method', 'GET'], [':scheme', 'http'], [':path', '/health'], [':authority', 'x']];
  const body = Buffer.from(json(fine));
  const posted = (more) => [[':method', 'POST'], [':scheme', 'http'], [':path', '/execute'], [':authority', 'x'], ['x-user-id', 'smuggler'], ...more];

  // The types of the frames that came, with the status where it is a literal or of the static table's.
  const answer = async (bytes) => {
    const { text: got, closed } = await raw(service, Buffer.concat([hello, ...bytes]), { ms: 400 });
    const all = Buffer.from(got, 'latin1'), types = [];
    for (let at = 0; at + 9 <= all.length; at += 9 + all.readUIntBE(at, 3)) types.push(all[at + 3]);
    return { closed, types, healthy: /"healthy"|"completed"/.test(got) };
  };

  test('by hand, what is right is answered', async () => {
    assert.ok((await answer([request(head)])).healthy);
    const split = block(head);
    assert.ok((await answer([frame(HEADERS, END_STREAM, 1, split.subarray(0, 5)), frame(CONTINUATION, END_HEADERS, 1, split.subarray(5))])).healthy);
    assert.ok((await answer([request(posted([['content-length', String(body.length)]]), END_HEADERS), frame(DATA, END_STREAM, 1, body)])).healthy);
  });

  for (const [name, frames] of Object.entries({
    'a name in upper case': [request([...head, ['X-A', 'b']])],
    'a field of the connection': [request([...head, ['connection', 'close']])],
    'Transfer-Encoding': [request(posted([['transfer-encoding', 'chunked']]), END_HEADERS), frame(DATA, END_STREAM, 1, body)],
    'te: gzip': [request([...head, ['te', 'gzip']])],
    'no :path': [request(head.filter(([field]) => field !== ':path'))],
    'an empty :path': [request(head.map(([field, value]) => [field, field === ':path' ? '' : value]))],
    'a :path that is none': [request(head.map(([field, value]) => [field, field === ':path' ? 'health' : value]))],
    'two :paths': [request([...head, [':path', '/info']])],
    'a pseudo-field behind the others': [request([...head.slice(0, 3), ['x-a', 'b'], head[3]])],
    'a pseudo-field of none': [request([...head, [':status', '200']])],
    'a Host that is another than :authority': [request([...head, ['host', 'y']])],
    'CR LF in a value': [request([...head, ['x-a', 'b\r\nx-user-id: alice']])],
    'NUL in a value': [request([...head, ['x-a', 'b\0']])],
    'two Content-Lengths': [request(posted([['content-length', String(body.length)], ['content-length', '5']]), END_HEADERS), frame(DATA, END_STREAM, 1, body)],
    'a Content-Length that is too long': [request(posted([['content-length', String(body.length + 1)]]), END_HEADERS), frame(DATA, END_STREAM, 1, body)],
    'a Content-Length that is too short': [request(posted([['content-length', String(body.length - 1)]]), END_HEADERS), frame(DATA, END_STREAM, 1, body)],
    'a Content-Length with a plus': [request(posted([['content-length', `+${body.length}`]]), END_HEADERS), frame(DATA, END_STREAM, 1, body)],
    'X-User-ID twice': [request(posted([['x-user-id', 'alice']]), END_HEADERS), frame(DATA, END_STREAM, 1, body)],
    'an even stream': [frame(HEADERS, END_STREAM | END_HEADERS, 2, block(head))],
    'DATA without a stream': [frame(DATA, END_STREAM, 1, body)],
    'another frame between HEADERS and CONTINUATION': [request(head, END_STREAM), frame(PING, 0, 0, Buffer.alloc(8)), frame(CONTINUATION, END_HEADERS, 1, Buffer.alloc(0))],
    'a stream that depends on itself': [frame(HEADERS, END_STREAM | END_HEADERS | 32, 1, Buffer.concat([Buffer.from([0, 0, 0, 1, 0]), block(head)]))],
    'CONNECT': [request([[':method', 'CONNECT'], [':authority', 'x:80']])],
  })) {
    test(`refused: ${name}`, async () => {
      const { healthy, types, closed } = await answer(frames);
      assert.equal(healthy, false);
      assert.ok(closed || types.some((type) => type === 1 || type === 3 || type === 7), JSON.stringify(types)); // a reply, RST_STREAM or GOAWAY
    });
  }

  for (const [name, frames] of Object.entries({
    'CONTINUATIONs': [request(head, END_STREAM), ...Array.from({ length: 2000 }, () => frame(CONTINUATION, 0, 1, Buffer.alloc(0)))],
    'CONTINUATIONs with fields': [request(head, END_STREAM), ...Array.from({ length: 200 }, () => frame(CONTINUATION, 0, 1, block([['x-a', 'b'.repeat(100)]]).subarray(0)))],
    'SETTINGS of 100 entries, often': Array.from({ length: 200 }, () => frame(SETTINGS, 0, 0, Buffer.concat(Array(100).fill(Buffer.from([0, 4, 0, 0, 255, 255]))))),
    'a frame of 16 MB': [frame(DATA, 0, 1, Buffer.alloc(0)).fill(0xff, 0, 3), Buffer.alloc(65536)],
  })) {
    test(`a flood ends the connection: ${name}`, async () => {
      const { closed, types } = await answer(frames);
      assert.ok(closed || types.includes(7), JSON.stringify(types));
      await completed(service, { script: fine }, { user: 'after' });
    });
  }

  test('PINGs and PRIORITYs in great number hold nobody up', async () => {
    await answer(Array.from({ length: 20000 }, (_, i) => (i % 2 ? frame(PING, 0, 0, Buffer.alloc(8)) : frame(PRIORITY, 0, 1 + 2 * i, Buffer.from([0, 0, 0, 0, 1])))));
    await completed(service, { script: fine }, { user: 'after' });
  });

  test('events in a stream', async () => {
    const client = session(service.url);
    const { json: { job_id: id } } = await execute(service, { script: 'function main() { console.log("hi"); const t = Date.now() + 300; while (Date.now() < t); }', async: true });
    const { status, text } = await stream(client, { ':path': `/jobs/${id}/events` });
    assert.equal(status, 200);
    assert.deepEqual([...text.matchAll(/^event: (.*)$/gm)].map(([, event]) => event).slice(-2), ['log', 'end']);
    client.close();
  });

  test('GOAWAY at a stop; a request that is held is answered', async () => {
    const own = await serve();
    const client = session(own.url);
    const held = run(client, 'function main() { const t = Date.now() + 700; while (Date.now() < t); return { late: 1 } }', 'held');
    await until(async () => (await jobs(own, 'held', 'running'))[0], 'the held job');
    let code = null;
    client.on('goaway', (got) => { code = got; });
    own.child.kill('SIGTERM');
    const { status, text } = await held;
    assert.equal(status, 200);
    assert.deepEqual(JSON.parse(text).output, { late: 1 });
    assert.equal(code, http2.constants.NGHTTP2_NO_ERROR);
    assert.deepEqual(await own.ended, { status: 0, signal: null });
  });
});

test('a drip is cut, in the head and in the body', async () => {
  const [head, body] = await Promise.all(drips);
  assert.deepEqual([statuses(head), statuses(body)], [[408], [408]]);
  for (const text of [head, body]) assert.match(text, /"error_code":"request_timeout"/);
});
