// What the tests of the command line share: the program (NEOCOMPUTE, or build/neocompute), scratch files, one way to run it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const binary = process.env.NEOCOMPUTE ? resolve(process.env.NEOCOMPUTE) : join(root, 'build', 'neocompute');

const scratch = mkdtempSync(join(tmpdir(), 'neocompute-test-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

// A file of the given content (string or Buffer) in the scratch folder; the same name again is the same file. Returns its path.
export function file(content, name = 'script.js') {
  const path = join(scratch, name);
  writeFileSync(path, content);
  return path;
}

export const missing = join(scratch, 'no-such-file');

// Any program: {status, signal, stdout, stderr}. `stdio` as in child_process; `env` comes on top of this process's own.
export function start(program, args, { stdin = '', env = {}, stdio, cwd } = {}) {
  const result = spawnSync(program, args, {
    encoding: 'utf8',
    input: stdio ? undefined : stdin,
    stdio,
    cwd,
    env: { ...process.env, ...env },
    timeout: 30_000,
    maxBuffer: 16 << 20,
  });
  if (result.error) throw result.error;
  return { status: result.status, signal: result.signal, stdout: result.stdout, stderr: result.stderr };
}

export const cli = (args, options) => start(binary, args, options);

// `neocompute run` on a script's text, in a file called script.js.
export const run = (script, args = [], options) => cli(['run', file(script), ...args], options);

// The same with --json: the record, and what else came out beside it. Fails if standard output is not one line of JSON.
export function record(script, args = [], options) {
  const { status, stdout, stderr } = run(script, ['--json', ...args], options);
  if (!/^[^\n]+\n$/.test(stdout)) throw new Error(`no record, exit status ${status}: ${stderr}`);
  return { ...JSON.parse(stdout), exit: status, stdout, stderr };
}

// The output of a script that must succeed, parsed.
export function output(script, args = [], options) {
  const { status, stdout, stderr } = run(script, args, options);
  if (status !== 0) throw new Error(`exit status ${status}: ${stderr}`);
  return JSON.parse(stdout);
}
