// Load on a service: wrk with execute.lua, one request after the other on each connection, callers in turn.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { othersSince } from '../peers/noise.mjs';
import { cpuSince, processesOf } from './host.mjs';

const SCRIPT = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, 'execute.lua');
export const CALLERS = 64; // at most 5 jobs of one may run or wait

/** Writes what the requests send; the file's path. */
export function bodyFile(scratch, name, body) {
  const path = join(scratch, `${name}.json`);
  writeFileSync(path, JSON.stringify(body));
  return path;
}

/**
 * Runs wrk for `seconds`: {rate, p50, p99, max (ms), requests, errors, cpu: {role: us per request}, total, wrk: us per
 * request, others: share of the CPU}. An answer other than 200 is an error.
 */
export async function load(service, { body, connections, seconds, callers = CALLERS, pause = 0, method = 'POST', path = '/execute' }) {
  const args = ['-t1', `-c${connections}`, `-d${Math.max(1, Math.round(seconds))}s`, '--timeout', '20s', '-s', SCRIPT, service.url, '--', body, callers, pause, method, path];
  const others = othersSince(new Set(processesOf(service).map(({ pid }) => pid)));
  const used = cpuSince(service);
  const { stderr } = await promisify(execFile)('wrk', args.map(String));
  const cpu = used(), wrk = JSON.parse(stderr);
  const each = (us) => us / Math.max(1, wrk.requests);
  return {
    rate: wrk.requests / (wrk.us / 1e6), requests: wrk.requests, errors: wrk.not_2xx + wrk.failed,
    p50: wrk.p50_us / 1000, p99: wrk.p99_us / 1000, max: wrk.max_us / 1000,
    cpu: Object.fromEntries(Object.entries(cpu).map(([role, us]) => [role, each(us)])),
    total: each(Object.values(cpu).reduce((sum, us) => sum + us, 0)), wrk: each(wrk.cpu_us), others: others(),
  };
}
