// POST /execute: what the reference documents, what ours adds, every limit and every refusal.
import assert from 'node:assert/strict';
import { createDecipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { MASTER_KEY, ask, assertProblem, completed, execute, serve } from './service.mjs';

let service;
before(async () => { service = await serve(); });
after(() => service.stop());

const sha256 = (data) => createHash('sha256').update(data).digest('hex');

describe('the documented examples of the reference', () => {
  test('the sum of two inputs', async () => {
    const reply = await completed(service, { script: 'function main() { return { sum: input.a + input.b } }', input: { a: 2, b: 3 } });
    assert.deepEqual(reply.output, { sum: 5 });
    assert.match(reply.job_id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.match(reply.started_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/);
    assert.match(reply.duration, /^[\d.]+(ns|µs|ms|s)$/);
    assert.equal(reply.gas_used, 10 * 'function main() { return { sum: input.a + input.b } }'.length);
    assert.deepEqual(reply.logs, []);
  });

  test('a secret, which does not exist yet', async () => {
    const { status, json } = await execute(service, {
      script: 'function main() { return { ok: secrets.api_key.length > 0 } }', secret_refs: ['api_key'] });
    assert.equal(status, 200);
    assert.equal(json.status, 'failed');
    assert.equal(json.error_code, 'secret_not_found');
    assert.match(json.error, /api_key/);
    assert.ok(json.receipt);
    assert.equal(json.output, undefined);
  });

  test('a hash and random bytes', async () => {
    const { output } = await completed(service, { script: 'function main() { return { hash: crypto.sha256("x"), nonce: crypto.randomBytes(16) } }' });
    assert.equal(output.hash, sha256('x'));
    assert.match(output.nonce, /^[0-9a-f]{32}$/);
  });
});

describe('output protection', () => {
  const key = Buffer.from(MASTER_KEY, 'hex');
  const signing = Buffer.from(hkdfSync('sha256', key, 'neocompute-signing-key', 'tee-result-signing', 32));

  test('hash and signature are those of the reference', async () => {
    const { text, json } = await execute(service, { script: 'function main() { return { b: 1, a: "ü" } }' });
    assert.ok(text.includes('"output":{"a":"ü","b":1}'));
    const hash = createHash('sha256').update('{"a":"ü","b":1}').digest();
    assert.equal(json.output_hash, hash.toString('hex'));
    assert.equal(json.signature, createHmac('sha256', signing).update(hash).digest('hex'));
    assert.equal(json.encrypted_output, undefined);
  });

  test('encrypted output instead of output', async () => {
    const reply = await completed(service, { script: 'function main() { return { a: 1 } }' }, { path: '/execute?encrypted=1' });
    assert.equal(reply.output, undefined);
    assert.equal(reply.output_hash, undefined); // whoever passes it on could try out short outputs
    assert.equal(reply.signature, createHmac('sha256', signing).update(createHash('sha256').update('{"a":1}').digest()).digest('hex'));
    const sealed = Buffer.from(reply.encrypted_output, 'base64');
    const open = createDecipheriv('aes-256-gcm', key.subarray(0, 32), sealed.subarray(0, 12));
    open.setAuthTag(sealed.subarray(-16));
    assert.equal(Buffer.concat([open.update(sealed.subarray(12, -16)), open.final()]).toString(), '{"a":1}');
  });
});

describe('a script', () => {
  const run = (script, more = {}) => execute(service, { script, ...more });

  test('gets input and secrets as arguments, too', async () => {
    const { json } = await run('function main(input, secrets) { return { input, secrets } }', { input: { z: 1, a: [] } });
    assert.deepEqual(json.output, { input: { z: 1, a: [] }, secrets: {} });
  });

  test('any entry point, async, modules', async () => {
    assert.deepEqual((await run('export async function go() { return 7 }', { entry_point: 'go' })).json.output, { result: 7 });
  });

  test('logs do not change the output', async () => {
    const { json } = await run('function main() { console.log("hi", { a: 1 }); return { a: 1 } }');
    assert.deepEqual(json.logs, ['hi { a: 1 }']);
    assert.deepEqual(json.output, { a: 1 });
  });

  test('undefined is an empty output, with hash, signature and receipt', async () => {
    const { json } = await run('function main() {}');
    assert.equal(json.status, 'completed');
    assert.deepEqual(json.output, {});
    assert.equal(json.output_hash, sha256('{}'));
    assert.ok(json.signature && json.receipt);
  });

  test('the key order of the input as sent is kept', async () => {
    const replies = await Promise.all(Array.from({ length: 5 }, () => run('function main(i) { return { keys: Object.keys(i) } }',
      { input: { zebra: 1, apple: 2, mango: 3 } })));
    for (const { json } of replies) assert.deepEqual(json.output.keys, ['zebra', 'apple', 'mango']);
  });

  for (const [name, script, code, error] of [
    ['a syntax error', 'function main( {', 'syntax_error', /^script error: /],
    ['a throw at the top', 'throw new Error("top")', 'script_error', /^script error: .*top/],
    ['a throw in main', 'function main() { throw new TypeError("deep") }', 'execution_error', /^execution error: .*deep/],
    ['no entry point', 'const a = 1', 'entry_not_found', /^entry point 'main' is not a function$/],
    ['never settling', 'function main() { return new Promise(() => {}) }', 'unsettled', /never settle/],
    ['a BigInt', 'function main() { return { n: 1n } }', 'output_invalid', /JSON/],
    ['too much output', 'function main() { return { s: "x".repeat(1048577) } }', 'output_too_large', /^output exceeds maximum size of 1048576 bytes$/],
    ['too much memory', 'function main() { const a = []; for (;;) a.push(new Array(1000).fill(1)) }', 'out_of_memory', /memory/],
  ]) {
    test(`${name} is a failed job with a receipt`, async () => {
      const { status, json } = await run(script);
      assert.equal(status, 200);
      assert.equal(json.status, 'failed');
      assert.equal(json.error_code, code);
      assert.match(json.error, error);
      assert.equal(json.output, undefined);
      assert.equal(json.signature, undefined);
      assert.ok(json.receipt && json.receipt_salt && json.attestation);
      assert.equal((await ask(service, 'GET', `/jobs/${json.job_id}`)).text, JSON.stringify(json));
    });
  }

  test('a timeout', async () => {
    const { json } = await run('function main() { for (;;); }', { timeout: 1 });
    assert.deepEqual([json.status, json.error_code, json.error], ['failed', 'timeout', 'execution timeout']);
    assert.ok(json.usage.wall_us >= 1_000_000 && json.receipt);
  });

  test('steps', async () => {
    const { json } = await run('function main() { for (;;); }', { limits: { steps: 1000 } });
    assert.deepEqual([json.error_code, json.usage.steps], ['out_of_steps', 1000]);
  });

  test('deterministic runs are the same', async () => {
    const body = { script: 'function main() { return { t: Date.now(), r: Math.random(), c: crypto.randomBytes(8) } }', deterministic: true };
    const [a, b] = await Promise.all([execute(service, body), execute(service, body)]);
    assert.equal(a.json.output_hash, b.json.output_hash);
  });

  test('its stack goes to its caller and not to the log', async () => {
    const { json } = await run('\nfunction canary_a() { throw new Error("canary_b") }\nfunction main() { canary_a() }');
    assert.match(JSON.stringify(json.error_details), /canary_a.*script\.js:2/);
    assert.ok(!/canary_/.test(service.text));
  });
});

describe('limits and refusals', () => {
  const refused = async (status, code, body, options) => assertProblem(await execute(service, body, options), status, code);
  const fine = 'function main() {}';

  test('script', async () => {
    assert.equal((await execute(service, { script: `${fine}/${'*'.repeat(102400 - fine.length - 2)}/` })).json.status, 'completed');
    const problem = await refused(413, 'script_too_large', { script: `${fine}${' '.repeat(102401 - fine.length)}` });
    assert.equal(problem.message, 'script exceeds maximum size of 102400 bytes');
    for (const script of ['', undefined, null]) assert.equal((await refused(400, 'script_required', { script })).message, 'script required');
  });

  test('input', async () => {
    const input = { s: 'x'.repeat(1048576 - 8) };
    assert.equal((await execute(service, { script: fine, input })).json.status, 'completed');
    const problem = await refused(413, 'input_too_large', { script: fine, input: { s: 'x'.repeat(1048576 - 7) } });
    assert.equal(problem.message, 'input exceeds maximum size of 1048576 bytes');
  });

  test('request body', async () => {
    const problem = await refused(413, 'body_too_large', `{"script":"${' '.repeat(1310720)}"}`);
    assert.equal(problem.details.limit_bytes, 1310720);
  });

  test('secret_refs', async () => {
    const refs = (count) => Array.from({ length: count }, (_, i) => `secrets:s${i}`);
    assert.equal((await execute(service, { script: fine, secret_refs: refs(10) })).json.error_code, 'secret_not_found');
    assert.equal((await refused(400, 'too_many_secret_refs', { script: fine, secret_refs: refs(11) })).message, 'too many secret references (max 10)');
  });

  test('log entries are cut, dropped and counted', async () => {
    const { logs, usage } = await completed(service, { script: `function main() { console.log("x".repeat(5000)); for (let i = 0; i < 150; i++) console.log(i) }` });
    assert.equal(logs.length, 100);
    assert.equal(logs[0], `${'x'.repeat(4096)}...(truncated)`);
    assert.equal(usage.log_entries_dropped, 51);
  });

  test('an unknown field is named', async () => {
    assert.match((await refused(400, 'unknown_field', { script: fine, secret_ref: ['a'] })).detail, /secret_ref/);
    assert.match((await refused(400, 'unknown_field', { script: fine, limits: { memory: 1 } })).detail, /memory/);
  });

  const big = `{"script":"${fine}","input":${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}}`;
  for (const [name, body, code = 'bad_request', status = 400] of [
    ['an empty body', ''],
    ['no JSON', 'hello'],
    ['an array', '[]'],
    ['a second value', `{"script":"${fine}"}{}`],
    ['a duplicate key', `{"script":"${fine}","script":"${fine}"}`],
    ['invalid UTF-8', Buffer.concat([Buffer.from(`{"script":"`), Buffer.from([0xff]), Buffer.from('"}')])],
    ['a byte order mark', `\ufeff{"script":"${fine}"}`],
    ['1,000 levels', big],
    ['a script that is a number', { script: 5 }],
    ['an input that is an array', { script: fine, input: [] }, 'input_invalid'],
    ['a timeout that is a text', { script: fine, timeout: '30' }],
    ['a timeout of half a second', { script: fine, timeout: 0.5 }],
    ['an entry point that is no name', { script: fine, entry_point: 'a b' }, 'entry_invalid'],
    ['too little memory', { script: fine, limits: { memory_mb: 15 } }, 'limit_invalid'],
    ['too much memory', { script: fine, limits: { memory_mb: 1025 } }, 'limit_invalid'],
    ['no steps', { script: fine, limits: { steps: 0 } }, 'limit_invalid'],
    ['a nonce of 129 bytes', { script: fine, nonce: 'x'.repeat(129) }],
  ]) {
    test(`${name} is refused`, async () => {
      const problem = await refused(status, code, body);
      if (code === 'bad_request') assert.equal(problem.message, 'invalid request body');
    });
  }

  test('numbers beyond double are what JavaScript makes of them', async () => {
    const reply = await execute(service, `{"script":"function main(i) { return { a: i.a === Infinity, b: i.b } }","input":{"a":1e999,"b":12345678901234567890}}`);
    assert.deepEqual(reply.json.output, { a: true, b: 12345678901234567000 });
  });

  test('a wrong content type', async () => {
    await refused(415, 'unsupported_media_type', { script: fine }, { headers: { 'content-type': 'text/plain' } });
    assert.equal((await execute(service, { script: fine }, { headers: { 'content-type': 'application/json; charset=utf-8' } })).status, 200);
  });

  test('a timeout is clamped as the reference does', async () => {
    for (const timeout of [-5, 0, 121, 100000]) assert.equal((await execute(service, { script: fine, timeout })).json.status, 'completed');
  });

  test('nobody', async () => {
    const problem = await refused(401, 'unauthorized', { script: fine }, { user: null });
    assert.equal(problem.message, 'unauthorized');
  });

  test('routes and methods', async () => {
    assertProblem(await ask(service, 'GET', '/nothing/here'), 404, 'not_found');
    const reply = await ask(service, 'GET', '/execute');
    assertProblem(reply, 405, 'method_not_allowed');
    assert.equal(reply.headers.allow, 'POST');
    for (const path of ['/../etc/passwd', '/jobs/..%2f..%2fetc%2fpasswd', `/jobs/${'a'.repeat(8192)}`, '//', '/jobs//events'])
      assert.ok([400, 404].includes((await ask(service, 'GET', path)).status), path);
  });

  test('trace ids are honoured and echoed', async () => {
    const reply = await execute(service, { script: fine }, { headers: { 'x-trace-id': 'my-trace_1' } });
    assert.equal(reply.headers['x-trace-id'], 'my-trace_1');
    const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const traced = await execute(service, { script: fine }, { headers: { traceparent: parent } });
    assert.equal(traced.headers['x-trace-id'], '4bf92f3577b34da6a3ce929d0e0e4736');
    assert.match(traced.headers.traceparent, /^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/);
  });
});
