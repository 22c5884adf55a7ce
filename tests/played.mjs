// A service that a test plays, for the verbs that ask one: it keeps what it was asked, and answers what the test says.
import { spawn } from 'node:child_process';
import http from 'node:http';
import { after, before, beforeEach } from 'node:test';
import { binary } from './lib.mjs';

// `answer(request)` gives [status, value]; without a value there is no body. `asked`: [{method, path, headers, body}] of the test at
// hand; `run(args)`: the program, asking this service as alice.
export function played(answer) {
  const asked = [];
  let url;
  const server = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part)).on('end', () => {
      asked.push({ method: request.method, path: request.url, headers: request.headers, body: Buffer.concat(parts).toString() });
      const [status, value] = answer(request);
      response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' });
      response.end(value === undefined ? '' : JSON.stringify(value));
    });
  });
  before(async () => {
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${server.address().port}`;
  });
  after(() => server.close());
  beforeEach(() => { asked.length = 0; });

  const run = (args, { stdin = '', env = {} } = {}) => new Promise((resolve, reject) => {
    const child = spawn(binary, args, { env: { ...process.env, NEOCOMPUTE_URL: url, NEOCOMPUTE_USER: 'alice', ...env }, timeout: 30_000 });
    let stdout = '', stderr = '';
    child.stdout.on('data', (data) => { stdout += data; });
    child.stderr.on('data', (data) => { stderr += data; });
    child.stdin.on('error', () => {}).end(stdin);
    child.on('error', reject).on('close', (status) => resolve({ status, stdout, stderr }));
  });
  return { asked, run };
}
