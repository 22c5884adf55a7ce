// The fifteen faults of the reference service, one regression test each, by their numbers in its fact sheet.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { protection, readReceipt, sha256 } from '../receipts.mjs';
import { MASTER_KEY, ask, assertProblem, completed, execute, scratch, serve, threads, workersOf } from './service.mjs';

const fine = 'function main() { return { ok: true } }';
const endless = 'function main() { for (;;); }';
const state = scratch();
// Fault 14's script: 31 s of wall time, beside all of the others.
const long = { script: 'function main() { const t = Date.now() + 31000; while (Date.now() < t); return { waited: true } }', timeout: 120 };
let service, waiting;
before(async () => {
  service = await serve({ state });
  waiting = execute(service, long, { user: 'fourteen' }).catch((error) => error);
});
after(() => service.stop());
const output = async (script, more) => (await completed(service, { script, ...more })).output;

test('1: the entry point gets input and secrets as arguments, and the globals are there, too', async () => {
  const script = 'function main(a, b) { return { a, same: a === input && b === secrets, count: arguments.length, secrets: typeof b } }';
  assert.deepEqual(await output(script, { input: { x: 1 } }), { a: { x: 1 }, same: true, count: 2, secrets: 'object' });
});

test('2: a sixth concurrent job of a user is refused, at once', async () => {
  const user = 'two';
  const ids = (await Promise.all(Array.from({ length: 5 }, () => execute(service, { script: endless, async: true }, { user })))).map(({ json }) => json.job_id);
  assert.equal(assertProblem(await execute(service, { script: fine }, { user }), 429, 'too_many_jobs').message, 'too many concurrent jobs (max 5)');
  await completed(service, { script: fine }, { user: 'another' });
  await Promise.all(ids.map((id) => ask(service, 'DELETE', `/jobs/${id}`, { user })));
  await completed(service, { script: fine }, { user });
});

test('3: a failed run is stored and can be read', async () => {
  for (const script of ['(', 'throw 1', 'function main() { throw 1 }']) {
    const { text, json } = await execute(service, { script }, { user: 'three' });
    assert.equal(json.status, 'failed');
    assert.equal((await ask(service, 'GET', `/jobs/${json.job_id}`, { user: 'three' })).text, text);
  }
  assert.equal((await ask(service, 'GET', '/jobs?status=failed', { user: 'three' })).json.length, 3);
});

test('4: without its secret a script does not run, and the cause is named', async () => {
  const { json } = await execute(service, { script: 'console.log("ran"); function main() {}', secret_refs: ['missing_one'] });
  assert.deepEqual([json.status, json.error_code, json.logs, json.usage.steps], ['failed', 'secret_not_found', [], 0]);
  assert.match(json.error, /missing_one/);
});

test('5: memory is limited, for each script by itself', async () => {
  const hungry = { script: 'function main() { const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1)) }' };
  const replies = await Promise.all([1, 2, 3].map((n) => execute(service, hungry, { user: `five-${n}` })).concat(completed(service, { script: fine }, { user: 'modest' })));
  for (const { json } of replies.slice(0, 3)) {
    assert.equal(json.error_code, 'out_of_memory');
    assert.ok(json.usage.memory_peak_bytes <= 134217728);
  }
});

test('6: a receipt that anyone can check binds output, script, input, user, time and enclave', async () => {
  const body = { script: 'function main(i) { return i }', input: { a: 1 } };
  const reply = await completed(service, body, { user: 'six' });
  const { json } = await ask(service, 'GET', '/attestation', { user: null });
  const jwk = JSON.parse(Buffer.from(json.document, 'base64url')).cnf.jwks.find(({ crv }) => crv === 'P-256');
  const { header, payload } = readReceipt(reply.receipt, jwk);
  const hash = (...parts) => sha256(...parts).toString('base64url');
  assert.deepEqual([payload.output, payload.script, payload.sub, payload.input], [hash('{"a":1}'), hash(body.script), hash('six'), hash(Buffer.from(reply.receipt_salt, 'base64url'), '{"a":1}')]);
  assert.ok(Math.abs(payload.iat - Date.now() / 1000) < 60);
  assert.equal(header.att, Buffer.from(json.document_sha256, 'hex').toString('base64url'));
});

test('7: what is encrypted does not stand in the clear beside it', async () => {
  const { text, json } = await execute(service, { script: 'function main() { return { told: "nobody" } }' }, { path: '/execute?encrypted=1' });
  assert.equal(json.output, undefined);
  assert.doesNotMatch(text, /nobody/);
  assert.equal(protection(Buffer.from(MASTER_KEY, 'hex')).decrypt(json.encrypted_output), '{"told":"nobody"}');
});

test('8: what a script logs does not change its output', async () => {
  const quiet = await completed(service, { script: fine });
  const loud = await completed(service, { script: 'function main() { console.log("x"); return { ok: true } }' });
  assert.deepEqual(loud.output, { ok: true });
  assert.equal(loud.output_hash, quiet.output_hash);
  assert.deepEqual(loud.logs, ['x']);
});

test('9: a stored record cannot be moved to another job or user', async () => {
  const own = scratch();
  let victim = await serve({ state: own });
  const first = await completed(victim, { script: 'function main() { return { whose: "alice" } }' }, { user: 'alice' });
  const second = await completed(victim, { script: 'function main() { return { whose: "mallory" } }' }, { user: 'mallory' });
  await victim.stop();
  const sql = (text) => execFileSync('sqlite3', [join(own, 'jobs.sqlite'), text], { encoding: 'utf8' });
  const blob = (id) => `x'${id.replaceAll('-', '')}'`;
  sql(`UPDATE jobs SET record = (SELECT record FROM jobs WHERE id = ${blob(first.job_id)}) WHERE id = ${blob(second.job_id)}`);
  victim = await serve({ state: own });
  const moved = await ask(victim, 'GET', `/jobs/${second.job_id}`, { user: 'mallory' });
  assert.doesNotMatch(moved.text, /alice/);
  assertProblem(moved, 500, 'record_corrupt');
  assert.deepEqual((await ask(victim, 'GET', `/jobs/${first.job_id}`, { user: 'alice' })).json, first);
  await victim.stop();
});

test('10: promises and async functions are awaited', async () => {
  assert.deepEqual(await output('async function main() { await null; return { a: await Promise.resolve(1) } }'), { a: 1 });
  assert.deepEqual(await output('function main() { return Promise.all([1, Promise.resolve(2)]) }'), { result: [1, 2] });
});

test('11: nothing is returned as completed without hash, signature, receipt and a real attestation', async () => {
  const reply = await completed(service, { script: fine });
  assert.equal(reply.output_hash, sha256('{"ok":true}').toString('hex'));
  assert.equal(reply.signature, protection(Buffer.from(MASTER_KEY, 'hex')).signature('{"ok":true}'));
  const { json } = await ask(service, 'GET', `/attestation/${reply.attestation}`);
  assert.equal(sha256(Buffer.from(json.document, 'base64url')).toString('hex'), reply.attestation);
  const other = await serve();
  assert.notEqual((await completed(other, { script: fine })).attestation, reply.attestation);
  await other.stop();
});

test('12: the order of the input\'s keys is as sent; the same request has the same hash', async () => {
  const names = ['zebra', 'apple', 'mango', '10', 'b', 'a', 'é'];
  const body = { script: 'function main(i) { return { keys: Object.keys(i), text: JSON.stringify(i) } }', input: Object.fromEntries(names.map((name, i) => [name, i])) };
  const replies = await Promise.all(Array.from({ length: 12 }, (_, i) => completed(service, body, { user: `twelve-${i}` })));
  assert.equal(new Set(replies.map((reply) => reply.output_hash)).size, 1);
  assert.deepEqual(replies[0].output.keys, Object.keys(body.input));
});

test('13: {}, undefined and NaN are outputs like any other', async () => {
  for (const [script, want] of [['function main() { return {} }', {}], ['function main() {}', {}], ['function main() { return null }', {}],
    ['async function main() { return { a: 1 } }', { a: 1 }], ['function main() { return { n: NaN, i: -Infinity } }', { n: null, i: null }], ['function main() { return NaN }', { result: null }]]) {
    const reply = await completed(service, { script });
    assert.deepEqual(reply.output, want, script);
    assert.equal(reply.output_hash, sha256(JSON.stringify(want, Object.keys(want).sort())).toString('hex'));
    assert.ok(reply.signature && reply.receipt);
  }
});

test('15: scripts that eat memory or time end themselves and nobody else', async () => {
  const bad = ['const a = []; for (;;) a.push("x".repeat(1 << 20) + a.length)', '/^(a+)+$/.test("a".repeat(40) + "!")', '/(a*)*\\1b/.test("a".repeat(5000))',
    'Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)', 'new Array(2 ** 32 - 1).fill(0)', '"x".padEnd(2 ** 30)', 'for (;;) try { (function f() { f() })() } catch {}', 'JSON.parse("[".repeat(1e6))',
    'for (;;) console.log("x".repeat(4096))', 'let s = "x"; for (;;) s += s'];
  const others = [];
  const hungry = Promise.all(bad.map((script, i) => execute(service, { script: `function main() { ${script} }`, timeout: 2 }, { user: `fifteen-${i}` })));
  for (let i = 0; i < 20; i++) others.push(await completed(service, { script: fine }, { user: `modest-${i % 4}` }));
  assert.equal(others.length, 20);
  for (const [i, { status, json }] of (await hungry).entries()) {
    assert.equal(status, 200);
    assert.match(`${json.status} ${json.error_code}`, /^(failed (timeout|out_of_memory|execution_error|output_too_large)|completed undefined)$/, bad[i]);
    assert.ok(json.usage.wall_us < 6e6 && json.receipt);
  }
  await completed(service, { script: fine });
  assert.ok(threads || workersOf(service).length > 0);
});

test('14: a script that runs longer than 30 s gets its answer', async () => {
  const { json } = await waiting;
  assert.deepEqual([json?.status, json?.output], ['completed', { waited: true }]);
});
