// The protocol's bytes, made in C and read in Node, and the other way round (tests/protocol_main.c is the C side).
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { start } from './lib.mjs';
import {
  attestation, b64, canonical, countPlain, defaultLimits, document, job, makeKey, open, protection, readReceipt, recordAad, recordPlain, seal,
  secretAad, secretOpen, secretPlain, secretText, sha256, shortText,
} from './receipts.mjs';

const program = process.env.PROTOCOL ?? join('build', 'tests', 'protocol');
const hex = (bytes) => Buffer.from(bytes).toString('hex');

// What the C side prints: {name: [values]}.
function c(verb, ...args) {
  const { status, stdout, stderr } = start(program, [verb, ...args]);
  assert.equal(status, 0, stderr);
  const values = {};
  for (const line of stdout.trimEnd().split('\n')) (values[line.split(' ')[0]] ??= []).push(line.slice(line.indexOf(' ') + 1));
  return values;
}

test('output protection, as the reference does it', () => {
  for (const length of [32, 33, 64, 100]) {
    const master = crypto.randomBytes(length);
    const output = canonical({ n: length, text: 'größe\u2028' });
    const node = protection(master);
    const { store, hash, signature, encrypted, opened, result } =
      c('protect', hex(master), hex(output), Buffer.from(node.encrypt(output), 'base64').toString('hex'));
    assert.deepEqual(result, ['ok']);
    assert.equal(store[0], hex(node.store));
    assert.equal(hash[0], hex(sha256(output)));
    assert.equal(signature[0], node.signature(output));
    assert.equal(node.decrypt(encrypted[0]), output);
    assert.equal(opened[0], hex(output));
  }
});

test('sealed records', () => {
  const key = crypto.randomBytes(32), user = crypto.randomBytes(32), id = crypto.randomBytes(16);
  const reply = '{"job_id":"x"}', claims = 'claims';
  const ours = seal(key, recordAad('jobs', user, id), recordPlain(reply, claims));
  const args = (sealed) => [hex(key), 'jobs', hex(user), hex(id), hex(reply), hex(claims), hex(sealed)];
  const got = c('seal', ...args(ours));
  assert.deepEqual([got.result[0], got.reply[0], got.claims[0]], ['ok', hex(reply), hex(claims)]);
  assert.deepEqual(open(key, recordAad('jobs', user, id), Buffer.from(got.sealed[0], 'hex')), recordPlain(reply, claims));
  for (const [table, u, i] of [['job', user, id], ['jobs', id.toString('hex'), id], ['jobs', user, user.subarray(0, 16)]]) {
    const moved = seal(key, recordAad(table, Buffer.from(u), i), recordPlain(reply, claims));
    assert.equal(c('seal', ...args(moved)).result[0], 'record_corrupt');
  }
});

test('sealed secrets', () => {
  const master = crypto.randomBytes(40), user = sha256('alice'), name = 'api_key', version = 2 ** 40 + 3;
  const policy = '{"uses":3}', value = 'größe', key = protection(master).secret;
  const args = (text, uses) => [hex(master), hex(user), hex(name), String(version), hex(policy), hex(value), '2', text, uses];
  const at = (u, n, v) => [
    secretText(key, secretAad('secret', u, n, v), secretPlain(policy, Buffer.from(value))), secretText(key, secretAad('secret-uses', u, n, v), countPlain(7)),
  ];
  const got = c('secret', ...args(...at(user, name, version)));
  assert.deepEqual([got.result[0], got.policy[0], got.value[0], got.count[0]], ['ok', hex(policy), hex(value), '7']);
  assert.deepEqual(secretOpen(key, secretAad('secret', user, name, version), got.sealed[0]), secretPlain(policy, Buffer.from(value)));
  assert.deepEqual(secretOpen(key, secretAad('secret-uses', user, name, version), got.counted[0]), countPlain(2));
  assert.match(got.sealed[0], /^nc1\.[A-Za-z0-9+/]+=*$/);
  const here = at(user, name, version);
  for (const elsewhere of [[sha256('mallory'), name, version], [user, 'api_key2', version], [user, name, version - 1]]) {
    const moved = at(...elsewhere);
    assert.equal(c('secret', ...args(moved[0], here[1])).result[0], 'secret_undecryptable');
    assert.equal(c('secret', ...args(here[0], moved[1])).result[0], 'secret_undecryptable');
  }
  assert.equal(c('secret', ...args(here[1], here[1])).result[0], 'secret_undecryptable');
  assert.equal(c('secret', ...args(here[0].slice(4), here[1])).result[0], 'secret_undecryptable');
});

test('receipts and attestation made in C', () => {
  for (const [entry, nonce] of [['main', ''], ['größe', 'n-1'], ['x'.repeat(128), '"'.repeat(128)]]) {
    const count = 12;
    const got = c('service', hex(entry), hex(nonce), hex('process'), '', String(count));
    assert.deepEqual(got.result, ['ok']);
    const jwk = JSON.parse(got.jwk[0]);
    const reply = JSON.parse(got.attestation[0]);
    const text = Buffer.from(reply.document, 'base64url').toString();
    assert.equal(canonical(JSON.parse(text)), text);
    assert.deepEqual(JSON.parse(text).cnf.jwks[0], jwk);
    assert.equal(reply.document_sha256, hex(sha256(text)));
    const raw = JSON.parse(Buffer.from(reply.evidence.raw, 'base64url'));
    assert.equal(raw.simulated, true);
    assert.equal(raw.report_data, JSON.parse(Buffer.from(attestation(text).evidence.raw, 'base64url')).report_data);
    assert.equal(got.limits[0], canonical(defaultLimits));

    let previous = b64(Buffer.alloc(32));
    assert.equal(got.receipt.length, count);
    got.receipt.forEach((receipt, i) => {
      const { header, payload, text: bytes } = readReceipt(receipt, jwk);
      assert.deepEqual(header, {
        alg: 'ES256', att: b64(sha256(text)), eng: 'e1', iso: 'process', kid: b64(sha256(canonical(jwk))),
        typ: 'neocompute-receipt+jwt',
      });
      assert.equal(canonical(payload), bytes);
      assert.ok(Buffer.byteLength(bytes) <= 768);
      assert.equal(payload.entry, shortText(entry));
      assert.equal(payload.nonce, nonce === '' ? undefined : shortText(nonce));
      assert.equal(payload.input, b64(sha256('0123456789abcdef', '{"a":1}')));
      assert.deepEqual([payload.seq, payload.prev, payload.steps], [i + 1, previous, Number.MAX_SAFE_INTEGER]);
      previous = b64(sha256(receipt));
      for (const at of [0, 40, receipt.length - 1]) {
        const changed = receipt.slice(0, at) + (receipt[at] === 'A' ? 'B' : 'A') + receipt.slice(at + 1);
        assert.throws(() => readReceipt(changed, jwk));
      }
    });
  }
});

test('a nonce in the document', () => {
  const nonce = crypto.randomBytes(16);
  const got = c('service', hex('main'), '', hex('process'), hex(nonce), '0');
  const text = Buffer.from(JSON.parse(got.attestation[0]).document, 'base64url');
  assert.equal(JSON.parse(text).eat_nonce, b64(nonce));
});

test('receipts and attestation made in Node', () => {
  const key = makeKey();
  const made = job(key, { nonce: 'n'.repeat(70) });
  const reply = JSON.stringify(attestation(document(key)));
  const { receipt } = JSON.parse(made.text);
  const got = c('check', hex(reply), hex(receipt));
  assert.deepEqual([got.result[0], got.job[0], got.script[0]], ['ok', made.payload.job, hex(sha256(made.script))]);
  assert.equal(c('check', hex(reply), hex(receipt.slice(0, -1))).result[0], 'not_verified');
  const stranger = JSON.stringify(attestation(document(makeKey())));
  assert.equal(c('check', hex(stranger), hex(receipt)).result[0], 'not_verified');
});
