// `neocompute secret` against a service that is played here: what it sends, what it prints, what it refuses, and what is sealed.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { describe, test } from 'node:test';
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { file, missing } from './lib.mjs';
import { played } from './played.mjs';
import { attestation, document, makeKey } from './receipts.mjs';

let answer;
const stage = played((request) => answer(request));
const { asked } = stage;
const secret = (args, options) => stage.run(['secret', ...args], options);

const written = () => [200, { name: 'api_key', version: 3, created: false }];

describe('set', () => {
  test('the value from standard input, byte for byte', async () => {
    answer = written;
    const value = 'ü"\\\n\u0001😀 end\n';
    assert.deepEqual(await secret(['set', 'api_key'], { stdin: value }), { status: 0, stdout: 'version 3\n', stderr: '' });
    const [{ method, path, headers, body }] = asked;
    assert.deepEqual([method, path, headers['x-user-id'], headers['content-type']], ['PUT', '/secrets/api_key', 'alice', 'application/json']);
    assert.deepEqual(JSON.parse(body), { value });
  });

  test('from a file, with a policy', async () => {
    answer = written;
    const policy = { uses: 3, services: ['neocompute'] };
    const { status } = await secret(['set', 'a.B-9_', '--file', file('from a file', 'value'), '--policy', file(JSON.stringify(policy), 'policy')], { stdin: 'not this' });
    assert.equal(status, 0);
    assert.deepEqual([asked[0].path, JSON.parse(asked[0].body)], ['/secrets/a.B-9_', { value: 'from a file', policy }]);
  });

  test('the largest value', async () => {
    answer = written;
    const value = '\u0001'.repeat(65536);
    assert.equal((await secret(['set', 'a'], { stdin: value })).status, 0);
    assert.equal(JSON.parse(asked[0].body).value, value);
  });

  for (const [name, args, options, message] of [
    ['no value', ['set', 'a'], {}, /1 to 65536 bytes of UTF-8/],
    ['too large a one', ['set', 'a'], { stdin: 'x'.repeat(65537) }, /1 to 65536 bytes of UTF-8/],
    ['one that is no text', ['set', 'a'], { stdin: Buffer.from([0xff]) }, /1 to 65536 bytes of UTF-8/],
    ['no such file', ['set', 'a', '--file', missing], {}, /No such file/],
    ['the value as an argument', ['set', 'a', 'value'], {}, /standard input or with --file/],
    ['no name', ['set'], { stdin: 'x' }, /takes a secret's name/],
    ['a name that is none', ['set', 'a/b'], { stdin: 'x' }, /takes a secret's name/],
    ['dots', ['set', '..'], { stdin: 'x' }, /takes a secret's name/],
    ['a long name', ['set', 'x'.repeat(129)], { stdin: 'x' }, /takes a secret's name/],
    ['a policy that is no JSON', ['set', 'a', '--policy', file('{"a":1} x', 'none')], { stdin: 'x' }, /not a JSON object/],
    ['a policy that is a list', ['set', 'a', '--policy', file('[]', 'list')], { stdin: 'x' }, /not a JSON object/],
    ['policy without one', ['policy', 'a'], {}, /needs --policy/],
    ['list of a name', ['list', 'a'], {}, /takes no name/],
    ['another action', ['get', 'a'], {}, /unknown action 'get'/],
    ['a limit that is none', ['audit', 'a', '--limit', '1&before=2'], {}, /a whole number/],
  ]) {
    test(`refused before it is sent: ${name}`, async () => {
      answer = written;
      const { status, stdout, stderr } = await secret(args, options);
      assert.deepEqual([status, stdout, asked.length], [2, '', 0]);
      assert.match(stderr, message);
      assert.match(stderr, /^neocompute secret: /);
    });
  }
});

describe('the others', () => {
  test('list', async () => {
    answer = () => [200, { secrets: [
      { name: 'api_key', version: 3, policy: { uses: 2 }, store: 'embedded', format: 'sealed-v1', created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-02T00:00:00Z' },
      { name: 'old', version: 1, store: 'supabase', format: 'reference', error: 'secret_undecryptable\u009b31m' }] }];
    const { status, stdout } = await secret(['list']);
    const lines = stdout.trimEnd().split('\n').map((line) => line.trim().split(/\s+/));
    assert.deepEqual([status, lines], [0, [['NAME', 'VERSION', 'UPDATED', 'STORE', 'ERROR', 'POLICY'],
      ['api_key', '3', '2026-01-02T00:00:00Z', 'embedded', '-', '{"uses":2}'], ['old', '1', '-', 'supabase', 'secret_undecryptable??31m', '-']]]);
    assert.deepEqual([asked[0].method, asked[0].path], ['GET', '/secrets']);
    const json = await secret(['--json']); // list is what it does unless told otherwise
    assert.deepEqual(JSON.parse(json.stdout).secrets.length, 2);
  });

  test('rm', async () => {
    answer = () => [204];
    assert.deepEqual(await secret(['rm', 'api_key']), { status: 0, stdout: '', stderr: '' });
    assert.deepEqual([asked[0].method, asked[0].path], ['DELETE', '/secrets/api_key']);
  });

  test('policy', async () => {
    answer = written;
    assert.deepEqual(await secret(['policy', 'api_key', '--policy', file('{"uses":1}', 'one')]), { status: 0, stdout: 'version 3\n', stderr: '' });
    assert.deepEqual([asked[0].method, asked[0].path, asked[0].body], ['PUT', '/secrets/api_key/policy', '{"uses":1}']);
  });

  test('audit', async () => {
    answer = () => [200, { audit: [{ id: 12, action: 'read', service: 'neocompute', success: false, error: 'secret_expired', agent: 'job=1 trace=2', time: '2026-01-01T00:00:00Z' }], next: 12 }];
    const { status, stdout } = await secret(['audit', 'api_key', '--limit', '1', '--before', '40']);
    assert.deepEqual([status, asked[0].path], [0, '/secrets/api_key/audit?limit=1&before=40']);
    assert.deepEqual(stdout.split('\n').map((line) => line.trim().split(/\s+/)), [['ID', 'TIME', 'ACTION', 'SERVICE', 'OK', 'ERROR', 'AGENT'],
      ['12', '2026-01-01T00:00:00Z', 'read', 'neocompute', 'false', 'secret_expired', 'job=1', 'trace=2'], ['older', 'ones:', '--before', '12'], ['']]);
  });

  test('refusals: a sentence, or with --json the problem itself', async () => {
    const problem = { type: 'urn:neocompute:problem:secret_invalid', title: 'x', status: 400, detail: 'policy.hosts: must \u009b be', error_code: 'secret_invalid', message: 'x' };
    answer = () => [400, problem];
    assert.deepEqual(await secret(['rm', 'a']), { status: 2, stdout: '', stderr: 'neocompute secret: secret_invalid: policy.hosts: must ?? be\n' });
    const json = await secret(['rm', 'a', '--json']);
    assert.deepEqual([json.status, JSON.parse(json.stdout), json.stderr], [2, problem, '']);
    answer = () => [503, { error_code: 'secrets_away', message: 'the secret store is away' }];
    assert.deepEqual(await secret(['list']), { status: 3, stdout: '', stderr: 'neocompute secret: secrets_away: the secret store is away\n' });
    answer = () => [502];
    assert.deepEqual(await secret(['list']), { status: 3, stdout: '', stderr: 'neocompute secret: the service answers 502\n' });
    answer = () => [200, { secrets: 5 }];
    assert.equal((await secret(['list'])).status, 3);
    assert.equal((await secret(['list'], { env: { NEOCOMPUTE_URL: 'http://127.0.0.1:1' } })).status, 3);
  });
});

describe('--seal', () => {
  const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
  const exact = (bytes) => new Uint8Array(bytes).buffer;
  const pair = crypto.generateKeyPairSync('x25519'), key = makeKey();
  const { d, x } = pair.privateKey.export({ format: 'jwk' });
  const agree = { crv: 'X25519', kty: 'OKP', x };

  const nonceOf = (request) => new URL(request.url, 'http://localhost').searchParams.get('nonce');
  const service = (changes = () => ({}), reply = (value) => value) => (request) => {
    if (!request.url.startsWith('/attestation')) return written();
    const nonce = nonceOf(request);
    const text = document(key, { nonce, iat: Math.floor(Date.now() / 1000), cnf: { jwks: [key.jwk, agree] }, ...changes(nonce) });
    return [200, reply(attestation(text))];
  };

  async function open({ enc, ciphertext }, user, name) {
    const theirs = { privateKey: await suite.kem.deserializePrivateKey(exact(Buffer.from(d, 'base64url'))),
      publicKey: await suite.kem.deserializePublicKey(exact(Buffer.from(x, 'base64url'))) };
    const recipient = await suite.createRecipientContext({ recipientKey: theirs, enc: exact(Buffer.from(enc, 'base64url')), info: exact(Buffer.from('neocompute-secret-seal-v1')) });
    return Buffer.from(await recipient.open(exact(Buffer.from(ciphertext, 'base64url')), exact(Buffer.from(`${user}\0${name}`)))).toString();
  }

  test('opens with the attested key, for that user and name only', async () => {
    answer = service();
    const { status, stderr } = await secret(['set', 'api_key', '--seal', '--allow-simulated', '--policy', file('{"uses":1}', 'one')], { stdin: 's3cr3t ü' });
    assert.deepEqual([status, stderr], [0, '']);
    const { sealed, ...rest } = JSON.parse(asked[1].body);
    assert.deepEqual([asked[1].path, rest, Object.keys(sealed)], ['/secrets/api_key', { policy: { uses: 1 } }, ['enc', 'ciphertext']]);
    assert.ok(!asked[1].body.includes('s3cr3t'));
    assert.equal(await open(sealed, 'alice', 'api_key'), 's3cr3t ü');
    await assert.rejects(open(sealed, 'bob', 'api_key'));
    await assert.rejects(open(sealed, 'alice', 'other'));
  });

  test('each time with another nonce and another key', async () => {
    answer = service();
    for (let i = 0; i < 2; i++) assert.equal((await secret(['set', 'a', '--seal', '--allow-simulated'], { stdin: 'x' })).status, 0);
    assert.notEqual(asked[0].path, asked[2].path);
    assert.notEqual(JSON.parse(asked[1].body).sealed.enc, JSON.parse(asked[3].body).sealed.enc);
  });

  for (const [name, args, what, message] of [
    ['simulated evidence, which was not allowed', [], service(), /no hardware vouches/],
    ['an old answer', ['--allow-simulated'], service(() => ({ nonce: 'A'.repeat(43) })), /not the answer to this question/],
    ['an answer without a nonce', ['--allow-simulated'], service(() => ({ nonce: undefined })), /not the answer to this question/],
    ['another key put in', ['--allow-simulated'], service(undefined, (value) => {
      const text = Buffer.from(value.document, 'base64url').toString().replace(x, Buffer.alloc(32, 9).toString('base64url'));
      return { ...value, document: Buffer.from(text).toString('base64url') };
    }), /attestation: /],
    ['a key of small order', ['--allow-simulated'], service(() => ({ cnf: { jwks: [key.jwk, { ...agree, x: 'A'.repeat(43) }] } })), /./],
    ['no attestation at all', ['--allow-simulated'], () => [404, {}], /answers 404/],
    ['rubbish', ['--allow-simulated'], () => [200, 'x'], /attestation: /],
  ]) {
    test(`nothing is sent: ${name}`, async () => {
      answer = what;
      const { status, stderr } = await secret(['set', 'a', '--seal', ...args], { stdin: 's3cr3t' });
      assert.deepEqual([status, asked.map(({ method }) => method)], [3, ['GET']]);
      assert.match(stderr, message);
    });
  }
});
