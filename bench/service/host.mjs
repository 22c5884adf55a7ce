// A service under measurement: starts it on the real disk, and reads what the kernel knows of its processes.
import { spawn } from 'node:child_process';
import { openSync, closeSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

const OURS = /^(NEOCOMPUTE_|COMPUTE_|SECRETS_|MARBLE_|SUPABASE_|OE_|PORT$)/; // settings of whoever measures do not count
const environment = () => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !OURS.test(name))),
  COMPUTE_MASTER_KEY: '00112233445566778899aabbccddeeff'.repeat(2),
});

function read(path) {
  try { return readFileSync(path, 'utf8'); } catch { return ''; } // it has ended meanwhile
}

/** Starts a program that writes a line which `port` finds the port in; its standard error goes to `log`. */
async function start(command, args, log, port, env = process.env) {
  const fd = openSync(log, 'w');
  const child = spawn(command, args, { stdio: ['ignore', fd, fd], env });
  closeSync(fd);
  running.add(child);
  const ended = new Promise((done) => child.on('exit', () => { running.delete(child); done(); }));
  for (let i = 0; i < 1000; i++) {
    const found = read(log).match(port);
    if (found) return { child, ended, port: Number(found[1]), pid: child.pid, url: `http://127.0.0.1:${found[1]}` };
    if (child.exitCode !== null || child.signalCode !== null) break;
    await sleep(10);
  }
  throw new Error(`${command} does not listen: ${read(log).slice(-2000)}`);
}

const LISTENS = /"event":"listening","address":"[^"]*:(\d+)"/;

/** The service; `state` is kept in `scratch`, so that it can be started again. */
export async function serve(binary, scratch, name, args = [], env = {}) {
  const state = join(scratch, name);
  const all = ['serve', '--listen', '127.0.0.1:0', '--metrics-listen', '', '--state', state, ...args];
  return { name, state, ...await start(binary, all, join(scratch, `${name}.log`), LISTENS, { ...environment(), ...env }) };
}

export async function servePeer(script, scratch, name) {
  const log = join(scratch, `${name}.log`);
  return { name, ...await start(process.execPath, ['--no-node-snapshot', script, name], log, /^listening (\d+)$/m) };
}

export async function stop(service) {
  service.child.kill('SIGTERM');
  await Promise.race([service.ended, sleep(15_000).then(() => service.child.kill('SIGKILL'))]);
}

// ---- its processes ----

const ROLES = [[/keeper/, 'keeper'], [/broker/, 'broker'], [/egress/, 'egress'], [/worker/, 'workers']];

function roleOf(pid) {
  const title = read(`/proc/${pid}/cmdline`).split('\0')[0];
  return ROLES.find(([pattern]) => pattern.test(title))?.[1] ?? 'supervisor';
}

/** [{pid, role}], the first process first. */
export function processesOf(service) {
  const children = (pid) => readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    read(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean).map(Number));
  const all = [service.pid];
  for (let i = 0; i < all.length; i++) { try { all.push(...children(all[i])); } catch { /* ended */ } }
  return all.map((pid) => ({ pid, role: roleOf(pid) }));
}

/** Nanoseconds on a CPU, all threads: Map pid -> {role, ns}. */
function cpuNs(service) {
  return new Map(processesOf(service).map(({ pid, role }) => {
    let tasks = [];
    try { tasks = readdirSync(`/proc/${pid}/task`); } catch { /* ended */ }
    const ns = tasks.reduce((sum, task) => sum + Number(read(`/proc/${pid}/task/${task}/schedstat`).split(' ')[0] || 0), 0);
    return [pid, { role, ns }];
  }));
}

/** Starts a stretch; the function it returns gives the microseconds of CPU since, by role. Without what ended meanwhile. */
export function cpuSince(service) {
  const before = cpuNs(service);
  return () => {
    const sum = {};
    for (const [pid, { role, ns }] of cpuNs(service)) sum[role] = (sum[role] ?? 0) + (ns - (before.get(pid)?.ns ?? 0)) / 1000;
    return sum;
  };
}

/** kB, by role: {rss, pss, processes}. */
export function memoryOf(service) {
  const sum = {};
  for (const { pid, role } of processesOf(service)) {
    const text = read(`/proc/${pid}/smaps_rollup`);
    const kb = (name) => Number(text.match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))?.[1] ?? 0);
    const one = (sum[role] ??= { rss: 0, pss: 0, processes: 0 });
    one.rss += kb('Rss');
    one.pss += kb('Pss');
    one.processes++;
  }
  return sum;
}

export const rssOf = (memory, roles) => roles.reduce((total, role) => total + (memory[role]?.rss ?? 0), 0);

/** Open descriptors, by role without the workers, whose number changes with the load. */
export function descriptorsOf(service) {
  const sum = {};
  for (const { pid, role } of processesOf(service)) {
    try { sum[role] = (sum[role] ?? 0) + readdirSync(`/proc/${pid}/fd`).length; } catch { /* ended */ }
  }
  return sum;
}
