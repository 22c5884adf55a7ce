// The same script and input cost the same number of steps, to the unit, and the same memory, in every build of the engine: at
// every optimisation level (METERS: programs, comma-separated) and in either bounds mode (the recorded figures below came from
// the guard-page build; the explicit one is held to them as well).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(fileURLToPath(import.meta.url), '..', '..');
const meters = process.env.METERS.split(',');
const scripts = ['tests/meter', 'examples'].flatMap((dir) =>
  readdirSync(join(root, dir)).filter((f) => f.endsWith('.js')).map((f) => join(root, dir, f)));
const run = (meter) => execFileSync(meter, scripts).toString();
const reference = run(meters[0]);

test('a second run costs exactly what the first did', () => assert.equal(run(meters[0]), reference));

for (const meter of meters.slice(1)) {
  test(`${meter.split('/').at(-1)} counts as ${meters[0].split('/').at(-1)} does`, () => assert.equal(run(meter), reference));
}

test('both bounds modes count alike and start from the same snapshot', (t) => {
  // The other build's figures, if it is there: CI builds both.
  const other = meters[0].includes('-explicit/') ? meters[0].replace('-explicit/', '/') : meters[0].replace(/\/build([^/]*)\//, '/build$1-explicit/');
  if (!existsSync(other)) return t.skip(`${other} is not built`);
  assert.equal(run(other), reference);
  const image = process.env.SNAPSHOT, otherImage = join(other, '..', '..', 'gen', 'snapshot.img');
  const hash = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');
  assert.equal(hash(otherImage), hash(image));
});
