// docs/openapi.yaml: clean by redocly's rules, its schemas compile, its examples are what it says, its codes are the source's.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { api, assertIs, assertValid, checkReply, operationOf } from './contract.mjs';

const root = new URL('..', import.meta.url).pathname;
const read = (path) => readFileSync(join(root, path), 'utf8');

test('redocly has nothing to say', () => {
  const environment = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  const out = execFileSync(join(root, 'node_modules/.bin/redocly'), ['lint', '--format=json', '--max-problems=1000', 'docs/openapi.yaml'],
    { cwd: root, env: environment, stdio: ['ignore', 'pipe', 'ignore'], timeout: 120_000 });
  const { totals, problems } = JSON.parse(out);
  assert.deepEqual(problems.map(({ ruleId, message }) => `${ruleId}: ${message}`), []);
  assert.deepEqual([totals.errors, totals.warnings], [0, 0]);
});

test('the codes are those of src/base/result.h', () => {
  const rows = [...read('src/base/result.h').matchAll(/X\(([A-Z0-9_]+), ([a-z0-9_]+), (\d+),/g)].map(([, , name, status]) => ({ name, status: Number(status) }));
  assert(rows.length > 50);
  const { RefusalCode, JobCode } = api.components.schemas;
  const names = (keep) => rows.filter(keep).map(({ name }) => name);
  assert.deepEqual(RefusalCode.enum, names(({ status }) => status >= 400));
  assert.deepEqual([...JobCode.enum].sort(), names(({ name, status }) => name !== 'ok' && (status === 200 || status >= 500)).sort());
});

test('the limits are those of the source', () => {
  const define = (name) => Number(new RegExp(`define ${name} (\\d+)u`).exec(read('src/broker/envelope.h'))[1]);
  const { properties } = api.components.schemas.ExecuteRequest;
  assert.equal(properties.script.maxLength, define('ENVELOPE_SCRIPT_MAX'));
  assert.equal(properties.secret_refs.maxItems, define('ENVELOPE_SECRETS_MAX'));
  assert.equal(properties.nonce.maxLength, define('ENVELOPE_NONCE_MAX'));
  assert.equal(properties.entry_point.maxLength, define('ENVELOPE_ENTRY_MAX'));
  assert.equal(properties.app_id.maxLength, define('ENVELOPE_NAME_MAX'));
  assert.equal(properties.limits.properties.hosts.maxItems, define('ENVELOPE_HOSTS_MAX'));
  assert.equal(api.components.schemas.SecretRequest.properties.value.maxLength, define('ENVELOPE_SECRET_MAX'));
});

test('the fences are those of the source', () => {
  const names = [...read('src/sandbox/sandbox.h').matchAll(/X\([A-Z_]+, "([a-z_]+)"\)/g)].map(([, name]) => name);
  assert.deepEqual(api.components.schemas.Fences.items.enum, names);
});

test('the members of a request are those of the source', () => {
  const fields = [...read('src/broker/envelope.c').matchAll(/\{\.name = "([a-z_.]+)"/g)].map(([, name]) => name);
  const { properties } = api.components.schemas.ExecuteRequest;
  const limits = Object.keys(properties.limits.properties).map((name) => `limits.${name}`);
  assert.deepEqual(fields.sort(), [...Object.keys(properties), ...limits].sort());
});

// Everything under `node` that has a schema and examples, with its place.
function* media(node, place = '#') {
  if (typeof node !== 'object' || node === null) return;
  if (node.schema && node.examples) yield { place, media: node };
  for (const [key, value] of Object.entries(node)) yield* media(value, `${place}/${key}`);
}

test('every schema compiles', () => {
  for (const name of Object.keys(api.components.schemas)) {
    try { assertIs(name, undefined); } catch (e) { if (e.code !== 'ERR_ASSERTION') throw new Error(`${name}: ${e.message}`); }
  }
});

test('examples are what the schemas say', () => {
  let seen = 0;
  for (const { place, media: { schema, examples } } of media(api)) {
    for (const [name, { $ref }] of Object.entries(examples)) {
      assertValid(schema, api.components.examples[$ref.split('/').at(-1)].value, `${place} ${name}`);
      seen++;
    }
  }
  assert(seen >= 7);
});

// Twins of the examples that are wrong in one way.
const example = (name) => structuredClone(api.components.examples[name].value);
const wrong = [
  ['ExecuteRequest', 'SumRequest', (v) => { v.secret_ref = []; }],
  ['ExecuteRequest', 'SumRequest', (v) => { delete v.script; }],
  ['ExecuteRequest', 'SumRequest', (v) => { v.script = ''; }],
  ['ExecuteRequest', 'SumRequest', (v) => { v.input = []; }],
  ['ExecuteRequest', 'SumRequest', (v) => { v.timeout = 1.5; }],
  ['ExecuteRequest', 'SumRequest', (v) => { v.entry_point = 'a.b'; }],
  ['ExecuteRequest', 'AsyncRequest', (v) => { v.limits.cpu = 1; }],
  ['ExecuteRequest', 'AsyncRequest', (v) => { v.limits.memory_mb = 15; }],
  ['ExecuteRequest', 'AsyncRequest', (v) => { v.nonce = 'a"b'; }],
  ['ExecuteRequest', 'SecretRequest', (v) => { v.secret_refs = ['a/b']; }],
  ['ExecuteRequest', 'SecretRequest', (v) => { v.secret_refs = Array(11).fill('a'); }],
  ['ExecuteRequest', 'AsyncRequest', (v) => { v.limits.hosts = []; }],
  ['ExecuteRequest', 'AsyncRequest', (v) => { v.limits.hosts = ['A.example']; }],
  ['ExecuteRequest', 'AsyncRequest', (v) => { v.limits.hosts = ['a.example b.example']; }],
  ['ExecuteRequest', 'AsyncRequest', (v) => { v.limits.hosts = Array(33).fill('a'); }],
  ['ExecuteRequest', 'NamedRequest', (v) => { v.script = '1'; }],
  ['ExecuteRequest', 'NamedRequest', (v) => { delete v.app_id; }],
  ['ExecuteRequest', 'NamedRequest', (v) => { v.script_name = 'a/b'; }],
  ['SecretRequest', 'SecretPut', (v) => { v.sealed = { enc: 'A'.repeat(43), ciphertext: 'AA' }; }],
  ['SecretRequest', 'SecretPut', (v) => { delete v.value; }],
  ['SecretRequest', 'SecretPut', (v) => { v.policy.hosts = []; }],
  ['SecretRequest', 'SecretPut', (v) => { v.policy.use = 1; }],
  ['SecretRequest', 'SecretPutSealed', (v) => { delete v.sealed.enc; }],
  ['SecretPolicy', 'SecretPolicy', (v) => { v.scripts.push('x'); }],
  ['SecretList', 'SecretList', (v) => { v.secrets[0].value = 'x'; }],
  ['SecretAudit', 'SecretAudit', (v) => { delete v.audit[0].success; }],
  ['ExecuteResponse', 'SumResponse', (v) => { v.extra = 1; }],
  ['ExecuteResponse', 'SumResponse', (v) => { delete v.output; }],
  ['ExecuteResponse', 'SumResponse', (v) => { delete v.receipt; }],
  ['ExecuteResponse', 'SumResponse', (v) => { v.status = 'running'; }],
  ['ExecuteResponse', 'SumResponse', (v) => { v.job_id = v.job_id.replace('-7', '-4'); }],
  ['ExecuteResponse', 'SumResponse', (v) => { v.duration = '412 us'; }],
  ['ExecuteResponse', 'FailedResponse', (v) => { v.output = {}; }],
  ['ExecuteResponse', 'FailedResponse', (v) => { v.error_code = 'oops'; }],
  ['ExecuteResponse', 'FailedResponse', (v) => { v.error_code = 'unauthorized'; }],
  ['ExecuteResponse', 'RunningResponse', (v) => { v.receipt = 'a'; }],
  ['ExecuteResponse', 'FailedResponse', (v) => { v.error_details.cause = 1; }],
  ['Problem', 'UnknownField', (v) => { v.error_code = 'timeout'; }],
  ['Problem', 'UnknownField', (v) => { v.status = 200; }],
  ['Problem', 'UnknownField', (v) => { v.details = {}; }],
];
test('wrong twins of the examples are refused', () => {
  for (const [schema, name, spoil] of wrong) {
    const value = example(name);
    assertIs(schema, value);
    spoil(value);
    assert.throws(() => assertIs(schema, value), { code: 'ERR_ASSERTION' }, `${schema}: ${spoil}`);
  }
  const encrypted = example('SumResponse');
  encrypted.encrypted_output = 'AAAA';
  delete encrypted.output;
  assert.throws(() => assertIs('ExecuteResponse', encrypted), { code: 'ERR_ASSERTION' }); // its hash tells too much of it
  delete encrypted.output_hash;
  assertIs('ExecuteResponse', encrypted);
});

test('Go durations', () => {
  for (const text of ['0s', '1ns', '412.7µs', '12.3ms', '1.5s', '1m0s', '24h0m0s', '1h0m0.5s']) assertIs('GoDuration', text);
  for (const text of ['', '1', '1h', '1m', 's', '1.5.s', '1s1m', '5 ms', '5us']) assert.throws(() => assertIs('GoDuration', text), text);
});

test('the contract has every call of the service', () => {
  const calls = ['POST /execute', 'GET /jobs', 'GET /jobs/x', 'DELETE /jobs/x', 'GET /jobs/x/events',
    'GET /secrets', 'PUT /secrets/x', 'DELETE /secrets/x', 'PUT /secrets/x/policy', 'GET /secrets/x/audit', 'GET /attestation?nonce=x', 'GET /attestation/ab',
    'GET /health', 'GET /ready', 'GET /info', 'GET /metrics', 'GET /openapi.json'];
  const found = calls.map((text) => operationOf(...text.split(' '))?.operationId);
  assert(found.every(Boolean), String(found));
  const all = Object.values(api.paths).flatMap((path) => Object.values(path)).map((operation) => operation.operationId).filter(Boolean);
  assert.deepEqual(found.sort(), all.sort());
});

test('replies are judged', () => {
  const reply = (status, type, value, headers = { 'x-trace-id': 't' }) =>
    ({ status, headers: new Headers({ ...headers, ...(type && { 'content-type': type }) }), body: value === '' ? '' : JSON.stringify(value) });
  checkReply('POST', '/execute?encrypted=1', reply(200, 'application/json', example('SumResponse')));
  checkReply('DELETE', '/jobs/1', reply(204, '', ''));
  checkReply('GET', '/nowhere', reply(400, 'application/problem+json', example('UnknownField')));
  const refused = [
    ['POST', '/execute', reply(200, 'text/html', example('SumResponse'))],
    ['POST', '/execute', reply(200, 'application/json', example('SumResponse'), {})],
    ['POST', '/execute', reply(202, 'application/json', example('RunningResponse'))],
    ['POST', '/execute', reply(201, 'application/json', example('SumResponse'))],
    ['POST', '/execute', reply(401, 'application/problem+json', example('UnknownField'))],
    ['POST', '/execute', reply(429, 'application/problem+json', { ...example('UnknownField'), status: 429, code: 'HTTP_429' })],
    ['DELETE', '/jobs/1', reply(204, '', 'x')],
    ['GET', '/nowhere', reply(200, 'application/json', {})],
  ];
  for (const [method, target, bad] of refused) assert.throws(() => checkReply(method, target, bad), { code: 'ERR_ASSERTION' }, `${method} ${target} ${bad.status}`);
});

test('the JSON that is served says the same', () => {
  const out = join(mkdtempSync(join(tmpdir(), 'openapi-')), 'openapi.json');
  execFileSync(process.execPath, [join(root, 'tools/openapi-json.mjs'), join(root, 'docs/openapi.yaml'), out]);
  const text = readFileSync(out, 'utf8');
  assert.deepEqual(JSON.parse(text), api);
  assert.equal(text, JSON.stringify(api));
});

test('the version is that of the project', () => {
  assert.equal(api.info.version, /project\(neocompute VERSION (\S+)/.exec(read('CMakeLists.txt'))[1]);
});
