// What the tests of secrets, fetch and scripts by name share: a service that reaches origins on loopback, under names of a file
// of the test's own and certificates of its own CA, and the checks that every reply of such a job has to pass.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { authority } from '../origin.mjs';
import { cli, file } from '../lib.mjs';
import { b64, readReceipt, sha256 } from '../receipts.mjs';
import { ask, execute, serve } from './service.mjs';

export const ca = authority();
export const NAMES = ['a.example', 'b.example', 'c.example', 'store.example', 'scripts.example'];
export const tls = ca.leaf([...NAMES, '127.0.0.1']);
const namesFile = join(ca.folder, 'names');
writeFileSync(namesFile, `127.0.0.1 ${NAMES.join(' ')} wrong.example\n10.1.2.3 private.example\n169.254.169.254 metadata.example\n`);

export const outside = {
  NEOCOMPUTE_EGRESS_CA: ca.file, NEOCOMPUTE_EGRESS_NAMES: namesFile, NEOCOMPUTE_EGRESS_PRIVATE: '127.0.0.0/8 ::1/128',
};

// A service with an egress of these settings; `env` on top.
export const serveOutside = ({ env = {}, ...options } = {}) => serve({ ...options, env: { ...outside, ...env } });

// The bytes of a member of a reply that is an object, as they were sent: its JSON has no braces in strings here.
export function rawMember(text, name) {
  const at = text.indexOf(`"${name}":{`);
  return at < 0 ? null : text.slice(text.indexOf('{', at), text.indexOf('}', at) + 1);
}

export const sha = (bytes) => sha256(bytes).toString('hex');

// `network` as it has to be: `lines` of "METHOD URL STATUS SHA256" or "METHOD URL CODE", in the order in which they ended.
export const network = (hosts, lines) => ({ hash: sha(lines.map((line) => `${line}\n`).join('')), hosts, requests: lines.length });
export const line = (method, url, status, body) => `${method} ${url} ${status} ${sha(body)}`;

const attestations = new Map();
const attestationOf = async (service) => {
  if (!attestations.has(service)) attestations.set(service, (await ask(service, 'GET', '/attestation')).text);
  return attestations.get(service);
};

// The receipt's commitment to secrets and network, opened by the test itself.
export async function assertSecretsCommitment(service, reply) {
  const document = JSON.parse(Buffer.from(JSON.parse(await attestationOf(service)).document, 'base64url'));
  const { payload } = readReceipt(reply.json.receipt, document.cnf.jwks[0]);
  const summary = rawMember(reply.text, 'network');
  const lines = (reply.json.secrets ?? []).map(({ name, version, format }) => `${name}@${version}${format === 'reference' ? ' reference' : ''}\n`).join('');
  assert.equal(payload.secrets, b64(sha256(lines + (summary ? `*network@${sha(summary)}\n` : ''))), reply.text);
  return payload;
}

// `neocompute verify` on a reply as it came; {status, stdout, stderr}.
export async function verifyText(service, text, { script, input, hosts, timeout } = {}) {
  return cli(['verify', file(text, 'r.json'), '--script', file(script, 's.js'), '--attestation', file(await attestationOf(service), 'a.json'), '--allow-simulated',
    '--input', file(JSON.stringify(input ?? {}), 'i.json'), ...(hosts ? ['--hosts', hosts.join(' ')] : []), ...(timeout ? ['--timeout', String(timeout)] : [])]);
}

// A reply must verify, and must not with another network, another secret, or without them.
export async function assertVerifies(service, reply, options) {
  await assertSecretsCommitment(service, reply);
  const good = await verifyText(service, reply.text, options);
  assert.equal(good.status, 0, good.stdout + good.stderr);
  const spoilt = [];
  if (reply.json.network) spoilt.push([/"requests":(\d+)/, (_, n) => `"requests":${Number(n) + 1}`], [/"network":\{[^}]*\},?/, '']);
  if (reply.json.secrets?.length) spoilt.push([/("version":)(\d+)/, (_, key, n) => `${key}${Number(n) + 1}`], [/"secrets":\[[^\]]*\]/, '"secrets":[]']);
  for (const [pattern, by] of spoilt) {
    const bad = await verifyText(service, reply.text.replace(pattern, by), options);
    assert.notEqual(bad.status, 0, `${pattern}: ${bad.stdout}`);
  }
}

// Runs a script; the whole reply, which must be a 200.
export async function run(service, script, more = {}, options = {}) {
  const reply = await execute(service, { script, ...more }, options);
  assert.equal(reply.status, 200, reply.text);
  return reply;
}

export async function succeeds(service, script, more, options) {
  const reply = await run(service, script, more, options);
  assert.equal(reply.json.status, 'completed', reply.text);
  return reply;
}

export async function fails(service, code, script, more, options) {
  const reply = await run(service, script, more, options);
  assert.deepEqual([reply.json.status, reply.json.error_code], ['failed', code], reply.text);
  return reply;
}

// A script that calls `url` once, however often the job is looked at: what was run can be counted at the origin.
export const calling = (url, rest = 'return {}') => `async function main(input, secrets) { await (await fetch(${JSON.stringify(url)})).text(); ${rest} }`;

// A bearer token of `user`, and the settings of a service that takes it: what is not dev mode.
const tokenKey = 'a-secret-for-tokens-of-thirty-two-bytes';
export const withTokens = { args: ['--auth-mode', 'jwt', '--auth-jwt-issuer', 'tests'], env: { NEOCOMPUTE_JWT_SECRET: tokenKey } };
export function bearer(user = 'alice') {
  const head = ['{"alg":"HS256"}', JSON.stringify({ iss: 'tests', sub: user, exp: Math.floor(Date.now() / 1000) + 600 })].map((part) => Buffer.from(part).toString('base64url')).join('.');
  return { user: null, headers: { authorization: `Bearer ${head}.${createHmac('sha256', tokenKey).update(head).digest('base64url')}` } };
}
