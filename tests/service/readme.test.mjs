// The README's curl commands, as they are printed there, against a running service.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { root } from '../lib.mjs';
import { serve } from './service.mjs';

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const commands = [...readme.matchAll(/^curl http:\/\/127\.0\.0\.1:8080\/execute [^']*(?:'[^']*'[^']*?)*?'\{[^']*\}'$/gm)].map(([command]) => command);

let service;
before(async () => { service = await serve(); });
after(() => service.stop());

// Not spawnSync: the service's log is read meanwhile.
function shell(command) {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', command.replaceAll('http://127.0.0.1:8080', service.url)], { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (data) => { text += data; });
    child.on('error', reject).on('close', (status) => resolve({ status, json: JSON.parse(text) }));
  });
}

test('there are three', () => assert.equal(commands.length, 3));

test('the sum of two inputs', async () => {
  const { status, json } = await shell(commands[0]);
  assert.deepEqual([status, json.status, json.output], [0, 'completed', { sum: 5 }]);
});

test('a secret that does not exist', async () => {
  const { json } = await shell(commands[1]);
  assert.deepEqual([json.status, json.error_code], ['failed', 'secret_not_found']);
  assert.match(json.error, /api_key/);
});

test('a hash and random bytes', async () => {
  const { json } = await shell(commands[2]);
  assert.equal(json.status, 'completed');
  assert.equal(json.output.hash, createHash('sha256').update('hello').digest('hex'));
  assert.match(json.output.nonce, /^[0-9a-f]{32}$/);
});
