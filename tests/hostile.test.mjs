// Hostile scripts against the real binary (NEOCOMPUTE, or build/neocompute): whatever a script does, the answer is a well-formed
// record that says what happened, in canonical JSON, and the process ends in time.
//
// Each script in hostile/ begins with a header of comments:
//   // what: why it is here
//   // options: command-line options; a JSON array if one holds a space         (default: --timeout 10)
//   // input: the input                                                         (default: none)
//   // expect: "completed", "failed CODE" or "refused CODE", or several of them: "completed|failed CODE|CODE"
//   // output: the output if completed, exactly; output-bytes: its size
//   // error: part of the error; a JSON string if it begins with a quote
//   // logs: how many entries are kept[, dropped: how many are not]
//   // log: one entry as a JSON string, the first of them first; log-bytes: the size of each
//   // bug: it fails now, and why; the test is a "todo" until it is mended
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { expectedOutcomes, optionsOf, readHeader } from './corpus.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'tests', 'hostile');
const binary = process.env.NEOCOMPUTE ? resolve(process.env.NEOCOMPUTE) : join(root, 'build', 'neocompute');
const scratch = mkdtempSync(join(tmpdir(), 'neocompute-hostile-'));
after(() => rmSync(scratch, { recursive: true }));

const SLACK_MS = 10_000; // a safety net, not a measurement
const STATUS = { completed: 0, failed: 1, refused: 2 };
const CRASH = new RegExp(['Sanitizer', 'runtime error:', 'Segmentation', 'core dumped', 'stack smashing', 'Assertion .* failed',
  'terminate called', 'double free', 'free\\(\\): ', 'malloc\\(\\): '].join('|'));

// ---- running ----

// All that a run left: exit status, signal, whether it had to be killed, both streams as bytes.
function run(args, killAfterMs) {
  return new Promise((done, fail) => {
    const child = spawn(binary, ['run', ...args, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
    const out = [], err = [];
    const result = { late: false };
    const timer = setTimeout(() => { result.late = child.kill('SIGKILL'); }, killAfterMs);
    child.stdout.on('data', (part) => out.push(part));
    child.stderr.on('data', (part) => err.push(part));
    child.on('error', fail);
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      done({ ...result, status, signal, stdout: Buffer.concat(out), stderr: Buffer.concat(err) });
    });
  });
}

const text = (bytes) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);

// The output's text as it was sent: the records' only key of that name outside of a string that "output_hash" follows.
function sentOutput(record) {
  const start = record.indexOf('"output":'), end = record.lastIndexOf(',"output_hash":"');
  return start < 0 || end < 0 ? undefined : record.slice(start + 9, end);
}

// RFC 8785, token by token and without recursion: JSON.parse has seen to the grammar.
function assertCanonical(json) {
  const token = /"(?:[^"\\]|\\.)*"|-?[0-9.eE+-]+|true|false|null|[{}[\]:,]/y, keys = [];
  for (let at = 0, key = false; at < json.length; at = token.lastIndex) {
    token.lastIndex = at;
    const [found] = token.exec(json) ?? assert.fail(`not canonical at ${at}: ${json.slice(at, at + 40)}`);
    if (found[0] === '"' || /[-0-9]/.test(found[0])) {
      assert.equal(found, JSON.stringify(JSON.parse(found)), 'a string or number is not as JSON.stringify writes it');
      assert.doesNotMatch(JSON.parse(found).toString(), /\p{Surrogate}/u);
    }
    if (key && found[0] === '"') {
      const name = JSON.parse(found), level = keys.length - 1;
      assert.ok(keys[level] === undefined || keys[level] < name, `keys out of order: ${keys[level]}, ${name}`);
      keys[level] = name;
    }
    if (found === '{' || found === '[') keys.push(found === '{' ? undefined : keys);
    if (found === '}' || found === ']') keys.pop();
    key = (found === '{' || found === ',') && keys[keys.length - 1] !== keys;
  }
}

// ---- what is true of every run ----

const option = (args, name, otherwise) => (args.includes(name) ? Number(args[args.indexOf(name) + 1]) : otherwise);

function check(result, args) {
  assert.equal(result.late, false, 'the process did not end in time');
  assert.equal(result.signal, null);
  const said = text(result.stderr), printed = text(result.stdout);
  assert.doesNotMatch(said, CRASH);
  if (printed === '') {
    const code = /\[([a-z_]+)\]/.exec(said)?.[1];
    assert.equal(result.status, STATUS.refused, said);
    return { outcome: `refused ${code}`, record: { error: said, logs: [] } };
  }
  assert.ok(printed.endsWith('}\n') && !printed.slice(0, -1).includes('\n'), 'one line');
  const record = JSON.parse(printed), { usage } = record;
  assert.ok(usage.memory_peak_bytes <= option(args, '--memory', 128) * 2 ** 20, `${usage.memory_peak_bytes} bytes of memory`);
  assert.ok(usage.steps <= option(args, '--steps', Infinity));
  assert.ok(record.logs.length <= 100 && record.logs.every((entry) => Buffer.byteLength(entry) <= 4096 + '...(truncated)'.length));
  if (record.status === 'completed') {
    const output = sentOutput(printed);
    assert.equal(record.output_hash, createHash('sha256').update(output).digest('hex'));
    assert.ok(Buffer.byteLength(output) <= 1048576 && output[0] === '{');
    assertCanonical(output);
    assert.equal(result.status, STATUS.completed);
    assert.equal(record.error_code, undefined);
    return { outcome: 'completed', record, output };
  }
  assert.equal(record.status, 'failed');
  assert.equal(record.output, undefined);
  assert.ok(record.error.length > 0 && Buffer.byteLength(record.error) <= 65536 + 100);
  const kind = result.status === STATUS.refused ? 'refused' : 'failed';
  assert.equal(result.status, STATUS[kind], said);
  return { outcome: `${kind} ${record.error_code}`, record };
}

// ---- headers: corpus.mjs ----

function checkHeader(header, { outcome, record, output }) {
  const expected = expectedOutcomes(header.expect);
  assert.ok(expected.includes(outcome), `${outcome}, not ${header.expect}: ${record.error ?? output.slice(0, 200)}`);
  if (output === undefined && header.error !== undefined) {
    const part = header.error[0] === '"' ? JSON.parse(header.error) : header.error;
    assert.ok(record.error.includes(part), `the error is: ${record.error.slice(0, 500)}`);
  }
  if (output !== undefined && header.output !== undefined) assert.equal(output, header.output);
  if (output !== undefined && header['output-bytes'] !== undefined) assert.equal(Buffer.byteLength(output), Number(header['output-bytes']));
  const [, kept, dropped] = /^(\d+)(?:, dropped: (\d+))?$/.exec(header.logs ?? '') ?? [];
  if (kept !== undefined) assert.equal(record.logs.length, Number(kept));
  if (dropped !== undefined) assert.equal(record.usage.log_entries_dropped, Number(dropped));
  assert.deepEqual(record.logs.slice(0, header.log.length), header.log.map((entry) => JSON.parse(entry)));
  if (header['log-bytes'] !== undefined) assert.equal(record.logs.map((entry) => Buffer.byteLength(entry)).join(' '), header['log-bytes']);
}

async function runScript(file, header) {
  const args = optionsOf(header);
  checkHeader(header, check(await run([file, ...args], option(args, '--timeout') * 1000 + SLACK_MS), args));
}

// ---- the corpus ----

const names = readdirSync(folder).filter((name) => name.endsWith('.js')).sort();

test('the corpus has all its kinds', () => {
  assert.ok(names.length >= 60);
  const kinds = 'loop native swallow steps alloc stack out log err tamper world async module entry lang'.split(' ');
  for (const kind of kinds) assert.ok(names.some((name) => name.startsWith(`${kind}-`)), kind);
});

describe('hostile scripts', { concurrency: 2 }, () => {
  for (const name of names) {
    const header = readHeader(readFileSync(join(folder, name), 'utf8'));
    test(name, { todo: header.bug ?? false }, () => {
      assert.ok(header.what && header.expect, 'a header says what is expected, and why');
      return runScript(join(folder, name), header);
    });
  }
});

// ---- scripts and inputs that are no text, or too long to keep ----

const MAIN = 'function main(input) { return { ok: true }; }';
const OK = { expect: 'completed', output: '{"ok":true}' };
const bytes = (...parts) => Buffer.concat(parts.map((part) => Buffer.from(part)));
const padded = (size) => `${MAIN}//${'x'.repeat(size - MAIN.length - 2)}`;
const nested = (open, close, n) => `${MAIN}x=${open.repeat(n)}1${close.repeat(n)}`;
const invalid = ['80', 'c3', 'c328', 'c0af', 'e08080', 'eda080', 'f0808080', 'f4908080', 'ff', 'feff'];

const scripts = {
  'empty': ['', { expect: 'refused script_required' }],
  'one space': [' ', { expect: 'failed entry_not_found' }],
  '102,400 bytes': [padded(102400), OK],
  '102,401 bytes': [padded(102401), { expect: 'refused script_too_large' }],
  '200,000 bytes': [padded(200000), { expect: 'refused script_too_large' }],
  'bytes count, not characters': [`${MAIN}//${'é'.repeat(51200)}`, { expect: 'refused script_too_large' }],
  'NUL in a string, a comment, a template, a pattern': [
    'function main() { /*\0*/ return { "\0": "\0", t: `\0`, r: /\0/.source.length }; } //\0',
    { expect: 'completed', output: '{"\\u0000":"\\u0000","r":1,"t":"\\u0000"}' }],
  'NUL between tokens': [`${MAIN}\0`, { expect: 'failed syntax_error' }],
  'NUL alone': ['\0', { expect: 'failed syntax_error' }],
  'NUL hides nothing': [
    'function main() { return { n: 1 }; }\n//\0\nfunction main() { return { n: 2 }; }', { expect: 'completed', output: '{"n":2}' }],
  'byte order mark': [`\ufeff${MAIN}`, OK],
  'line separators': [`//\u2028${MAIN}\u2029//\r`, OK],
  'hashbang': [`#!/bin/sh\n${MAIN}`, OK],
  'brackets as deep as they go': [nested('(', ')', 50000), { expect: 'failed syntax_error|script_error' }],
  'arrays as deep as they go': [nested('[', ']', 50000), { expect: 'failed syntax_error|script_error' }],
  'functions as deep as they go': [nested('()=>', '', 25000), { expect: 'failed syntax_error|script_error' }],
  'templates as deep as they go': [nested('`${', '}`', 20000), { expect: 'failed syntax_error|script_error' }],
  'classes as deep as they go': [nested('class A{static x=', '}', 5600), { expect: 'failed syntax_error|script_error|out_of_memory' }],
  'a module as deep as it goes': [`export default 1;${'['.repeat(100000)}`, { expect: 'failed syntax_error|script_error' }],
  'only opening brackets': ['('.repeat(102400), { expect: 'failed syntax_error|script_error' }],
  'as many variables as fit': [
    `${MAIN}let ${Array.from({ length: 15000 }, (_, i) => `a${i}`)}`, { ...OK, expect: 'completed|failed timeout', options: '--timeout 3' }],
};
for (const each of invalid) {
  const part = Buffer.from(each, 'hex');
  scripts[`not UTF-8: ${each}`] = [bytes(MAIN, '//', part, '\n'), { expect: 'refused script_invalid' }];
  scripts[`not UTF-8 at its end: ${each}`] = [bytes(MAIN, '//', part), { expect: 'refused script_invalid' }];
}

const INPUT = 'function main(input) { return { type: typeof input, text: JSON.stringify(input).slice(0, 40) }; }';
const type = (kind, shown) => ({ expect: 'completed', output: `{"text":${JSON.stringify(shown)},"type":"${kind}"}` });
const inputs = {
  '1,048,576 bytes': [`"${'x'.repeat(1048574)}"`, type('string', `"${'x'.repeat(39)}`)],
  '1,048,577 bytes': [`"${'x'.repeat(1048575)}"`, { expect: 'refused input_too_large' }],
  'nothing': ['', type('object', '{}')],
  'spaces': [' \n', { expect: 'refused input_invalid' }],
  'two values': ['1 2', { expect: 'refused input_invalid' }],
  'no JSON': ['{a:1}', { expect: 'refused input_invalid' }],
  'NaN': ['NaN', { expect: 'refused input_invalid' }],
  'a NUL behind it': ['{}\0', { expect: 'refused input_invalid' }],
  'a byte order mark': ['\ufeff{}', { expect: 'refused input_invalid' }],
  'not UTF-8': [bytes('"', [0xff], '"'), { expect: 'refused input_invalid' }],
  'a raw line end in a string': ['"\n"', { expect: 'refused input_invalid' }],
  'half of a pair, escaped': ['"\\ud800"', type('string', '"\\ud800"')],
  'a key twice': ['{"a":1,"a":2}', type('object', '{"a":2}')],
  'more than a number holds': ['1e999', type('number', 'null')],
  '100,000 levels': [`${'['.repeat(100000)}${']'.repeat(100000)}`, { expect: 'refused input_invalid' }],
};

describe('scripts that are generated', { concurrency: 2 }, () => {
  Object.entries(scripts).forEach(([name, [source, header]], i) => test(name, () => {
    const file = join(scratch, `script${i}.js`);
    writeFileSync(file, source);
    return runScript(file, { log: [], ...header });
  }));
});

describe('inputs', { concurrency: 2 }, () => {
  const script = join(scratch, 'input.js');
  writeFileSync(script, INPUT);
  Object.entries(inputs).forEach(([name, [input, header]], i) => test(name, () => {
    const file = join(scratch, `input${i}.json`);
    writeFileSync(file, input);
    return runScript(script, { log: [], ...header, options: `--input ${file}` });
  }));
});
