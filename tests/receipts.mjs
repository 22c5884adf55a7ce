// The protocol once more, in JavaScript over node:crypto and from docs/protocol.md alone: what the tests hold the C code against.
import crypto from 'node:crypto';

export const b64 = (bytes) => Buffer.from(bytes).toString('base64url');
export const sha256 = (...parts) => parts.reduce((h, part) => h.update(part), crypto.createHash('sha256')).digest();
const hash64 = (...parts) => b64(sha256(...parts));
export const engine = '0f'.repeat(32);
export const noon = 1_790_000_000;

// RFC 8785 for what stands in these tests: no number that needs more than JSON.stringify.
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical)}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.keys(value).filter((key) => value[key] !== undefined).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)}}`;
}

export function makeKey() {
  const { privateKey, publicKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { crv, kty, x, y } = publicKey.export({ format: 'jwk' });
  const jwk = { crv, kty, x, y };
  return { privateKey, jwk, kid: hash64(canonical(jwk)) };
}

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const scalar = (bytes) => BigInt(`0x${bytes.toString('hex')}`);

// r || s with the lower (or, to be refused, the higher) of the two s.
export function sign(key, message, { high = false } = {}) {
  const signature = crypto.sign('sha256', Buffer.from(message), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  const s = scalar(signature.subarray(32));
  if (s > order / 2n !== high) Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex').copy(signature, 32);
  return signature;
}

export function jws(key, header, payload, options) {
  const text = (part) => b64(typeof part === 'string' ? part : canonical(part));
  const message = `${text(header)}.${text(payload)}`;
  return `${message}.${b64(sign(key, message, options))}`;
}

// What a verifier in another language does: {header, payload}, or an exception.
export function readReceipt(receipt, jwk) {
  const [header, payload, signature, ...more] = receipt.split('.');
  const key = crypto.createPublicKey({ key: jwk, format: 'jwk' });
  const bytes = Buffer.from(signature, 'base64url');
  if (more.length > 0 || bytes.length !== 64 || b64(bytes) !== signature || scalar(bytes.subarray(32)) > order / 2n) throw new Error('form');
  if (!crypto.verify('sha256', Buffer.from(`${header}.${payload}`), { key, dsaEncoding: 'ieee-p1363' }, bytes))
    throw new Error('signature');
  const text = (part) => Buffer.from(part, 'base64url').toString();
  return { header: JSON.parse(text(header)), payload: JSON.parse(text(payload)), text: text(payload) };
}

export const configuration = '{"auth.mode":"dev"}';

export function document(key, { nonce, ...changes } = {}) {
  const agree = { crv: 'X25519', kty: 'OKP', x: b64(Buffer.alloc(32, 3)) };
  return canonical({
    build: 'neocompute 0.1.0', cfg_sha256: hash64(configuration), cnf: { jwks: [key.jwk, agree] }, ...(nonce && { eat_nonce: nonce }), eng: engine,
    exp: noon + 90 * 86400, iat: noon - 60, iso: 'process', iss: 'neocompute', tee: 'sim', ver: 2, ...changes,
  });
}

export function attestation(text) {
  const bound = crypto.createHash('sha512').update('neocompute-key-binding-v1\0').update(text).digest();
  const evidence = canonical({ report_data: b64(bound), simulated: true });
  return {
    configuration: b64(configuration), document: b64(text),
    evidence: { type: 'sim', media_type: 'application/vnd.neocompute.sim-evidence+json', raw: b64(evidence) },
    document_sha256: sha256(text).toString('hex'),
  };
}

export const defaultLimits = {
  deterministic: false, log_entries: 100, log_entry_bytes: 4096, memory_bytes: 134217728, output_bytes: 1048576, steps: 0,
  timeout_ms: 30000,
};

export const shortText = (text) => Buffer.byteLength(text) <= 50 && JSON.stringify(text) === `"${text}"` &&
  !text.startsWith('sha256:') ? text : `sha256:${hash64(text)}`;

// A job as the service would have run it, with everything that a caller then holds.
export function job(key, { claims = {}, response = {}, script = 'function main(i) { return { sum: i.a + i.b } }',
  input = '{"b":3,"a":2}', output = '{"sum":5}', logs = ['hi'], secrets = [], limits = {}, entry = 'main', nonce, error,
  user = 'ada', doc = document(key), sealed = false, header = {}, options } = {}) {
  const salt = Buffer.from('0123456789abcdef');
  const id = '0192f0c1-2a3b-7c4d-8e5f-0123456789ab';
  const logText = JSON.stringify(logs);
  const payload = {
    ...(error && { code: error }), dur_us: 1234, entry: shortText(entry), gas: 10 * Buffer.byteLength(script), iat: noon,
    input: hash64(salt, input), iss: 'neocompute', job: id, limits: hash64(canonical({ ...defaultLimits, ...limits })),
    logs: hash64(logText), ...(nonce && { nonce: shortText(nonce) }),
    ...(!error && { output: sealed ? hash64(salt, output) : hash64(output) }), prev: b64(Buffer.alloc(32)),
    script: hash64(script), secrets: hash64(secrets.map(({ name, version }) => `${name}@${version}\n`).join('')), seq: 1,
    status: error ? 'failed' : 'completed', steps: 777, sub: hash64(user), tee: 'sim', v: 1, ...claims,
  };
  const whole = {
    alg: 'ES256', att: hash64(doc), eng: engine, iso: 'process', kid: key.kid, typ: 'neocompute-receipt+jwt', ...header,
  };
  const raw = {
    job_id: `"${id}"`, status: `"${payload.status}"`,
    ...(error ? { error: '"it failed"', error_code: `"${error}"` } : sealed ? {} : { output }),
    logs: logText, gas_used: String(payload.gas), started_at: '"2026-11-23T18:00:00Z"', duration: '"1.234ms"',
    ...(!error && !sealed && { output_hash: `"${sha256(output).toString('hex')}"` }), ...(sealed && { encrypted_output: '"AAAA"' }),
    usage: `{"steps":${payload.steps},"cpu_us":900,"wall_us":1234,"memory_peak_bytes":1048576,"log_entries_dropped":0}`,
    receipt: `"${jws(key, whole, payload, options)}"`, receipt_salt: `"${b64(salt)}"`,
    attestation: `"${sha256(doc).toString('hex')}"`, secrets: JSON.stringify(secrets), ...response,
  };
  const text = `{${Object.entries(raw).filter(([, value]) => value !== undefined).map(([name, value]) =>
    `${JSON.stringify(name)}:${value}`)}}`;
  return { text, script, input, output, payload, doc };
}

// The keys and values that protect output as the reference service does.
export function protection(master) {
  const hkdf = (salt, info) => Buffer.from(crypto.hkdfSync('sha256', master, salt, info, 32));
  const signing = hkdf('neocompute-signing-key', 'tee-result-signing');
  const cipherKey = master.subarray(0, 32);
  return {
    store: hkdf('neocompute', 'store-sealing-v1'),
    secret: hkdf('neocompute', 'secret-sealing-v1'),
    signature: (output) => crypto.createHmac('sha256', signing).update(sha256(output)).digest('hex'),
    encrypt: (output, nonce = crypto.randomBytes(12)) => seal(cipherKey, '', Buffer.from(output), nonce).toString('base64'),
    decrypt: (text) => open(cipherKey, '', Buffer.from(text, 'base64')).toString(),
  };
}

export function seal(key, aad, plain, nonce = crypto.randomBytes(12)) {
  const cipher = crypto.createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(aad));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

export function open(key, aad, sealed) {
  const cipher = crypto.createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12)).setAAD(Buffer.from(aad));
  cipher.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([cipher.update(sealed.subarray(12, -16)), cipher.final()]);
}

const block = (bytes) => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, Buffer.from(bytes)]);
};
export const recordAad = (table, user, id) => Buffer.concat([Buffer.from(`neocompute-record-v1\0${table}\0`), user, id]);
export const recordPlain = (reply, claims) => Buffer.concat([block(reply), block(claims)]);

// Sealed secrets; `kind` is secret or secret-uses.
const u64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(n)); return b; };
export const secretAad = (kind, user, name, version) =>
  Buffer.concat([Buffer.from(`neocompute-${kind}-v1\0`), user, Buffer.from([Buffer.byteLength(name)]), Buffer.from(name), u64(version)]);
export const secretText = (key, aad, plain) => `nc1.${seal(key, aad, plain).toString('base64')}`;
export const secretOpen = (key, aad, text) => open(key, aad, Buffer.from(text.replace(/^nc1\./, ''), 'base64'));
export const secretPlain = recordPlain;
export const countPlain = u64;
