// HPKE between our C (tests/hpke_main.c) and a library that others wrote and that browsers use, both ways.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { start } from './lib.mjs';

const program = process.env.HPKE ?? join('build', 'tests', 'hpke');
const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const bytes = (digits) => new Uint8Array(Buffer.from(digits, 'hex')).buffer;
const exact = (buffer) => new Uint8Array(buffer).buffer;

// What the C side prints: {name: [values]}.
function c(verb, ...args) {
  const { status, stdout, stderr } = start(program, [verb, ...args]);
  assert.equal(status, 0, stderr);
  const values = {};
  for (const line of stdout.trimEnd().split('\n')) (values[line.split(' ')[0]] ??= []).push(line.slice(line.indexOf(' ') + 1));
  return values;
}

const cases = [
  { info: '', label: '', messages: [['', '']] },
  { info: 'info', label: 'label', messages: [['a', 'one'], ['', 'two'], ['a', 'one'], ['b', '']] },
  { info: 'i'.repeat(1500), label: 'l'.repeat(1500), messages: [['a'.repeat(3000), 'p'.repeat(20000)]] },
].map(({ info, label, messages }) => ({ info: Buffer.from(info), label: Buffer.from(label), messages: messages.map((m) => m.map((t) => Buffer.from(t))) }));

async function keys() {
  const pair = crypto.generateKeyPairSync('x25519');
  const { d, x } = pair.privateKey.export({ format: 'jwk' });
  const [secret, publicKey] = [d, x].map((text) => Buffer.from(text, 'base64url'));
  return {
    secret, publicKey,
    theirs: { privateKey: await suite.kem.deserializePrivateKey(exact(secret)), publicKey: await suite.kem.deserializePublicKey(exact(publicKey)) },
  };
}

test('sealed in C, opened in Node', async () => {
  for (const { info, label, messages } of cases) {
    const { publicKey, theirs } = await keys();
    const got = c('seal', hex(publicKey), hex(info), hex(label), ...messages.flat().map(hex));
    assert.deepEqual(got.result, ['ok']);
    const recipient = await suite.createRecipientContext({ recipientKey: theirs, enc: bytes(got.enc[0]), info: exact(info) });
    assert.equal(got.sealed.length, messages.length);
    for (const [i, [aad, plain]] of messages.entries()) {
      assert.equal(hex(await recipient.open(bytes(got.sealed[i]), exact(aad))), hex(plain));
    }
    assert.equal(hex(await recipient.export(exact(label), 32)), got.exported[0]);
  }
});

test('sealed in Node, opened in C', async () => {
  for (const { info, label, messages } of cases) {
    const { secret, publicKey, theirs } = await keys();
    const sender = await suite.createSenderContext({ recipientPublicKey: theirs.publicKey, info: exact(info) });
    const sealed = [];
    for (const [aad, plain] of messages) sealed.push([aad, Buffer.from(await sender.seal(exact(plain), exact(aad)))]);
    const ask = (changed = {}) => {
      const at = { enc: Buffer.from(sender.enc), info, sealed, ...changed };
      return c('open', hex(secret), hex(at.enc), hex(at.info), hex(label), ...at.sealed.flat().map(hex));
    };
    const got = ask();
    assert.deepEqual([got.result, got.public], [['ok'], [hex(publicKey)]]);
    assert.deepEqual(got.plain, messages.map(([, plain]) => hex(plain)));
    assert.equal(got.exported[0], hex(await sender.export(exact(label), 32)));

    const other = await suite.createSenderContext({ recipientPublicKey: theirs.publicKey, info: exact(info) });
    const [[aad, first]] = sealed;
    const flipped = Buffer.from(first);
    flipped[flipped.length - 1] ^= 1;
    for (const changed of [
      { enc: Buffer.from(other.enc) },
      { enc: Buffer.alloc(32) },
      { info: Buffer.concat([info, Buffer.from([0])]) },
      { sealed: [[aad, flipped]] },
      { sealed: [[aad, first.subarray(1)]] },
      { sealed: [[Buffer.concat([aad, Buffer.from('x')]), first]] },
      { sealed: [sealed[0], sealed[0]] },
    ]) assert.deepEqual(ask(changed).result, ['sealed_invalid']);
  }
});
