// What the tests of the running service share: start one on a free port of loopback, ask it, read its log, end it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { binary } from '../lib.mjs';

// Whether all of the service is one process (the thread profile).
export const threads = binary.endsWith('neocompute-thread');

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// A port of loopback that nobody listens on, for now.
export const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => resolve(port)); });
});

// Waits until `check` answers something true, at most `ms`.
export async function until(check, what, ms = 10_000) {
  const end = Date.now() + ms;
  for (;;) {
    const got = await check();
    if (got) return got;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(10);
  }
}

const running = new Set();
after(() => { for (const service of running) service.child.kill('SIGKILL'); }); // those of tests that failed
process.on('exit', () => { for (const service of running) service.child.kill('SIGKILL'); });

// A directory that goes when the tests end.
const directories = [];
process.on('exit', () => { for (const path of directories) rmSync(path, { recursive: true, force: true }); });
export function scratch() {
  directories.push(mkdtempSync(join(tmpdir(), 'neocompute-service-')));
  return directories.at(-1);
}

// Keys and settings of whoever runs the tests do not count.
function cleanEnvironment(env) {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) =>
    !/^(NEOCOMPUTE_|COMPUTE_|SECRETS_|MARBLE_|SUPABASE_|EDG_|OE_|PORT$)/.test(name) || name === 'NEOCOMPUTE_WORKER'));
  return { ...clean, ...env };
}

// Of a build with -DSANITIZE=ON, in any of its processes.
const SANITIZER = /AddressSanitizer|LeakSanitizer|runtime error: /;

export const MASTER_KEY = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff';

// Starts a service and waits until it says that it listens. `args`: further options of `serve`; `base`: instead of those that
// every test wants; `tls`: how to ask it, if by HTTPS (options of node:tls); `program`: another build of it; `under`: a program and
// its arguments that become it.
export async function serve({ args = [], env = {}, state = 'memory', wait = true, tls, program = binary, under = [],
  base = ['--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0', '--state', state] } = {}) {
  const [first, ...words] = [...under, program, 'serve', ...base, ...args];
  const child = spawn(first, words, {
    env: cleanEnvironment({ COMPUTE_MASTER_KEY: MASTER_KEY, ...env }), stdio: ['ignore', 'pipe', 'pipe'] });
  const service = { child, pid: child.pid, log: [], text: '', exit: null, tls };
  running.add(service);
  service.ended = new Promise((resolve, reject) => child.on('close', (status, signal) => {
    running.delete(service);
    service.exit = { status, signal };
    const fault = service.text.match(SANITIZER);
    if (fault) {
      console.error(service.text.slice(fault.index));
      process.exitCode = 1; // however the test goes on
      reject(new Error(`a sanitizer reports: ${service.text.slice(fault.index, fault.index + 500)}`));
    }
    resolve(service.exit);
  }));
  let rest = '';
  child.stderr.setEncoding('utf8').on('data', (data) => {
    service.text += data;
    const lines = (rest + data).split('\n');
    rest = lines.pop();
    for (const line of lines) { try { service.log.push(JSON.parse(line)); } catch { service.log.push({ event: 'unreadable', line }); } }
  });
  service.events = (event) => service.log.filter((line) => line.event === event);
  service.stop = async () => { if (!service.exit) child.kill('SIGTERM'); return service.ended; };
  service.kill = async () => { if (!service.exit) child.kill('SIGKILL'); return service.ended; };
  if (!wait) return service;
  await until(() => service.exit || service.events('listening').length && service.events('metrics_listening').length, `listening: ${service.text}`, 20_000);
  if (service.exit) throw new Error(`ended with ${JSON.stringify(service.exit)}: ${service.text}`);
  const [{ address: main }] = service.events('listening');
  const [{ address: metrics }] = service.events('metrics_listening');
  service.address = main;
  service.port = Number(main.split(':').at(-1));
  service.url = `${tls ? 'https' : 'http'}://${main}`;
  service.metricsUrl = `http://${metrics}`;
  return service;
}

// Starts what must not start: {status, signal, text, reason}.
export async function refusedStart(options) {
  const service = await serve({ ...options, wait: false });
  const timer = setTimeout(() => service.child.kill('SIGKILL'), 10_000);
  const end = await service.ended;
  clearTimeout(timer);
  return { ...end, text: service.text, reason: service.events('not_started')[0]?.reason };
}

// All processes of a service: [{pid, name, cpu}], the first one first; cpu: clock ticks so far.
export function processes(service) {
  const parents = new Map(), ticks = new Map();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      parents.set(Number(name), Number(fields[1]));
      ticks.set(Number(name), Number(fields[11]) + Number(fields[12]));
    } catch { /* it has ended meanwhile */ }
  }
  const of = (pid) => [pid, ...[...parents].filter(([, parent]) => parent === pid).flatMap(([child]) => of(child))];
  return of(service.pid).map((pid) => {
    const cpu = ticks.get(pid) ?? 0;
    try { return { pid, cpu, name: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] }; } catch { return { pid, cpu, name: '' }; }
  });
}
export const processOf = (service, name) => processes(service).find((process) => process.name.includes(name));
export const workersOf = (service) => processes(service).filter((process) => process.name.includes('worker'));

// One request; {status, headers, text, json}. `body`: an object (sent as JSON), or text, or a Buffer.
export function ask(service, method, path, { body, headers = {}, user = 'alice', url = service.url, signal, agent, tls = service.tls } = {}) {
  const data = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const base = user === null ? {} : { 'x-user-id': user };
  if (data !== undefined) base['content-type'] = 'application/json';
  return new Promise((resolve, reject) => {
    const client = url.startsWith('https:') ? https : http;
    const request = client.request(url + path, { ...tls, method, signal, agent: agent ?? false, headers: { ...base, ...headers } }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part)).on('error', reject).on('end', () => {
        const text = Buffer.concat(parts).toString('utf8');
        const reply = { status: response.statusCode, headers: response.headers, text };
        if (text && /json/.test(response.headers['content-type'] ?? '')) reply.json = JSON.parse(text);
        resolve(reply);
      });
    });
    request.on('error', reject);
    request.end(data);
  });
}

// Bytes as they are on a connection of their own: {text, closed}, when it closes, or `enough(text)`, or `ms` are over.
// `half`: the client closes its direction behind them.
export function raw(service, bytes, { enough = () => false, half = false, ms = 10_000 } = {}) {
  return new Promise((resolve) => {
    const parts = [];
    const socket = net.connect({ port: service.port, host: '127.0.0.1', allowHalfOpen: true });
    const done = (closed) => { clearTimeout(timer); socket.destroy(); resolve({ text: Buffer.concat(parts).toString('latin1'), closed }); };
    const timer = setTimeout(done, ms, false);
    socket.on('data', (part) => { parts.push(part); if (enough(Buffer.concat(parts).toString('latin1'))) done(false); });
    socket.on('end', () => done(true)).on('error', () => done(true));
    socket.write(bytes);
    if (half) socket.end();
  });
}

export const execute = (service, body, options = {}) => ask(service, 'POST', options.path ?? '/execute', { body, ...options });

// Executes what must complete; the whole reply.
export async function completed(service, body, options) {
  const reply = await execute(service, body, options);
  assert.equal(reply.status, 200, reply.text);
  assert.equal(reply.json.status, 'completed', reply.text);
  return reply.json;
}

// A problem as API.md has it.
export function assertProblem(reply, status, code) {
  assert.equal(reply.status, status, reply.text);
  assert.equal(reply.headers['content-type'], 'application/problem+json');
  assert.equal(reply.json.error_code, code, reply.text);
  assert.equal(reply.json.code, `HTTP_${status}`);
  assert.equal(reply.json.status, status);
  assert.equal(reply.json.trace_id, reply.headers['x-trace-id']);
  return reply.json;
}
