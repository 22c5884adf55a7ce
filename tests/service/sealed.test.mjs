// Sealed inputs and outputs through the real service, with a caller made of parts that nobody here wrote (tests/sealing.mjs).
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { cli, file } from '../lib.mjs';
import { openOutput, recipient, sealInput } from '../sealing.mjs';
import { ask, assertProblem, execute, serve, until } from './service.mjs';

const ADD = 'function main(i) { console.log("adding", i.a); return { sum: i.a + i.b } }';
const input = { a: 20, b: 22 };
let service, attestation;

before(async () => {
  service = await serve();
  attestation = (await ask(service, 'GET', '/attestation')).json;
});
after(() => service.stop());

const seal = (more = {}) => sealInput(attestation, { user: 'alice', content: { input }, script: ADD, ...more });
const run = async (body, options) => (await execute(service, body, options)).json;
const rejected = (reply) => {
  assert.deepEqual([reply.status, reply.error_code, reply.error], ['failed', 'sealed_input_rejected', 'the sealed input does not open']);
  assert.ok(reply.receipt);
};

test('an input that only the service can read', async () => {
  const { message } = await seal();
  const reply = await run({ script: ADD, encrypted_input: message });
  assert.deepEqual([reply.status, reply.output, reply.logs], ['completed', { sum: 42 }, ['adding 20']]);
});

test('the receipt commits to the sealed input, and verifies', async () => {
  const { message } = await seal({ content: `{"input":{"a":20, "b":22}}` });
  const { text } = await execute(service, { script: ADD, encrypted_input: message });
  const { status, stdout } = cli(['verify', file(text, 'r.json'), '--script', file(ADD), '--input', file('{"a":20, "b":22}', 'i.json'),
    '--attestation', file(JSON.stringify(attestation), 'a.json'), '--allow-simulated', '--user', 'alice']);
  assert.equal(status, 0, stdout);
});

test('the script and secrets come sealed, too', async () => {
  const { message } = await seal({ script: null, content: { input, script: 'function main(i, s) { return { got: s.KEY, sum: i.a } }', secrets: { KEY: 'inline value' } } });
  const reply = await run({ encrypted_input: message });
  assert.deepEqual(reply.output, { got: 'inline value', sum: 20 });
});

describe('an answer that only the caller can read', () => {
  const outside = ['attestation', 'duration', 'gas_used', 'job_id', 'receipt', 'sealed_output', 'started_at', 'status', 'usage'];

  test('sealed to who sealed the input', async () => {
    const { message, ...opener } = await seal();
    const { json: reply, text } = await execute(service, { script: ADD, encrypted_input: message, seal_output: true });
    assert.deepEqual(Object.keys(reply).sort(), outside);
    assert.ok(!text.includes('42') || !/"sum"/.test(text));
    const inner = openOutput(reply, opener);
    assert.deepEqual([JSON.parse(inner).output, JSON.parse(inner).logs, JSON.parse(inner).sealed], [{ sum: 42 }, ['adding 20'], true]);
    const verify = ['--script', file(ADD), '--input', file(JSON.stringify(input), 'i.json'), '--attestation', file(JSON.stringify(attestation), 'a.json'), '--allow-simulated'];
    const good = cli(['verify', file(inner, 'r.json'), ...verify]);
    assert.equal(good.status, 0, good.stdout);
    for (const [from, to] of [['"sum":42', '"sum":43'], ['adding 20', 'adding 21'], ['"sealed":true', '"sealed":false'], ['"sealed":true,', '']])
      assert.notEqual(cli(['verify', file(inner.replace(from, to), 'r.json'), ...verify]).status, 0, from);
    // The record is the same sealed answer.
    const stored = (await ask(service, 'GET', `/jobs/${reply.job_id}`)).json;
    assert.equal(openOutput(stored, opener), inner);
  });

  test('opens for who sealed the input also after the service has new keys', async () => {
    const own = await serve();
    try {
      const old = (await ask(own, 'GET', '/attestation')).json;
      const script = 'function main(i) { for (const end = Date.now() + 1500; Date.now() < end;); return { sum: i.a + i.b } }';
      const { message, ...opener } = await sealInput(old, { user: 'alice', content: { input }, script });
      const across = execute(own, { script, encrypted_input: message, seal_output: true });
      await until(async () => (await ask(own, 'GET', '/info')).json.statistics.running_jobs === 1, 'the job');
      own.child.kill('SIGUSR1');
      const { json: reply } = await across;
      assert.notEqual(reply.attestation, old.document_sha256); // the receipt has the new key's signature
      assert.deepEqual(JSON.parse(openOutput(reply, opener)).output, { sum: 42 });
    } finally { await own.stop(); }
  });

  test('sealed to a key of the caller, for later', async () => {
    const key = await recipient();
    const { json: accepted } = await execute(service, { script: ADD, input, seal_output: true, recipient: key.x, async: true });
    let reply;
    await until(async () => { reply = (await ask(service, 'GET', `/jobs/${accepted.job_id}`)).json; return reply.status !== 'running'; }, 'its end');
    const hash = Buffer.from(reply.attestation, 'hex');
    assert.deepEqual(JSON.parse(await key.open(reply, hash)).output, { sum: 42 });
    await assert.rejects((await recipient()).open(reply, hash));
  });

  test('what the script threw is for the caller, too; strangers get the code', async () => {
    const { message, ...opener } = await seal({ script: 'function main(i) { throw new Error("about " + i.a) }' });
    const { json: reply, text } = await execute(service, { script: 'function main(i) { throw new Error("about " + i.a) }', encrypted_input: message, seal_output: true });
    assert.deepEqual([reply.status, reply.error_code, reply.error], ['failed', 'execution_error', 'execution error']);
    assert.ok(!text.includes('about'));
    assert.match(JSON.parse(openOutput(reply, opener)).error, /about 20/);
  });

  test('events do not tell what is logged', async () => {
    const key = await recipient();
    const { json: accepted } = await execute(service, { script: ADD, input, seal_output: true, recipient: key.x, async: true });
    const { text } = await ask(service, 'GET', `/jobs/${accepted.job_id}/events`);
    assert.ok(!text.includes('adding'), text);
  });
});

describe('what does not open', () => {
  test('a second time', async () => {
    const { message } = await seal();
    assert.equal((await run({ script: ADD, encrypted_input: message })).status, 'completed');
    rejected(await run({ script: ADD, encrypted_input: message }));
    rejected(await run({ script: ADD, encrypted_input: { ...message } }));
  });

  test('under another script, user, time, nonce, document or service', async () => {
    const other = `${ADD} `;
    rejected(await run({ script: other, encrypted_input: (await seal()).message }));
    rejected(await run({ script: ADD, encrypted_input: (await seal()).message }, { user: 'mallory' }));
    const { message } = await seal();
    rejected(await run({ script: ADD, encrypted_input: { ...message, expires: message.expires + 1 } }));
    rejected(await run({ script: ADD, encrypted_input: { ...message, nonce: randomBytes(16).toString('base64url') } }));
    rejected(await run({ script: ADD, encrypted_input: (await seal({ document: randomBytes(32) })).message }));
    const twin = await serve();
    const theirs = (await ask(twin, 'GET', '/attestation')).json;
    await twin.stop();
    rejected(await run({ script: ADD, encrypted_input: (await sealInput(theirs, { user: 'alice', content: { input }, script: ADD })).message }));
    assert.equal((await run({ script: ADD, encrypted_input: message })).status, 'completed'); // it is still good
  });

  test('too late, or too far ahead', async () => {
    const now = Math.floor(Date.now() / 1000);
    rejected(await run({ script: ADD, encrypted_input: (await seal({ expires: now - 1 })).message }));
    rejected(await run({ script: ADD, encrypted_input: (await seal({ expires: now + 310 })).message }));
    assert.equal((await run({ script: ADD, encrypted_input: (await seal({ expires: now + 290 })).message })).status, 'completed');
  });

  test('any byte of it changed', async () => {
    const { message } = await seal();
    const flipped = (text, at) => { const b = Buffer.from(text, 'base64url'); b[at] ^= 1; return b.toString('base64url'); };
    const length = Buffer.from(message.ciphertext, 'base64url').length;
    for (let at = 0; at < length; at += 3) rejected(await run({ script: ADD, encrypted_input: { ...message, ciphertext: flipped(message.ciphertext, at) } }));
    for (const at of [0, 15, 31]) rejected(await run({ script: ADD, encrypted_input: { ...message, enc: flipped(message.enc, at) } }));
    rejected(await run({ script: ADD, encrypted_input: { ...message, enc: Buffer.alloc(32).toString('base64url') } }));
  });

  test('contents that are none', async () => {
    const bad = ['', '[]', '{}', '{"input":[]}', '{"input":1}', '{"input":{},"input":{}}', '{"input":{},"more":1}', '{"input":{},"secrets":[]}', '{"input":{},"secrets":{"a b":"c"}}',
      '{"input":{},"secrets":{"a":1}}', '{"input":{},"script":"function main() {}"}', '{"input":{}', '{"input":{},"secrets":{"a":"1","a":"2"}}'];
    for (const content of bad) rejected(await run({ script: ADD, encrypted_input: (await seal({ content })).message }));
    rejected(await run({ encrypted_input: (await seal({ script: null, content: { input } })).message })); // no script anywhere
    rejected(await run({ script: ADD, secret_refs: ['a'], encrypted_input: (await seal({ content: { input, secrets: { a: 'mine' } } })).message }));
  });

  test('what is no sealed input at all', async () => {
    const { message } = await seal();
    for (const bad of [{}, { ...message, more: 1 }, { ...message, enc: undefined }, { ...message, expires: 'soon' }, { ...message, nonce: 'AA' }, { ...message, ciphertext: '!' }])
      rejected(await run({ script: ADD, encrypted_input: bad }));
    for (const [body, detail] of [
      [{ script: ADD, encrypted_input: 'text' }, /encrypted_input/], [{ script: ADD, encrypted_input: message, input: {} }, /not both/],
      [{ app_id: 'a', script_name: 'b', encrypted_input: message }, /script_name/], [{ script: ADD, seal_output: true }, /seal_output/],
      [{ script: ADD, recipient: randomBytes(32).toString('base64url') }, /recipient/], [{ script: ADD, seal_output: true, recipient: 'AA' }, /recipient/]]) {
      const reply = await execute(service, body);
      assertProblem(reply, 400, 'bad_request');
      assert.match(reply.json.detail, detail);
    }
  });
});

test('neocompute submit --seal: nothing in between reads script, input or answer', async () => {
  const { spawn } = await import('node:child_process');
  const http = await import('node:http');
  const seen = []; // by a gateway that passes everything on
  const gateway = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part)).on('end', async () => {
      const reply = await ask(service, request.method, request.url, { body: parts.length ? Buffer.concat(parts) : undefined, user: request.headers['x-user-id'] });
      seen.push(Buffer.concat(parts).toString(), reply.text);
      response.writeHead(reply.status, { 'content-type': 'application/json' }).end(reply.text);
    });
  });
  await new Promise((resolve) => gateway.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${gateway.address().port}`;
  const submit = (args) => new Promise((resolve) => {
    const child = spawn(process.env.NEOCOMPUTE ?? 'build/neocompute', ['submit', file('function main(i) { console.log("plainlog"); return { plainoutput: i.plaininput } }'), '--url', url, '--user', 'alice', '--input', '{"plaininput":"plainvalue"}', '--seal', ...args]);
    let stdout = '', stderr = '';
    child.stdout.on('data', (d) => { stdout += d; });
    child.stderr.on('data', (d) => { stderr += d; });
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
  const { status, stdout, stderr } = await submit(['--allow-simulated']);
  assert.equal(status, 0, stderr);
  assert.deepEqual(JSON.parse(stdout).output, { plainoutput: 'plainvalue' });
  assert.ok(seen.length >= 4);
  for (const text of seen) assert.ok(!text.includes('plain'), text);
  assert.match((await submit([])).stderr, /simulated/);
  gateway.close();
});
