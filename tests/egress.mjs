// A real egress process, with tests/egress_main.c as its supervisor and keeper.
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

const program = resolve(process.env.EGRESS ?? 'build/neocompute-egress');
const driver = resolve(process.env.EGRESS_MAIN ?? 'build/tests/egress_main');
const running = new Set();
process.on('exit', () => { for (const child of running) child.kill('SIGKILL'); });

// A started egress: `names` and `authorities` are files, `exceptions` is egress.private,
// `database` a connection string. `ask(request)` resolves to its answer, its
// body a Buffer.
export async function start({ names, exceptions, authorities, database = '' }) {
  const child = spawn(driver, [program, authorities, names, exceptions, database], { stdio: ['pipe', 'pipe', 'pipe'] });
  const self = { log: '', answers: new Map(), heard: [] };
  const waiting = new Map();
  let ticket = 0, told;
  running.add(child);
  child.stderr.on('data', (part) => { self.log += part; });
  const first = new Promise((done) => { told = done; });
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said = JSON.parse(line);
    self.heard.push(said);
    if (said.pid) self.pid = said.pid;
    if ('up' in said) { self.fences = said.up; told(); }
    if ('ticket' in said) { said.body = Buffer.from(said.body, 'base64url'); waiting.get(said.ticket)?.(said); }
    if ('rows' in said) waiting.get(`rows ${said.rows}`)?.(said);
    if ('ended' in said) self.end = said;
  });
  const closed = new Promise((done) => child.on('close', () => { running.delete(child); told(); done(self.end); for (const tell of waiting.values()) tell({ gone: self.end, error: self.log, headers: [], body: '' }); }));
  const send = (command) => child.stdin.write(`${JSON.stringify(command)}\n`);
  self.begin = (request) => {
    const mine = ++ticket;
    const answer = new Promise((done) => waiting.set(mine, done));
    send({ ticket: mine, host: 'a.example', ...request });
    return { ticket: mine, answer };
  };
  self.ask = (request) => self.begin(request).answer;
  self.forget = (number) => send({ forget: number });
  self.query = (number) => { send({ query: number }); return new Promise((done) => waiting.set(`rows ${number}`, done)); };
  self.lie = () => send({ lie: true });
  self.ended = closed;
  self.stop = async () => { child.stdin.end(); return closed; };
  await first;
  return self;
}
