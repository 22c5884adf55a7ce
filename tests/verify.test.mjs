// `neocompute verify` against responses that Node makes with a key of its own: no server is needed to be honest, nor to lie.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cli, file, missing } from './lib.mjs';
import { attestation, b64, document, engine, job, makeKey, noon, sha256 } from './receipts.mjs';

const key = makeKey();
const stranger = makeKey();
const at = '2026-09-21T14:13:20Z';
const json = (value) => JSON.stringify(value);

// What a verifier holds. Each part may be replaced; null leaves its option out.
function given(made, { response = made.text, script = made.script, input = made.input, reply = json(attestation(made.doc)),
  simulated = true, time = at, more = [] } = {}) {
  const option = (name, content) => content === null ? [] : [`--${name}`, file(content, `${name}.verify`)];
  return ['verify', file(response, 'response.json'), ...option('script', script), ...option('input', input),
    ...option('attestation', reply), ...(simulated ? ['--allow-simulated'] : []), ...(time ? ['--at', time] : []), ...more];
}

function verified(made, with_) {
  const { status, stdout, stderr } = cli(given(made, with_));
  assert.equal(stderr, '');
  assert.match(stdout, /^verdict: verified/m, stdout);
  assert.equal(status, 0);
  return stdout;
}

// The first check that does not hold, and why.
function refused(check, reason, made, with_) {
  const { status, stdout, stderr } = cli(given(made, with_));
  assert.equal(stderr, '');
  assert.match(stdout, /^verdict: NOT VERIFIED \(/m, stdout);
  assert.equal(status, 1);
  const [, found, why] = /^verdict: NOT VERIFIED \(([a-z]+): (.*)\)$/m.exec(stdout);
  assert.equal(found, check, stdout);
  if (reason) assert.match(why, reason);
  return stdout;
}

test('the clock of these tests', () => assert.equal(Date.parse(at) / 1000, noon));

describe('verified', () => {
  test('a completed job, with a line for each check', () => {
    const out = verified(job(key));
    const lines = out.trimEnd().split('\n');
    const checks = lines.slice(0, -1).map((line) => [line.slice(0, 12).trim(), line.slice(13, 25).trim()]);
    assert.deepEqual(checks, [['attestation', 'ok'], ['signature', 'ok'], ['document', 'ok'], ['policy', 'not asked'],
      ['time', 'ok'], ['job', 'ok'], ['script', 'ok'], ['entry', 'ok'], ['input', 'ok'], ['output', 'ok'], ['logs', 'ok'],
      ['secrets', 'ok'], ['limits', 'ok'], ['user', 'not asked'], ['nonce', 'not asked']]);
    assert.equal(lines.at(-1), 'verdict: verified (simulated: no hardware vouches for it)');
    assert.match(out, new RegExp(`key ${key.kid}`));
  });

  test('a failed job', () => verified(job(key, { error: 'timeout' })));
  test('a later document with a nonce binds the same key', () => {
    const later = document(key, { nonce: b64(Buffer.alloc(16, 7)), iat: noon });
    assert.match(verified(job(key), { reply: json(attestation(later)) }), /a later one with a nonce/);
  });
  test('one newline at the end of the input file', () => {
    const made = job(key);
    verified(made, { input: `${made.input}\n` });
    verified(made, { input: `${made.input}\r\n` });
    verified(job(key, { input: '{"a":1}\n' }));
    refused('input', /as sent, byte for byte/, made, { input: `${made.input}\n\n` });
    refused('input', null, made, { input: ` ${made.input}` });
  });
  test('whitespace around the response, and members that no receipt speaks of', () => {
    const made = job(key, { response: { error_details: '{"output":[1]}', signature: '"x"' } });
    verified(made, { response: `\n${made.text}\n` });
  });
  test('another entry point', () => {
    for (const entry of ['handler', 'größe', 'x'.repeat(50), 'y'.repeat(51), 'z'.repeat(128), 'a"b', 'sha256:', 'a\\b']) {
      const made = job(key, { entry });
      verified(made, { more: ['--entry', entry] });
      refused('entry', /another entry point/, made);
    }
  });
  test('user and nonce, if asked', () => {
    const made = job(key, { nonce: 'n-1', user: 'Ada Löw' });
    verified(made, { more: ['--user', 'Ada Löw', '--nonce', 'n-1'] });
    refused('user', /another user/, made, { more: ['--user', 'ada'] });
    refused('nonce', /another nonce/, made, { more: ['--nonce', 'n-2'] });
    refused('nonce', null, job(key), { more: ['--nonce', 'n-1'] });
    refused('nonce', null, made, { more: ['--nonce', ''] });
    const long = 'n'.repeat(128);
    verified(job(key, { nonce: long }), { more: ['--nonce', long] });
    refused('nonce', null, job(key, { nonce: long }), { more: ['--nonce', long.slice(1)] });
  });
  test('limits', () => {
    const limits = { timeout_ms: 5000, memory_bytes: 64 << 20, steps: 1000, deterministic: true };
    const more = ['--timeout', '5', '--memory', '64', '--steps', '1000', '--deterministic'];
    verified(job(key, { limits }), { more });
    refused('limits', /other limits held/, job(key, { limits }));
    refused('limits', null, job(key), { more });
  });
  test('secrets', () => {
    const secrets = [{ name: 'api_key', version: 3 }, { name: 'salt', version: 1 }];
    const made = job(key, { secrets });
    verified(made);
    for (const other of [[], [...secrets].reverse(), [secrets[0]], [{ ...secrets[0], version: 4 }, secrets[1]],
      [{ name: 'api_key' }], [1], {}, [{ name: 'x', version: '1' }], [{ name: 'x', version: -1 }]]) {
      refused('secrets', null, job(key, { secrets, response: { secrets: json(other) } }));
    }
    refused('secrets', null, job(key, { response: { secrets: undefined } }));
  });
  test('a sealed output, by who can open it', () => {
    const made = job(key, { sealed: true });
    const out = file(made.output, 'opened.json');
    refused('output', /sealed: needs --output/, made);
    verified(made, { more: ['--output', out] });
    refused('output', /not the sealed output/, made, { more: ['--output', file('{"sum":6}', 'other.json')] });
    verified(made, { more: ['--skip', 'output'] });
    // Whoever put a hash of the output beside it wanted to tell what it is.
    const told = job(key, { sealed: true, response: { output_hash: `"${sha256(made.output).toString('hex')}"` } });
    refused('output', /no output_hash/, told, { more: ['--output', out] });
    refused('output', /--output is for sealed outputs/, job(key), { more: ['--output', out] });
  });
});

describe('a check that was not made is not a check that held', () => {
  test('left out', () => {
    const made = job(key);
    refused('script', /needs --script/, made, { script: null });
    refused('input', /needs --input/, made, { input: null });
    refused('attestation', /needs --attestation/, made, { reply: null });
    refused('attestation', /simulated/, made, { simulated: false });
  });
  test('waived on purpose, and said so', () => {
    const out = verified(job(key), { script: null, input: null, more: ['--skip', 'script', '--skip=input'] });
    assert.match(out, /^script +not checked +$/m);
    assert.match(out, /^verdict: verified .*; not checked: script, input$/m);
    // Also if it would not hold: that is what waiving means.
    verified(job(key), { script: 'other', more: ['--skip', 'script'] });
  });
  test('what everything rests on cannot be waived', () => {
    for (const check of ['attestation', 'signature', 'document', 'policy', 'job', 'logs', 'secrets', 'user', 'nonsense', '']) {
      const result = cli(given(job(key), { more: ['--skip', check] }));
      assert.equal(result.status, 2, check);
      assert.match(result.stderr, /^neocompute verify: --skip /);
    }
  });
});

describe('lies', () => {
  const made = job(key);
  test('each claim says something that is compared', () => {
    const other = b64(sha256('other'));
    const claims = { input: 'input', logs: 'logs', output: 'output', script: 'script', secrets: 'secrets', limits: 'limits' };
    for (const [claim, check] of Object.entries(claims)) refused(check, null, job(key, { claims: { [claim]: other } }));
    refused('user', null, job(key, { claims: { sub: other } }), { more: ['--user', 'ada'] });
    refused('job', /job_id/, job(key, { claims: { job: '0192f0c1-2a3b-7c4d-8e5f-0123456789ac' } }));
    refused('job', /gas_used/, job(key, { response: { gas_used: '1' } }));
    refused('job', /steps/, job(key, { response: { usage: '{"steps":776}' } }));
    refused('job', /steps/, job(key, { response: { usage: '{}' } }));
    refused('job', /steps/, job(key, { response: { usage: '777' } }));
    refused('time', /future/, job(key, { claims: { iat: noon + 301 } }));
    verified(job(key, { claims: { iat: noon + 300 } }));
    refused('entry', null, job(key, { claims: { entry: 'other' } }));
    refused('document', /another attestation/, job(key, { header: { att: other } }));
    refused('document', /engines/, job(key, { header: { eng: 'e'.repeat(64) } }));
    refused('document', /isolation/, job(key, { header: { iso: 'process-landlock' } }));
    refused('document', /TEEs/, job(key, { claims: { tee: 'tdx' } }));
  });

  test('each member of the response is compared', () => {
    for (const [name, value, check] of [['job_id', '"x"', 'job'], ['job_id', undefined, 'job'], ['job_id', '1', 'job'],
      ['status', '"failed"', 'job'], ['status', '"running"', 'job'], ['status', undefined, 'job'],
      ['error_code', '"timeout"', 'job'], ['gas_used', '"450"', 'job'], ['gas_used', undefined, 'job'],
      ['usage', undefined, 'job'], ['output', '{"sum":6}', 'output'], ['output', '{"sum": 5}', 'output'],
      ['output', 'null', 'output'], ['output', undefined, 'output'], ['output_hash', `"${'0'.repeat(64)}"`, 'output'],
      ['output_hash', undefined, 'output'], ['logs', '["ho"]', 'logs'], ['logs', '[ "hi"]', 'logs'], ['logs', undefined, 'logs'],
      ['receipt', undefined, 'signature'], ['receipt', 'null', 'signature'], ['receipt', '""', 'signature'],
      ['receipt_salt', undefined, 'input'], ['receipt_salt', `"${b64('fedcba9876543210')}"`, 'input'],
      ['receipt_salt', '"AAAA"', 'input'], ['attestation', `"${'0'.repeat(64)}"`, 'document'],
      ['attestation', undefined, 'document']]) {
      refused(check, null, job(key, { response: { [name]: value } }));
    }
  });

  test('a failed job has no output and its own code', () => {
    refused('output', /cannot have an output/, job(key, { error: 'timeout', response: { output: '{}' } }));
    refused('output', null, job(key, { error: 'timeout', response: { encrypted_output: '"AAAA"' } }));
    refused('output', null, job(key, { error: 'timeout', response: { output_hash: `"${'0'.repeat(64)}"` } }));
    refused('job', /error_code/, job(key, { error: 'timeout', response: { error_code: '"cancelled"' } }));
    refused('job', /error_code/, job(key, { error: 'timeout', response: { error_code: undefined } }));
    refused('job', /status/, job(key, { error: 'timeout', response: { status: '"completed"' } }));
  });

  test('a response that says things twice, or in disguise', () => {
    const begin = (text) => `{${text},${made.text.slice(1)}`;
    refused('signature', /twice/, made, { response: begin('"output":{"sum":6}') });
    refused('signature', /twice/, made, { response: `${made.text.slice(0, -1)},"output":{"sum":6}}` });
    refused('signature', /escaped/, made, { response: begin('"outp\\u0075t":{"sum":6}') });
    refused('signature', /not a JSON object/, made, { response: `[${made.text}]` });
    refused('signature', /not a JSON object/, made, { response: `${made.text}{}` });
    refused('signature', /not a JSON object/, made, { response: '' });
    refused('signature', /not a JSON object/, made, { response: Buffer.from([0xef, 0xbb, 0xbf, ...Buffer.from(made.text)]) });
    // A member of an inner object is no member of the response.
    verified(made, { response: begin('"error_details":{"output":1,"receipt":"}\\"{"}') });
    // Readers that do not mind the case, or fold letters, would take these for ours; and no service sends others.
    for (const name of ['Output', 'OUTPUT', 'ſtatus', 'logſ', 'usage2', 'result', '', 'output ', 'outpu', '__proto__'])
      refused('signature', /does not send/, made, { response: begin(`${json(name)}:{"sum":6}`) });
  });

  test('a count that is there twice, in disguise, or written in another way', () => {
    const usage = (text) => job(key, { response: { usage: text } });
    verified(usage('{"steps":777}'));
    verified(usage('{ "cpu_us" : 1 , "steps" : 777 }'));
    for (const text of ['{"steps":777,"steps":9}', '{"steps":9,"steps":777}', '{"steps":777,"Steps":9}', '{"steps":777,"st\\u0065ps":9}',
      '{"steps":777,"more":1}', '{"steps":7.77e2}', '{"steps":777.0}', '{"steps":"777"}', '{"steps":+777}', '[777]', '{"usage":{"steps":777}}'])
      refused(text.includes('+') ? 'signature' : 'job', null, usage(text));
    for (const text of ['450.0', '4.5e2', '45e1', '0450', '-450', 'true']) {
      const { status, stdout } = cli(given(job(key, { response: { gas_used: text } })));
      assert.equal(status, 1, text);
      assert.match(stdout, /NOT VERIFIED/);
    }
  });

  test('a secret whose name is made to look like two', () => {
    const secrets = [{ name: 'a', version: 1 }, { name: 'b', version: 2 }];
    verified(job(key, { secrets }));
    for (const other of [[{ name: 'a@1\nb', version: 2 }], [{ ...secrets[0], more: 1 }, secrets[1]], [{ ...secrets[0], Name: 'c' }, secrets[1]]])
      refused('secrets', null, job(key, { secrets, response: { secrets: json(other) } }));
    refused('secrets', null, job(key, { secrets, response: { secrets: '[{"name":"a","version":1,"version":1},{"name":"b","version":2}]' } }));
    refused('secrets', null, job(key, { secrets, response: { secrets: '[{"name":"a","version":1.0},{"name":"b","version":2}]' } }));
  });

  test('another script, input, user', () => {
    refused('script', /another script/, made, { script: `${made.script}\n` });
    refused('input', null, made, { input: '{"a":2,"b":3}' });
    refused('input', null, made, { input: '' });
  });

  test('another key', () => {
    refused('signature', null, job(stranger, { doc: document(key) }), {});
    // The stranger's receipt under our key's name, and the stranger's document instead of ours.
    refused('signature', null, job(stranger, { doc: document(key), header: { kid: key.kid } }));
    refused('signature', null, made, { reply: json(attestation(document(stranger))) });
    // Evidence of one document around another.
    const mixed = { ...attestation(document(key)), document: b64(document(stranger)) };
    refused('attestation', null, job(stranger), { reply: json(mixed) });
    refused('attestation', /another document/, job(stranger), {
      reply: json({ ...attestation(document(stranger)), evidence: attestation(document(key)).evidence }),
    });
  });

  test('forms of a JWS that this is not', () => {
    for (const header of [{ alg: 'none' }, { alg: 'HS256' }, { alg: 'ES384' }, { typ: 'JWT' }, { kid: stranger.kid },
      { jwk: key.jwk }, { crit: ['exp'] }, { alg: undefined }]) {
      refused('signature', null, job(key, { header }));
    }
    for (const claims of [{ x: 1 }, { v: 2 }, { dur_us: 1.5 }, { seq: '1' }, { code: 'timeout' }, { status: 'failed' }, { nonce: '' },
      { nonce: 'n'.repeat(51) }, { entry: 'a"b' }, { tee: '' }, { gas: 10_000_000 }, { sub: 'short' }]) {
      refused('signature', null, job(key, { claims }));
    }
    refused('signature', null, job(key, { options: { high: true } }));
  });

  test('a receipt of another job, cut, or without its signature', () => {
    const other = JSON.parse(job(key, { claims: { job: '0192f0c1-2a3b-7c4d-8e5f-ffffffffffff' } }).text).receipt;
    refused('job', /job_id/, job(key, { response: { receipt: json(other) } }));
    const { receipt } = JSON.parse(made.text);
    const [header, payload, signature] = receipt.split('.');
    for (const text of [receipt.slice(0, -1), receipt.slice(1), `${header}.${payload}.`, `${header}.${payload}`, `${receipt}.`,
      `${receipt}=`, `${header}..${signature}`, `.${payload}.${signature}`, '..', ' '.repeat(2000)]) {
      refused('signature', null, job(key, { response: { receipt: json(text) } }));
    }
  });
});

describe('attestation', () => {
  const made = job(key);
  test('replies that are none', () => {
    for (const reply of ['', '{}', '[]', 'null', json({ ...attestation(made.doc), document_sha256: '0'.repeat(64) })]) {
      refused('attestation', null, made, { reply });
    }
  });
  test('age, by the policy and the time that was told', () => {
    const policy = (p) => ['--policy', file(json(p), 'policy.json')];
    verified(made, { more: policy({ max_age_s: 60 }) });
    refused('attestation', /too old/, made, { more: policy({ max_age_s: 59 }) });
    refused('attestation', /future/, made, { time: '2026-09-21T14:00:00Z' });
    verified(job(key, { doc: document(key, { iat: 1_000_000_000 }), claims: { iat: 1_000_000_001 } }), { time: null });
  });
  test('another kind of TEE than its evidence', () => {
    const doc = document(key, { tee: 'sgx' });
    refused('attestation', /another kind/, job(key, { doc, claims: { tee: 'sgx' } }));
  });
});

describe('policy', () => {
  const made = job(key);
  const more = (policy) => ['--policy', file(typeof policy === 'string' ? policy : json(policy), 'policy.json')];
  test('lists', () => {
    verified(made, { more: more({ engines: ['x', engine], tees: ['sim'], isolation: ['process'], max_age_s: 3600 }) });
    verified(made, { more: more({}) });
    refused('policy', /engine/, made, { more: more({ engines: ['x'] }) });
    refused('policy', /engine/, made, { more: more({ engines: [] }) });
    refused('policy', /TEE/, made, { more: more({ tees: ['sgx', 'SIM'] }) });
    refused('policy', /isolation/, made, { more: more({ isolation: ['process-landlock'] }) });
    refused('document', /isolation/, job(key, { header: { iso: 'process-landlock' } }), { more: more({ isolation: ['process'] }) });
    refused('attestation', /simulated/, made, { simulated: false, more: more({ tees: ['sim'] }) });
  });
  test('policies that are none', () => {
    for (const policy of ['', '[]', 'null', '{"engine":["x"]}', '{"engines":"x"}', '{"engines":[1]}', '{"max_age_s":"1"}',
      '{"max_age_s":0}', '{"max_age_s":-1}', '{"max_age_s":1.5}', '{"tees":null}', '{"tees":[],"tees":["sim"]}']) {
      const result = cli(given(made, { more: more(policy) }));
      assert.equal(result.status, 2, policy);
      assert.match(result.stderr, /policy\.json: /);
      assert.equal(result.stdout, '');
    }
  });
});

describe('--json', () => {
  test('verified', () => {
    const made = job(key, { nonce: 'n' });
    const { status, stdout } = cli(given(made, { more: ['--json', '--skip', 'script'] }));
    const report = JSON.parse(stdout);
    assert.equal(status, 0);
    assert.equal(report.verdict, 'verified');
    assert.equal(report.reason, null);
    assert.equal(report.simulated, true);
    assert.equal(report.checks.length, 15);
    assert.equal(report.checks.find(({ check }) => check === 'script').result, 'waived');
    assert.equal(report.checks.find(({ check }) => check === 'user').result, 'not_asked');
    assert.deepEqual(report.receipt.payload, made.payload);
    assert.equal(report.receipt.header.kid, key.kid);
  });
  test('not verified', () => {
    const { status, stdout } = cli(given(job(key), { script: 'other', more: ['--json'] }));
    const report = JSON.parse(stdout);
    assert.equal(status, 1);
    assert.deepEqual([report.verdict, report.reason], ['not_verified', 'another script ran']);
    assert.equal(report.checks.find(({ check }) => check === 'script').result, 'failed');
  });
  test('no receipt is shown that is not genuine', () => {
    const { stdout } = cli(given(job(stranger, { doc: document(key) }), { more: ['--json'] }));
    assert.equal(JSON.parse(stdout).receipt, undefined);
    const checks = JSON.parse(stdout).checks.slice(2).map(({ result }) => result);
    assert.deepEqual(new Set(checks), new Set(['not_checked']));
  });
});

describe('usage', () => {
  const usage = (args, message) => {
    const { status, stdout, stderr } = cli(args);
    assert.deepEqual([status, stdout], [2, '']);
    assert.match(stderr, message);
  };
  test('mistakes', () => {
    const made = job(key);
    usage(['verify'], /a response is required/);
    usage(['verify', missing], /no-such-file: No such file/);
    usage(['verify', file('{}', 'a'), file('{}', 'b')], /one response, please/);
    usage(['verify', file('{}', 'a'), '--script', missing], /No such file/);
    usage(given(made, { time: 'yesterday' }), /--at yesterday: an instant/);
    for (const [option, value] of [['timeout', '0'], ['timeout', '121'], ['memory', '15'], ['memory', '1025'], ['steps', '0']]) {
      usage(given(made, { more: [`--${option}`, value] }), new RegExp(`--${option} ${value}: `));
    }
    usage(['verify', '-', '--script', '-'], /standard input can be read only once/);
  });
  test('standard input', () => {
    const made = job(key);
    const args = given(made);
    args[1] = '-';
    const result = cli(args, { stdin: made.text });
    assert.equal(result.status, 0);
  });
  test('words from files cannot move the cursor', () => {
    const doc = document(key, { eng: `\u001b[2J${engine}`, iso: '\u001b]0;x\u0007' });
    const { stdout } = cli(given(job(key, { doc, header: { eng: 'e' } }), {}));
    assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });
});
