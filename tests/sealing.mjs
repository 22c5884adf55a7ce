// The caller's side of sealed inputs and outputs (docs/protocol.md), with @hpke/core, which others wrote: what an application would do.
import crypto from 'node:crypto';
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';

const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
const exact = (bytes) => new Uint8Array(Buffer.from(bytes)).buffer;
const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest();
const b64 = (bytes) => Buffer.from(bytes).toString('base64url');
const u64be = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64BE(BigInt(n)); return b; };

// `attestation` is what GET /attestation answered, and has been verified.
export async function sealInput(attestation, { user, content, script = null, expires = Math.floor(Date.now() / 1000) + 120, nonce = crypto.randomBytes(16), document }) {
  const text = Buffer.from(attestation.document, 'base64url'), hash = document ?? sha256(text);
  const jwk = JSON.parse(text).cnf.jwks.find(({ crv }) => crv === 'X25519');
  const sender = await suite.createSenderContext({
    recipientPublicKey: await suite.kem.deserializePublicKey(exact(Buffer.from(jwk.x, 'base64url'))),
    info: exact(Buffer.concat([Buffer.from('neocompute-sealed-input-v1\0'), hash])),
  });
  const aad = Buffer.concat([script === null ? Buffer.alloc(32) : sha256(script), sha256(user), u64be(expires), nonce]);
  const plain = typeof content === 'string' ? content : JSON.stringify(content);
  const ciphertext = await sender.seal(exact(plain), exact(aad));
  const key = Buffer.from(await sender.export(exact('neocompute-sealed-output-key-v1\0'), 32));
  return { message: { enc: b64(sender.enc), nonce: b64(nonce), ciphertext: b64(ciphertext), expires }, key, hash };
}

const uuidBytes = (id) => Buffer.from(id.replaceAll('-', ''), 'hex');
const outputAad = (hash, job) => Buffer.concat([hash, uuidBytes(job)]);

export function openOutput(reply, { key, hash }) {
  const sealed = Buffer.from(reply.sealed_output.ciphertext, 'base64url');
  const opener = crypto.createDecipheriv('aes-256-gcm', key, Buffer.alloc(12));
  opener.setAAD(outputAad(hash, reply.job_id));
  opener.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([opener.update(sealed.subarray(0, -16)), opener.final()]).toString();
}

export async function recipient() {
  const pair = crypto.generateKeyPairSync('x25519'), { d, x } = pair.privateKey.export({ format: 'jwk' });
  const key = { privateKey: await suite.kem.deserializePrivateKey(exact(Buffer.from(d, 'base64url'))), publicKey: await suite.kem.deserializePublicKey(exact(Buffer.from(x, 'base64url'))) };
  return { x, async open(reply, hash) {
    const context = await suite.createRecipientContext({ recipientKey: key, enc: exact(Buffer.from(reply.sealed_output.enc, 'base64url')), info: exact('neocompute-sealed-output-v1\0') });
    return Buffer.from(await context.open(exact(Buffer.from(reply.sealed_output.ciphertext, 'base64url')), exact(outputAad(hash, reply.job_id)))).toString();
  } };
}
