// The scripts in examples/service/ need a service: for secrets that are the user's own, and for other servers.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { root } from '../lib.mjs';
import { origin } from '../origin.mjs';
import { assertVerifies, serveOutside, succeeds, tls } from './outside.mjs';
import { ask } from './service.mjs';

const folder = join(root, 'examples', 'service');
const read = (name) => readFileSync(join(folder, name), 'utf8');
let service, server;
before(async () => {
  server = await origin({ tls });
  server.more['/price'] = (request, response, url) => response.end(JSON.stringify({ price: url.hostname === 'origin' && request.headers.authorization === 'Bearer s3cr3t' ? 103 : 100 }));
  service = await serveOutside();
});
after(async () => { server.close(); await service.stop(); });

test('every script there is run here', () => assert.deepEqual(readdirSync(folder).filter((name) => name.endsWith('.js')), ['price-alert.js']));

test('price-alert: two servers at once, at one of them with a key that the script does not have', async () => {
  await ask(service, 'PUT', '/secrets/api_key', { body: { value: 's3cr3t', policy: { expose: 'egress-only', hosts: ['b.example'] } } });
  const input = { public_url: `https://a.example:${server.port}/price`, private_url: `https://b.example:${server.port}/price`, threshold: 0.02 };
  const reply = await succeeds(service, read('price-alert.js'), { input, secret_refs: ['api_key'] });
  assert.deepEqual(reply.json.output, { open: 100, private: 103, alert: true, placeholder: true });
  assert.deepEqual([...reply.json.network.hosts].sort(), [`a.example:${server.port}`, `b.example:${server.port}`]);
  assert.equal(reply.text.includes('s3cr3t'), false);
  await assertVerifies(service, reply, { script: read('price-alert.js'), input });
});

// What the reference's documentation shows (README.md): `secrets.api_key`.
test('the reference\'s example of secrets still works, as its README has it', async () => {
  await ask(service, 'PUT', '/secrets/api_key', { body: { value: 's3cr3t' }, user: 'bob' });
  const reply = await succeeds(service, 'function main() { return { hasKey: secrets.api_key.length > 0 } }', { secret_refs: ['api_key'] }, { user: 'bob' });
  assert.deepEqual(reply.json.output, { hasKey: true });
});
