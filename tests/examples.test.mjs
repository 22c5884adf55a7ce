// Every script in examples/ prints its expected output, byte for byte, when the real binary runs it (NEOCOMPUTE, or
// build/neocompute). What is expected is computed independently by examples-reference.mjs.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'examples');
const binary = process.env.NEOCOMPUTE ? resolve(process.env.NEOCOMPUTE) : join(root, 'build', 'neocompute');
const stems = readdirSync(folder).filter((name) => name.endsWith('.js')).map((name) => name.slice(0, -3));

function secretOptions(file) {
  const secrets = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  return Object.entries(secrets).flatMap(([name, value]) => {
    assert.equal(typeof value, 'string', `${file}: ${name} must be a string`);
    return ['--secret', `${name}=${value}`];
  });
}

test('there are examples', () => assert.ok(stems.includes('hello') && stems.length >= 9));

for (const stem of stems) {
  test(`examples/${stem}.js`, () => {
    const file = (ending) => join(folder, stem + ending);
    const args = ['run', file('.js'), '--input', file('.input.json'), ...secretOptions(file('.secrets.json'))];
    const result = spawnSync(binary, args, { encoding: 'utf8', timeout: 60_000 });
    assert.ifError(result.error);
    assert.equal(result.status, 0, `exit status ${result.status}, signal ${result.signal}: ${result.stderr}`);
    assert.equal(result.stdout, readFileSync(file('.expected.json'), 'utf8'));
  });
}
