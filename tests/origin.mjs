// A server on loopback for tests of requests to the outside: HTTPS with a CA of its own (HTTP/1.1 alone, or with HTTP/2), or
// plain HTTP. It answers well, badly, slowly or not at all, as its routes say, and counts connections.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createPlain } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer as createSecure } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

// A CA in a folder of its own: `file` is its PEM file; `leaf(names)` makes {key, cert} of a server with these names.
export function authority() {
  const folder = mkdtempSync(join(tmpdir(), 'origin-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const path = (name) => join(folder, name);
  openssl('req', '-x509', ...NEW_KEY, '-days', '2', '-subj', '/CN=origin', '-keyout', path('ca.key'), '-out', path('ca.crt'));
  let count = 0;
  const leaf = (names, days = 2) => {
    const own = path(`leaf-${count++}`);
    const list = names.map((name) => (/^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`)).join(',');
    writeFileSync(`${own}.ext`, `extendedKeyUsage=serverAuth\nsubjectAltName=${list}\n`);
    openssl('req', ...NEW_KEY, '-subj', `/CN=${names[0]}`, '-keyout', `${own}.key`, '-out', `${own}.csr`);
    openssl('x509', '-req', '-in', `${own}.csr`, '-CA', path('ca.crt'), '-CAkey', path('ca.key'), '-days', String(days), '-extfile', `${own}.ext`, '-out', `${own}.crt`);
    return { key: readFileSync(`${own}.key`), cert: readFileSync(`${own}.crt`) };
  };
  return { folder, file: path('ca.crt'), leaf };
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const number = (url, name, otherwise) => Number(url.searchParams.get(name) ?? otherwise);

async function readBody(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}

// What it says beneath HTTP; of HTTP/1.1 only.
function raw(request, text) {
  request.socket.write(text);
  request.socket.end();
}

const routes = {
  // What was asked, as JSON.
  '/echo': async (request, response, url) => {
    const body = await readBody(request);
    const text = JSON.stringify({ method: request.method, target: request.url, version: request.httpVersion, headers: request.headers,
      body: body.toString('latin1').slice(0, 4096), length: body.length });
    response.writeHead(number(url, 'status', 200), { 'content-type': 'application/json' }).end(text);
  },
  '/slow': async (request, response, url) => { await wait(number(url, 'ms', 1000)); response.end('slow'); },
  '/silent': () => {},
  // A byte now and then.
  '/drip': async (request, response, url) => {
    for (let i = 0; i < number(url, 'bytes', 100) && !response.destroyed; i++) { response.write('.'); await wait(number(url, 'ms', 50)); }
    response.end();
  },
  '/huge': (request, response, url) => response.end(Buffer.alloc(number(url, 'bytes', 1 << 20), 'x')),
  '/chunked': (request, response, url) => { for (let i = 0; i < number(url, 'chunks', 4); i++) response.write('x'.repeat(1000)); response.end(); },
  '/redirect': (request, response, url) => response.writeHead(number(url, 'status', 302), { location: url.searchParams.get('to') }).end('gone'),
  '/headers': (request, response, url) => {
    for (let i = 0; i < number(url, 'count', 1); i++) response.setHeader(`x-${i}`, 'v'.repeat(number(url, 'bytes', 10)));
    response.end('headers');
  },
  '/cookies': (request, response) => { response.setHeader('Set-Cookie', ['a=1', 'b=2']); response.setHeader('X-Mixed', 'Case'); response.end(); },
  '/empty': (request, response) => response.writeHead(204).end(),
  '/gzip': (request, response, url) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(number(url, 'bytes', 1000), 'z'))),
  '/bad-gzip': (request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('this is none'),
  '/close': (request) => request.socket.destroy(),
  '/garbage': (request) => raw(request, 'SSH-2.0-OpenSSH_9.2\r\n'),
  '/half': (request) => raw(request, 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'),
  '/half-head': (request) => raw(request, 'HTTP/1.1 200 OK\r\ncontent-le'),
  '/two-lengths': (request) => raw(request, 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nhalf'),
  '/status-999': (request) => raw(request, 'HTTP/1.1 999 Much\r\ncontent-length: 0\r\n\r\n'),
  '/bad-chunk': (request) => raw(request, 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhalf\r\n'),
  '/hints': (request) => raw(request, 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'),
  '/trailers': (request) => raw(request, 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-late\r\n\r\n2\r\nok\r\n0\r\nx-late: 1\r\n\r\n'),
  '/reset': (request, response) => response.stream.close(2),
};

// A listening origin. `tls`: {key, cert}; without it plain HTTP. `more`: routes of its own. `opened`:
// connections so far; `requests`: {method, url, headers, connection}.
export async function origin({ tls, h2 = false, more = {} } = {}) {
  const self = { opened: 0, requests: [], sockets: new Set(), more };
  const answer = (request, response) => {
    const url = new URL(request.url, 'http://origin');
    const socket = request.stream?.session?.socket ?? request.socket;
    self.requests.push({ method: request.method, url: request.url, headers: request.headers, connection: socket.remotePort });
    response.on('error', () => {});
    const route = self.more[url.pathname] ?? routes[url.pathname];
    if (route) return route(request, response, url);
    return response.writeHead(404).end();
  };
  const server = !tls ? createPlain(answer) : h2 ? createSecureServer({ ...tls, allowHTTP1: true }, answer) : createSecure({ ...tls, ALPNProtocols: ['http/1.1'] }, answer);
  server.keepAliveTimeout = 0;
  server.on('connection', (socket) => {
    self.opened++;
    self.sockets.add(socket);
    socket.on('error', () => {}).on('close', () => self.sockets.delete(socket));
  });
  server.on('tlsClientError', () => {}).on('sessionError', () => {});
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  self.port = server.address().port;
  self.close = () => { for (const socket of self.sockets) socket.destroy(); server.close(); };
  return self;
}
