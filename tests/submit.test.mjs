// `neocompute submit` against a service that is played here: what it sends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { file } from './lib.mjs';
import { played } from './played.mjs';

const done = { job_id: '1', status: 'completed' };
const { asked, run } = played(() => [200, done]);
const script = file('function main() {}');

async function sent(...args) {
  const { status, stdout, stderr } = await run(['submit', ...args]);
  assert.deepEqual([status, JSON.parse(stdout), stderr], [0, done, '']);
  assert.deepEqual([asked.at(-1).method, asked.at(-1).headers['x-user-id']], ['POST', 'alice']);
  return JSON.parse(asked.at(-1).body);
}

test('a script, and everything that may be asked of it', async () => {
  assert.deepEqual(await sent(script), { script: 'function main() {}' });
  assert.deepEqual(await sent(script, '--input', '{"b":1,"a":2}', '--entry', 'go', '--secret', 'a', '--secret', 'b', '--timeout', '5', '--memory', '64', '--steps', '9',
    '--host', 'a.example', '--host', '*.b.example', '--nonce', 'n', '--async', '--deterministic', '--app', 'shop'),
  { script: 'function main() {}', app_id: 'shop', input: { b: 1, a: 2 }, entry_point: 'go', nonce: 'n', secret_refs: ['a', 'b'], timeout: 5,
    limits: { memory_mb: 64, steps: 9, hosts: ['a.example', '*.b.example'] }, async: true, deterministic: true });
  assert.deepEqual(await sent(script, '--host', 'a.example'), { script: 'function main() {}', limits: { memory_mb: 128, hosts: ['a.example'] } });
});

test('a script by name', async () => {
  assert.deepEqual(await sent('--app', 'shop', '--script-name', 'price'), { script_name: 'price', app_id: 'shop' });
});

test('one or the other', async () => {
  for (const [args, message] of [
    [[], 'script: required'],
    [['--app', 'shop'], 'script: required'],
    [['--script-name', 'price'], '--script-name needs --app'],
    [['--app', 'shop', '--script-name', 'price', script], 'a script or --script-name, not both'],
  ]) assert.deepEqual(await run(['submit', ...args]), { status: 2, stdout: '', stderr: `neocompute submit: ${message}\n` });
  assert.equal(asked.length, 0);
});
