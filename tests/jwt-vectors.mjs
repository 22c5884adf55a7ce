// Makes the tokens of jws_test and auth_test, good ones and one of each classic forgery, with keys made anew each time:
// `node tests/jwt-vectors.mjs OUT.h`. Node's own crypto signs, so what cjose verifies here was not made by cjose.
// A forgery is refused for the reason that stands beside it, or the test fails.
import { createHmac, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const NOW = 1_800_000_000;
const ISSUER = 'https://issuer.example/auth/v1', AUDIENCE = 'authenticated';

const b64 = (bytes) => Buffer.from(bytes).toString('base64url');
const json = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

const rsa = (bits, publicExponent = 65537) => generateKeyPairSync('rsa', { modulusLength: bits, publicExponent });
const ec = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve });
const secret = randomBytes(32).toString('hex');
const keys = { ec1: ec(), ec2: ec(), rsa1: rsa(2048), service: rsa(3072), stranger: ec(), strangerRsa: rsa(2048) };
const weak = { rsa1024: rsa(1024), exponent3: rsa(2048, 3), p384: ec('P-384') };

const jwk = (pair, more) => ({ ...pair.publicKey.export({ format: 'jwk' }), ...more });
const pem = (pair) => pair.publicKey.export({ format: 'pem', type: 'spki' });
const der = (pair) => pair.publicKey.export({ format: 'der', type: 'spki' });

// ---- signing ----

const hs256 = (key) => (input) => createHmac('sha256', key).update(input).digest();
const es256 = (pair) => (input) => sign('sha256', Buffer.from(input), { key: pair.privateKey, dsaEncoding: 'ieee-p1363' });
const es256der = (pair) => (input) => sign('sha256', Buffer.from(input), { key: pair.privateKey, dsaEncoding: 'der' });
const rs256 = (pair) => (input) => sign('sha256', Buffer.from(input), pair.privateKey);
const bytes = (length, value = 0) => () => Buffer.alloc(length, value);
const nothing = () => Buffer.alloc(0);

const claims = (more = {}) => ({ iss: ISSUER, sub: 'user-1', aud: AUDIENCE, iat: NOW - 10, exp: NOW + 3600, ...more });
const without = (name) => { const all = claims(); delete all[name]; return all; };

function token(header, payload, signer) {
  const input = `${b64(json(header))}.${b64(json(payload))}`;
  return `${input}.${b64(signer(input))}`;
}

const ES = { alg: 'ES256', typ: 'JWT', kid: 'ec-1' }, RS = { alg: 'RS256', typ: 'JWT', kid: 'rsa-1' }, HS = { alg: 'HS256', typ: 'JWT' };
const es = (header = {}, payload = claims(), signer = es256(keys.ec1)) => token({ ...ES, ...header }, payload, signer);
const rs = (header = {}, payload = claims(), signer = rs256(keys.rsa1)) => token({ ...RS, ...header }, payload, signer);
const hs = (header = {}, payload = claims(), signer = hs256(secret)) => token({ ...HS, ...header }, payload, signer);
const own = (payload) => hs({}, payload);

// The last character's spare bits set: the same bytes, written in another way. Needs a part of 2 or 3 mod 4 characters.
function spare(part) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  if (part.length % 4 < 2) throw new Error('no spare bits');
  return part.slice(0, -1) + alphabet[alphabet.indexOf(part.at(-1)) | 1];
}
const PARTS = ['header', 'payload', 'signature'];
const parts = (text, change) => change(text.split('.')).join('.');

// ---- forgeries; each must be refused by the key set already ----

const ALG = 'token: alg is not one of ours', NOT_KEYS = "token: the signature is not the key's", LENGTH = 'token: the signature has another length';
const HEADER = 'token: the header is not a JSON object, or a member comes twice', NEVER = 'token: a header member that is never taken';
const THREE = 'token: not three parts', NO_KEY = 'token: no key for its alg and kid', TYPE = 'token: typ is another kind of token';
const B64 = (what) => `token: the ${what} is not base64url`;

const nones = ['none', 'None', 'NONE', 'nOnE', 'none ', '', 'hs256', 'HS256 ', 'HS384', 'HS512', 'ES384', 'PS256', 'RS512', 'RS1', 'dir', 'EdDSA'];
const forgeries = [
  ...nones.map((alg) => [`alg ${JSON.stringify(alg)}`, es({ alg }, claims(), bytes(32)), ALG]),
  ...['none', 'None', 'NONE', 'nOnE'].map((alg) => [`alg ${alg} without signature`, es({ alg }, claims(), nothing), THREE]),
  ['alg is a list', es({ alg: ['ES256'] }), ALG],
  ['alg is missing', token({ typ: 'JWT' }, claims(), bytes(64)), ALG],
  // the public key as an HMAC secret
  ['HS256 with the RSA key in PEM', hs({}, claims(), hs256(pem(keys.rsa1))), NOT_KEYS],
  ['HS256 with the RSA key in DER', hs({}, claims(), hs256(der(keys.rsa1))), NOT_KEYS],
  ['HS256 with the EC key in PEM', hs({}, claims(), hs256(pem(keys.ec1))), NOT_KEYS],
  ['HS256 with the RSA key in PEM, under its kid', hs({ kid: 'rsa-1' }, claims(), hs256(pem(keys.rsa1))), NOT_KEYS],
  ['HS256 with the RSA key as JWK', hs({ kid: 'rsa-1' }, claims(), hs256(JSON.stringify(jwk(keys.rsa1)))), NOT_KEYS],
  ['HS256 with an empty secret', hs({}, claims(), hs256('')), NOT_KEYS],
  ['HS256 with a zero byte', hs({}, claims(), hs256('\0')), NOT_KEYS],
  ['HS256 with the secret as base64', hs({}, claims(), hs256(Buffer.from(secret, 'hex'))), NOT_KEYS],
  // kid
  ...['../../dev/null', '/dev/null', "x' UNION SELECT 'key';--", '', 'EC-1', 'ec-1 ', 'ec-3', 'x'.repeat(3000)].map((kid) =>
    [`kid ${kid.slice(0, 24)}`, es({ kid }), NO_KEY]),
  ['kid of /dev/null, signed with nothing', hs({ kid: '../../../dev/null' }, claims(), hs256('')), NOT_KEYS],
  ['kid with a zero byte', token('{"alg":"ES256","kid":"ec-1\\u0000"}', claims(), es256(keys.ec1)), HEADER],
  ['kid is a number', es({ kid: 1 }), 'token: kid is not a string'],
  ['kid is null', es({ kid: null }), 'token: kid is not a string'],
  ['kid of the other EC key', es({ kid: 'ec-2' }), NOT_KEYS],
  ['no kid, and two keys of the algorithm', es({ kid: undefined }), NO_KEY],
  ['kid of the RSA key, alg of the EC key', es({ kid: 'rsa-1' }), NO_KEY],
  ['kid of the EC key, alg of the RSA key', rs({ kid: 'ec-1' }), NO_KEY],
  // header
  ['jwk embedded', token({ alg: 'ES256', kid: 'ec-1', jwk: jwk(keys.stranger) }, claims(), es256(keys.stranger)), NEVER],
  ['jwk embedded, signed by us', es({ jwk: jwk(keys.stranger) }), NEVER],
  ['jku', es({ jku: 'https://evil.example/jwks' }, claims(), es256(keys.stranger)), NEVER],
  ['x5u', es({ x5u: 'https://evil.example/x5' }), NEVER],
  ['x5c', es({ x5c: ['MIIB'] }), NEVER],
  ['crit', es({ crit: ['exp'] }), NEVER],
  ['crit is empty', es({ crit: [] }), NEVER],
  ['b64 false', es({ b64: false, crit: ['b64'] }), NEVER],
  ['b64 false without crit', es({ b64: false }), NEVER],
  ['zip', es({ zip: 'DEF' }), NEVER],
  ['alg twice', token('{"alg":"ES256","kid":"ec-1","alg":"none"}', claims(), es256(keys.ec1)), HEADER],
  ['kid twice', token('{"alg":"ES256","kid":"ec-2","kid":"ec-1"}', claims(), es256(keys.ec1)), HEADER],
  ['alg twice, once escaped', token('{"alg":"ES256","kid":"ec-1","\\u0061lg":"ES256"}', claims(), es256(keys.ec1)), HEADER],
  ['header is a list', token('["ES256"]', claims(), es256(keys.ec1)), HEADER],
  ['header is not JSON', token('alg=ES256', claims(), es256(keys.ec1)), HEADER],
  ['header has more behind it', token('{"alg":"ES256","kid":"ec-1"}{}', claims(), es256(keys.ec1)), HEADER],
  ['header is not UTF-8', token(Buffer.from('{"alg":"ES256","kid":"ec-1","x":"\xff"}', 'latin1').toString('latin1'), claims(), es256(keys.ec1)).replace(
    /^[^.]*/, b64(Buffer.from('{"alg":"ES256","kid":"ec-1","x":"\xff"}', 'latin1'))), HEADER],
  ['typ of a receipt', es({ typ: 'neocompute-receipt+jwt' }), TYPE],
  ['typ is a list', es({ typ: ['JWT'] }), TYPE],
  // signatures
  ['ES256 zeros', es({}, claims(), bytes(64)), NOT_KEYS],
  ['ES256 ones', es({}, claims(), bytes(64, 0xff)), NOT_KEYS],
  ['ES256 in DER', es({}, claims(), es256der(keys.ec1)), LENGTH],
  ['ES256 of 63 bytes', es({}, claims(), bytes(63)), LENGTH],
  ['ES256 of 65 bytes', es({}, claims(), (i) => Buffer.concat([es256(keys.ec1)(i), Buffer.alloc(1)])), LENGTH],
  ['ES256 r and s swapped', es({}, claims(), (i) => { const s = es256(keys.ec1)(i); return Buffer.concat([s.subarray(32), s.subarray(0, 32)]); }), NOT_KEYS],
  ['ES256 of a stranger', es({}, claims(), es256(keys.stranger)), NOT_KEYS],
  ['ES256 with P-384', es({}, claims(), (i) => es256(weak.p384)(i)), LENGTH],
  ['RS256 zeros', rs({}, claims(), bytes(256)), NOT_KEYS],
  ['RS256 one', rs({}, claims(), () => Buffer.concat([Buffer.alloc(255), Buffer.from([1])])), NOT_KEYS],
  ['RS256 the modulus', rs({}, claims(), () => Buffer.from(jwk(keys.rsa1).n, 'base64url')), NOT_KEYS],
  ['RS256 rubbish', rs({}, claims(), () => Buffer.concat([Buffer.alloc(1), randomBytes(255)])), NOT_KEYS],
  ['RS256 without its zero', rs({}, claims(), bytes(255, 7)), LENGTH],
  ['RS256 of a stranger', rs({}, claims(), rs256(keys.strangerRsa)), NOT_KEYS],
  ['RS256 of the service key', rs({}, claims(), rs256(keys.service)), LENGTH],
  ['RS256 with SHA-512', rs({}, claims(), (i) => sign('sha512', Buffer.from(i), keys.rsa1.privateKey)), NOT_KEYS],
  ['RS256 with PSS', rs({}, claims(), (i) => sign('sha256', Buffer.from(i), { key: keys.rsa1.privateKey, padding: 6 })), NOT_KEYS],
  ['RS256 by another hash of the input', rs({}, claims(), (i) => rs256(keys.rsa1)(`${i} `)), NOT_KEYS],
  ['HS256 cut to 16 bytes', hs({}, claims(), (i) => hs256(secret)(i).subarray(0, 16)), LENGTH],
  ['HS256 one bit off', hs({}, claims(), (i) => { const s = hs256(secret)(i); s[31] ^= 1; return s; }), NOT_KEYS],
  ['HS256 under an ES256 header', es({}, claims(), hs256(secret)), LENGTH],
  ['the payload of another token', parts(es(), ([h, , s]) => [h, b64(json(claims({ sub: 'user-2' }))), s]), NOT_KEYS],
  ['the header of another token', parts(es({ kid: 'ec-2' }), ([, p, s]) => [b64(json(ES)), p, s]), NOT_KEYS],
  // form
  ['empty', '', THREE],
  ['one dot', '.', THREE],
  ['two dots', '..', THREE],
  ['no signature', es().replace(/[^.]*$/, ''), THREE],
  ['no dots', es().replaceAll('.', ''), THREE],
  ['two parts', es().replace(/\.[^.]*$/, ''), THREE],
  ['four parts', `${es()}.x`, B64('signature')],
  ['a dot behind', `${es()}.`, B64('signature')],
  ['a dot before', `.${es()}`, THREE],
  ['five parts, as JWE has', `${es()}.x.y`, B64('signature')],
  ['JSON serialization', JSON.stringify({ payload: b64(json(claims())), protected: b64(json(ES)), signature: 'AA' }), THREE],
  ['truncated', es().slice(0, -1), /another length|not base64url/],
  ['padding', `${hs()}=`, B64('signature')],
  ['header padded', parts(hs(), ([h, p, s]) => [`${h}=`, p, s]), B64('header')],
  // Debian's cjose aborts at some of these.
  ...PARTS.flatMap((part, i) => [0, 1, 2, 3, 4, -2].map((at) =>
    [`= in the ${part} at ${at}`, parts(es(), (list) => list.with(i, `${list[i].slice(0, at)}=${list[i].slice(at)}`)), B64(part)])),
  ...PARTS.flatMap((part, i) => [1, 5, 9].map((length) => [`${part} of ${length} characters`, parts(es(), (list) => list.with(i, 'e30e30e30'.slice(0, length))), B64(part)])),
  ...PARTS.map((part, i) => [`${part} all =`, parts(es(), (list) => list.with(i, '====')), B64(part)]),
  ['spare bits in the signature', parts(hs(), ([h, p, s]) => [h, p, spare(s)]), B64('signature')],
  ['spare bits in the header', parts(token('{"alg":"HS256"} ', claims(), hs256(secret)), ([h, p, s]) => [spare(h), p, s]), B64('header')],
  ['base64 of the other kind', parts(es({}, claims(), bytes(64, 0xff)), ([h, p, s]) => [h, p, s.replaceAll('_', '/')]), B64('signature')],
  ['white space', parts(es(), ([h, p, s]) => [h, p, ` ${s}`]), B64('signature')],
  ['a line break', parts(es(), ([h, p, s]) => [h, p, `${s.slice(0, 40)}\n${s.slice(40)}`]), B64('signature')],
  ['no ASCII', parts(es(), ([h, p, s]) => [h, p, `é${s}`]), B64('signature')],
  ['spare bits in the payload, signed', (() => {
    const input = `${b64(json(HS))}.${spare(b64('{"a":1}'))}`;
    return `${input}.${b64(hs256(secret)(input))}`;
  })(), B64('payload')],
  ['too long', hs({}, claims({ pad: 'x'.repeat(8192) })), 'token: too long'],
];

// ---- good signatures; `jws` only: their claims do not matter ----

const good = [
  ['ES256 by kid', es()],
  ['ES256 by the other kid', es({ kid: 'ec-2' }, claims(), es256(keys.ec2))],
  ['RS256 by kid', rs()],
  ['RS256, the only one', rs({ kid: undefined })],
  ['HS256', hs()],
  ['HS256 with a kid that no key has', hs({ kid: 'legacy' })],
  ['without typ', token({ alg: 'HS256' }, claims(), hs256(secret))],
  ['typ at+jwt', es({ typ: 'AT+jwt' })],
  ['unknown header members', es({ x5t: 'AA', nice: { a: [] } })],
  ['header with white space', token(' {\n"alg" : "HS256" } ', claims(), hs256(secret))],
];

// ---- claims, all well signed ----

const SUB = 'token: sub is not a name of 1 to 255 bytes', OBJECT = 'token: the payload is not a JSON object, or a claim comes twice';
const ISS = 'token: another issuer', AUD = 'token: another audience', EXPIRED = 'token: expired', NO_EXP = 'token: no exp';
const dup = (more) => own(json(claims()).replace(/\}$/, `,${more}}`));

const judged = [
  ...good.map(([name, text]) => [name, text, null]),
  ['aud in a list', own(claims({ aud: ['other', AUDIENCE] })), null],
  ['expires in a second', own(claims({ exp: NOW + 1 })), null],
  ['expires in half a second', own(claims({ exp: NOW + 0.5 })), null],
  ['nbf within the leeway', own(claims({ nbf: NOW + 60 })), null],
  ['iat within the leeway', own(claims({ iat: NOW + 60 })), null],
  ['no iat', own(without('iat')), null],
  ['sub of 255 bytes', own(claims({ sub: 'x'.repeat(255) })), null],
  ['sub of other letters', own(claims({ sub: 'Jürgen 山' })), null],
  ['unknown claims', own(claims({ role: 'service_role', app_metadata: { a: [1] } })), null],
  ['expired', own(claims({ exp: NOW - 1 })), EXPIRED],
  ['expires now', own(claims({ exp: NOW })), EXPIRED],
  ['exp is zero', own(claims({ exp: 0 })), EXPIRED],
  ['no exp', own(without('exp')), NO_EXP],
  ['exp is a string', own(claims({ exp: String(NOW + 9) })), NO_EXP],
  ['exp is null', own(claims({ exp: null })), NO_EXP],
  ['exp is true', own(claims({ exp: true })), NO_EXP],
  ['exp is negative', own(claims({ exp: -1 })), NO_EXP],
  ['exp beyond double', own(json(without('exp')).replace(/\}$/, ',"exp":1e999}')), OBJECT],
  ['nbf in the future', own(claims({ nbf: NOW + 61 })), 'token: not yet valid'],
  ['nbf is a string', own(claims({ nbf: '0' })), 'token: nbf is not a time'],
  ['iat in the future', own(claims({ iat: NOW + 61 })), 'token: issued in the future'],
  ['iat is a list', own(claims({ iat: [] })), 'token: iat is not a time'],
  ['another issuer', own(claims({ iss: 'https://evil.example' })), ISS],
  ['issuer with a slash more', own(claims({ iss: `${ISSUER}/` })), ISS],
  ['issuer cut', own(claims({ iss: ISSUER.slice(0, -1) })), ISS],
  ['issuer in a list', own(claims({ iss: [ISSUER] })), ISS],
  ['no issuer', own(without('iss')), ISS],
  ['another audience', own(claims({ aud: 'anon' })), AUD],
  ['other audiences', own(claims({ aud: ['anon', 1, null] })), AUD],
  ['audience in an object', own(claims({ aud: { [AUDIENCE]: AUDIENCE } })), AUD],
  ['no audience', own(without('aud')), AUD],
  ['no audiences', own(claims({ aud: [] })), AUD],
  ['no sub', own(without('sub')), SUB],
  ['sub is empty', own(claims({ sub: '' })), SUB],
  ['sub is a number', own(claims({ sub: 1 })), SUB],
  ['sub of 256 bytes', own(claims({ sub: 'x'.repeat(256) })), SUB],
  ['sub with a line break', own(claims({ sub: 'a\nb' })), SUB],
  ['sub with a delete', own(claims({ sub: 'a\x7f' })), SUB],
  ['sub with a C1 control', own(claims({ sub: 'a\x85' })), SUB],
  ['sub with a zero byte', own(claims({ sub: 'admin\0x' })), OBJECT],
  ['sub twice', dup('"sub":"admin"'), OBJECT],
  ['sub twice, once escaped', dup('"\\u0073ub":"admin"'), OBJECT],
  ['exp twice', dup('"exp":9999999999'), OBJECT],
  ['twice inside', dup('"x":{"a":1,"a":2}'), OBJECT],
  ['half of a surrogate pair', dup('"x":"\\ud800"'), OBJECT],
  ['payload is a list', own([claims()]), OBJECT],
  ['payload is a string', own('"user-1"'), OBJECT],
  ['payload has more behind it', own(`${json(claims())}x`), OBJECT],
  ['signed by the service key', rs({ kid: undefined }, claims(), rs256(keys.service)), LENGTH],
  ...forgeries,
];

const service = (payload, header = { alg: 'RS256', typ: 'JWT' }, signer = rs256(keys.service)) => token(header, payload, signer);
const serviceClaims = (more) => ({ iss: 'service-layer', sub: 'gateway', service_id: 'gateway', exp: NOW + 60, ...more });
const services = [
  ['good', service(serviceClaims()), null],
  ['with a kid', service(serviceClaims(), { alg: 'RS256', kid: 'k' }), null],
  ['sub is another', service(serviceClaims({ sub: 'other' })), 'service token: sub is not its service_id'],
  ['no sub', service(serviceClaims({ sub: undefined })), 'service token: sub is not its service_id'],
  ['no service_id', service(serviceClaims({ service_id: undefined })), 'service token: service_id is not a name of 1 to 127 bytes'],
  ['service_id too long', service(serviceClaims({ service_id: 'x'.repeat(128), sub: 'x'.repeat(128) })), 'service token: service_id is not a name of 1 to 127 bytes'],
  ['another issuer', service(serviceClaims({ iss: ISSUER })), ISS],
  ['expired', service(serviceClaims({ exp: NOW })), EXPIRED],
  ['no exp', service(serviceClaims({ exp: undefined })), NO_EXP],
  ['signed by the user RSA key', service(serviceClaims(), RS, rs256(keys.rsa1)), LENGTH],
  ['HS256 with the public key', service(serviceClaims(), HS, hs256(pem(keys.service))), NO_KEY],
  ['HS256 with the user secret', service(serviceClaims(), HS, hs256(secret)), NO_KEY],
  ['ES256 of a user key', service(serviceClaims(), ES, es256(keys.ec1)), NO_KEY],
  ['zeros', service(serviceClaims(), { alg: 'RS256' }, bytes(384)), NOT_KEYS],
  ['a user token', es(), NO_KEY],
];

// ---- key sets that must not be taken ----

const set = (...list) => JSON.stringify({ keys: list });
const SMALL = 'RSA keys must have at least 2048 bits and the exponent 65537', SECRET = 'the JWKS holds a secret or private key';
const NONE = 'the JWKS has no key for ES256 or RS256', LIST = 'the JWKS is not a JSON object with a list of keys';
const KID = 'a kid is not a string of 1 to 255 bytes', UNREADABLE = 'a key cannot be read';
const sets = [
  ['empty', '', LIST],
  ['not an object', '[]', LIST],
  ['no keys', '{}', LIST],
  ['keys twice', '{"keys":[],"keys":[]}', LIST],
  ['an empty list', set(), NONE],
  ['an entry that is no object', set(1), 'an entry of the JWKS is not an object'],
  ['only keys for something else', set(jwk(keys.ec1, { use: 'enc' }), jwk(weak.p384), jwk(keys.rsa1, { alg: 'PS256' }), { kty: 'OKP', crv: 'Ed25519', x: 'AA' }), NONE],
  ['a secret', set(jwk(keys.ec1), { kty: 'oct', k: b64(secret) }), SECRET],
  ['a private EC key', set(keys.ec1.privateKey.export({ format: 'jwk' })), SECRET],
  ['a private RSA key', set(keys.rsa1.privateKey.export({ format: 'jwk' })), SECRET],
  ['RSA of 1024 bits', set(jwk(weak.rsa1024)), SMALL],
  ['RSA with exponent 3', set(jwk(weak.exponent3)), SMALL],
  ['RSA with exponent 1', set(jwk(keys.rsa1, { e: 'AQ' })), SMALL],
  ['the same kid twice', set(jwk(keys.ec1, { kid: 'a' }), jwk(keys.rsa1, { kid: 'a' })), 'two keys have the same kid'],
  ['an empty kid', set(jwk(keys.ec1, { kid: '' })), KID],
  ['a kid that is no string', set(jwk(keys.ec1, { kid: 7 })), KID],
  ['a kid too long', set(jwk(keys.ec1, { kid: 'x'.repeat(256) })), KID],
  ['a point off the curve', set(jwk(keys.ec1, { y: jwk(keys.ec2).y })), UNREADABLE],
  ['a point without y', set({ ...jwk(keys.ec1), y: undefined }), UNREADABLE],
  ['y with padding inside', set(jwk(keys.ec1, { y: 'AAAAA=AA' })), UNREADABLE],
  ['x of five characters', set(jwk(keys.ec1, { x: 'AAAAA' })), UNREADABLE],
  ['x is a number', set(jwk(keys.ec1, { x: 1 })), UNREADABLE],
  ['x is short', set(jwk(keys.ec1, { x: 'AAAA' })), UNREADABLE],
  ['n with padding inside', set(jwk(keys.rsa1, { n: `${jwk(keys.rsa1).n}=A` })), UNREADABLE],
  ['RSA without n', set({ ...jwk(keys.rsa1), n: undefined }), UNREADABLE],
  ['seventeen keys', set(...Array.from({ length: 17 }, (_, i) => jwk(keys.ec1, { kid: `k${i}` }))), 'too many keys'],
];

const PEM = 'not the PEM of an RSA public key of at least 2048 bits with exponent 65537';
const pems = [
  ['not PEM', 'hello'],
  ['an EC key', pem(keys.ec1)],
  ['RSA of 1024 bits', pem(weak.rsa1024)],
  ['RSA with exponent 3', pem(weak.exponent3)],
  ['a private key', keys.service.privateKey.export({ format: 'pem', type: 'pkcs8' })],
  ['cut', pem(keys.service).slice(0, 200)],
  ['encrypted', pem(keys.service).replace('-----\n', '-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n')],
].map(([name, text]) => [name, text, PEM]);

// ---- the header file ----

const c = (text) => (text === null ? 'NULL' : `"${[...Buffer.from(text)].map((b) => (b < 0x20 || b > 0x7e || b === 0x22 || b === 0x5c || b === 0x3f
  ? `\\${b.toString(8).padStart(3, '0')}` : String.fromCharCode(b))).join('')}"`);
const reason = (why) => (why instanceof RegExp ? '""' : c(why)); // "": either of two, as the last character falls
const table = (name, rows) => `static const struct jwt_vector ${name}[] = {\n${rows.map(([what, text, why]) => `  {${c(what)}, ${c(text)}, ${reason(why)}},`).join('\n')}\n};\n`;

const public_ = createPublicKey(pem(keys.service)); // what is written can be read again
if (public_.asymmetricKeyDetails.modulusLength !== 3072) throw new Error('service key');
const jwks = set(jwk(keys.ec1, { kid: 'ec-1', use: 'sig', alg: 'ES256' }), jwk(weak.p384, { kid: 'p-384' }), jwk(keys.rsa1, { kid: 'rsa-1' }),
  jwk(keys.ec2, { kid: 'ec-2' }), jwk(keys.strangerRsa, { kid: 'enc', use: 'enc' }));

const [out] = process.argv.slice(2);
if (!out) {
  console.error('usage: node tests/jwt-vectors.mjs OUT.h');
  process.exit(2);
}
mkdirSync(dirname(out), { recursive: true });
writeFileSync(out, `/* Made by tests/jwt-vectors.mjs. */
#pragma once

/* \`why\`: the reason of the refusal; NULL: it is taken; "": any reason. */
struct jwt_vector {
  const char *name, *text, *why;
};

#define JWT_NOW ${NOW}u
#define JWT_ISSUER ${c(ISSUER)}
#define JWT_AUDIENCE ${c(AUDIENCE)}
#define JWT_SECRET ${c(secret)}
#define JWT_JWKS ${c(jwks)}
#define JWT_SERVICE_PEM ${c(pem(keys.service))}

${table('jws_vectors', [...good.map(([name, text]) => [name, text, null]), ...forgeries])}
${table('claims_vectors', judged)}
${table('service_vectors', services)}
${table('jwks_vectors', sets)}
${table('pem_vectors', pems)}`);
