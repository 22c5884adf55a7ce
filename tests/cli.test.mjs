// `neocompute run` and `neocompute check` from outside: options, exit statuses, output, logs, record, limits, determinism.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, openSync, closeSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { binary, cli, file, missing, output, record, root, run, start } from './lib.mjs';

const one = 'function main() { return 1 }';
const echo = 'function main(input, secrets) { return { input, secrets } }';
const sha256 = (data) => createHash('sha256').update(data).digest('hex');
// A test of what ought to be and is not yet.
const fault = (name, body) => test(name, { todo: true }, body);

// The program under sh, whose command line ends with redirections.
const redirected = (redirections, args) => start('/bin/sh', ['-c', `exec "$0" "$@" ${redirections}`, binary, ...args]);

function expect(result, status, stdout, stderr) {
  assert.equal(result.status, status, result.stderr);
  if (stdout instanceof RegExp) assert.match(result.stdout, stdout);
  else assert.equal(result.stdout, stdout);
  if (stderr instanceof RegExp) assert.match(result.stderr, stderr);
  else assert.equal(result.stderr, stderr);
}

/* ---- help ---- */

const help = (...words) => cli([...words, '--help']).stdout;
const verbs = [...help().matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map((match) => match[1]);
const optionsOf = (verb) => [...help(verb).matchAll(/^ {2}--([a-z-]+)(?: (\S+))?/gm)].map(([, name, value]) =>
  ({ name, value }));

describe('help', () => {
  test('--help, -h and help name the verbs', () => {
    assert.ok(verbs.includes('run') && verbs.includes('check'));
    for (const word of ['--help', '-h', 'help']) expect(cli([word]), 0, help(), '');
    expect(cli([]), 2, '', help());
  });

  test('--version', () => expect(cli(['--version']), 0, /^neocompute \d+\.\d+\.\d+\n$/, ''));

  test('every help text fits in 80 columns', () => {
    const wide = [help(), ...verbs.map((verb) => help(verb))].flatMap((text) => text.split('\n')).filter((line) =>
      [...line].length > 80);
    assert.deepEqual(wide, []);
  });

  test('--help wins wherever it stands', () => {
    for (const verb of verbs) {
      expect(cli([verb, '-h']), 0, help(verb), '');
      assert.match(help(verb), new RegExp(`^usage: neocompute ${verb} `));
    }
    expect(cli(['run', missing, '--help', '--nonsense']), 0, help('run'), '');
  });

  test('every verb and option is in the manual', () => {
    const manual = readFileSync(join(root, 'docs', 'neocompute.1.md'), 'utf8');
    for (const verb of verbs) {
      const [, section] = manual.split(new RegExp(`^### neocompute ${verb}\\b`, 'm'));
      assert.ok(section, `the manual has no section for ${verb}`);
      const text = section.split(/^##/m)[0];
      for (const { name, value } of optionsOf(verb)) {
        assert.match(text, new RegExp(`^- \`--${name}\`${value ? ' ' : '\\\\'}`, 'm'),
          `${verb} --${name} is not in the manual`);
      }
    }
  });

  test('an unknown verb or option', () => {
    expect(cli(['dance']), 2, '', "neocompute: unknown verb 'dance' (neocompute --help lists them)\n");
    expect(cli(['--dance']), 2, '', "neocompute: unknown verb '--dance' (neocompute --help lists them)\n");
    expect(cli(['run', '--dance', file(one)]), 2, '',
      'neocompute run: unknown option --dance (neocompute run --help lists them)\n');
    expect(cli(['run', '-x', file(one)]), 2, '', 'neocompute run: unknown option -x (neocompute run --help lists them)\n');
    expect(cli(['run', '--time out', file(one)]), 2, '', /unknown option --time out /);
    for (const { name } of optionsOf('run').filter(({ name }) => name !== 'json')) {
      expect(cli(['check', `--${name}`, file(one)]), 2, '', /^neocompute check: unknown option /);
    }
  });
});

describe('the manual', () => {
  const page = file('', 'neocompute.1');
  test('tools/man.mjs makes a page of it', () => {
    expect(start(process.execPath, [join(root, 'tools', 'man.mjs'), join(root, 'docs', 'neocompute.1.md'), page]), 0, '',
      '');
    assert.match(readFileSync(page, 'utf8'), /^\.TH NEOCOMPUTE 1 /m);
    assert.match(readFileSync(page, 'utf8'), /^[\x20-\x7e\n]*$/); // any troff reads it, whatever encoding it expects
  });

  const groff = start('/bin/sh', ['-c', 'command -v groff']).status === 0;
  test('groff has nothing to complain of', { skip: !groff && 'groff is not installed' }, () => {
    const { status, stdout, stderr } = start('groff', ['-man', '-Tutf8', '-ww', '-P-c', '-rLL=80n', page]);
    assert.deepEqual([status, stderr], [0, '']);
    const plain = stdout.replace(/.\x08/g, '');
    for (const word of ['NAME', 'SYNOPSIS', '--deterministic', 'NEOCOMPUTE_WORKER', 'EXIT STATUS'])
      assert.ok(plain.includes(word), word);
    assert.deepEqual(plain.split('\n').filter((line) => [...line].length > 80), []);
  });
});

/* ---- options ---- */

describe('options of run', () => {
  const script = file(one, 'one.js');
  const works = (...args) => expect(cli(['run', script, ...args]), 0, '{"result":1}\n', '');
  const fails = (message, ...args) => expect(cli(['run', script, ...args]), 2, '', message);

  test('values that are taken', () => {
    const good = { timeout: ['0.5', '1', '30.25', '120', '120.000', '007'], memory: ['16', '1024', '64'],
      steps: ['100000', '9223372036854775807'],
      entry: ['main'], input: ['{}', '[]', '"x"', '0', ' 1 ', 'null'] };
    for (const [name, values] of Object.entries(good)) for (const value of values) works(`--${name}`, value);
  });

  test('values that are refused', () => {
    const bad = { timeout: ['0', '0.0009', '120.001', '-1', '1e3', '1.', '.5', '', ' 1', '1s', '1.0000'],
      memory: ['15', '1025', '-1', '16.5', '', '64M'],
      steps: ['0', '-1', '1.5', '', '9223372036854775808', '99999999999999999999'],
      repeat: ['0', '-1', '', '100000001', '2x'] };
    for (const [name, values] of Object.entries(bad)) {
      for (const value of values) fails(new RegExp(`^neocompute run: --${name} ${value}: .+ .+\n$`), `--${name}`, value);
    }
    for (const value of ['2026-01-31', '2026-02-30T00:00:00Z', '1969-12-31T23:59:59Z', '2026-01-31T12:00:00', 'now', '']) {
      fails(/^neocompute run: --time .*: an instant such as 2026-01-31T12:00:00Z\n$/, '--deterministic', '--time', value);
    }
    for (const value of ['', 'x'.repeat(129)])
      fails('neocompute run: entry point is not a valid name [entry_invalid]\n', '--entry', value);
  });

  test('--name=value, the last of several, options before and after the script', () => {
    works('--timeout=1', '--memory=16', '--steps=100000', '--entry=main', '--input={"a":"b=c"}', '--secret=A=b=c');
    works('--memory', '1024', '--memory', '16');
    expect(cli(['run', '--timeout', '1', script, '--memory', '16']), 0, '{"result":1}\n', '');
    expect(cli(['run', '--timeout', '1', '--', script]), 0, '{"result":1}\n', '');
    expect(cli(['run', '--', '--timeout']), 2, '', 'neocompute run: --timeout: No such file or directory\n');
  });

  test('a value that is missing or too much', () => {
    for (const { name, value } of optionsOf('run')) {
      if (value) fails(`neocompute run: --${name} needs a value: ${value}\n`, `--${name}`);
      else fails(`neocompute run: --${name} takes no value\n`, `--${name}=1`);
    }
  });

  test('no script, two scripts, a script that cannot be read', () => {
    expect(cli(['run']), 2, '', /^neocompute run: script required/);
    expect(cli(['check']), 2, '', /^neocompute check: script required/);
    fails(/^neocompute run: one script, please/, script);
    expect(cli(['run', missing]), 2, '', `neocompute run: ${missing}: No such file or directory\n`);
    expect(cli(['run', dirname(script)]), 2, '', /Is a directory/);
    expect(run(''), 2, '', 'neocompute run: script required [script_required]\n');
  });

  test('--time and --seed need --deterministic', () => {
    for (const args of [['--time', '2026-01-31T12:00:00Z'], ['--seed', 'x']])
      fails('neocompute run: --time and --seed go with --deterministic\n', ...args);
  });

  test('a script from standard input', () => {
    expect(cli(['run', '-'], { stdin: one }), 0, '{"result":1}\n', '');
    expect(cli(['run', '-'], { stdin: '\n null.x' }), 1, '', /^ {4}at .*\(script\.js:2:/m);
  });

  test('--entry', () => {
    const script = 'function run(i) { return i } const lambda = () => "l"; let later; later = async () => "a"; var n = 5';
    assert.deepEqual(output(script, ['--entry', 'run', '--input', '7']), { result: 7 });
    assert.deepEqual(output(script, ['--entry', 'lambda']), { result: 'l' });
    assert.deepEqual(output(script, ['--entry', 'later']), { result: 'a' });
    for (const name of ['main', 'n', 'run()', 'run.call', 'x y', "'", 'if', 'this']) {
      expect(run(script, ['--entry', name]), 1, '',
        `neocompute run: entry point '${name}' is not a function [entry_not_found]\n`);
    }
  });

  test('check', () => {
    expect(cli(['check', script]), 0, '', '');
    expect(cli(['check', '-'], { stdin: 'export default () => { throw 1 }; for (;;);' }), 0, '', '');
    expect(cli(['check', file('let a = 1;\nlet b = ;', 'broken.js')]), 1, '',
      /^neocompute check: script error: SyntaxError: .* \[syntax_error\]\n {4}at broken\.js:2:9\n$/);
    const good = JSON.parse(cli(['check', '--json', script]).stdout);
    assert.deepEqual([good.status, 'output' in good, good.logs], ['completed', false, []]);
    const bad = JSON.parse(cli(['check', '--json', file('let a = 1;\nlet b = ;', 'broken.js')]).stdout);
    assert.deepEqual([bad.status, bad.error_code, bad.line, bad.column], ['failed', 'syntax_error', 2, 9]);
  });
});

describe('--input', () => {
  const input = (args, options) => output(echo, args, options).input;

  test('JSON, a file, standard input, nothing', () => {
    const text = '{"z":1,"a":[true,null,-0.5e1,"\\u00e9\\ud83d\\ude00"]}';
    for (const args of [['--input', text], ['--input', file(text, 'input.json')]])
      assert.deepEqual(input(args), JSON.parse(text));
    assert.deepEqual(input(['--input', '-'], { stdin: text }), JSON.parse(text));
    assert.deepEqual(input([]), {});
    assert.deepEqual(input(['--input', file('', 'empty')]), {});
    for (const value of ['-5', '"s"', 'true', 'null', '[]', ' {} ', '\n1'])
      assert.deepEqual(input(['--input', value]), JSON.parse(value));
  });

  test('what names a file is a file', () => {
    file('"from the file"', '5');
    assert.equal(cli(['run', file(echo), '--input', '5'], { cwd: dirname(missing) }).stdout,
      '{"input":"from the file","secrets":{}}\n');
  });

  test('no JSON, no file', () => {
    for (const bad of ['{bad', '[1,]', "{'a':1}", '"\n"', '{"a":1}x']) {
      expect(run(one, ['--input', bad]), 2, '', 'neocompute run: input is not one valid JSON value [input_invalid]\n');
    }
    for (const bytes of [Buffer.from([0x22, 0xff, 0x22]), '\ufeff{}'])
      expect(run(one, ['--input', file(bytes, 'bad.json')]), 2, '', /\[input_invalid\]/);
    for (const name of [missing, './x.json', '', '01', '1 2', 'nul'])
      expect(run(one, ['--input', name]), 2, '', `neocompute run: ${name}: No such file or directory\n`);
  });

  test('a missing file whose name begins like JSON is called missing', () => {
    for (const name of ['fixture.json', 'tests/x.json', '1.json'])
      expect(run(one, ['--input', name]), 2, '', `neocompute run: ${name}: No such file or directory\n`);
  });

  test('the script sees the keys in the order they were sent, twelve times out of twelve', () => {
    const keys = Array.from({ length: 40 }, (_, i) => `k${(i * 17) % 40}`);
    const args = ['--input', JSON.stringify(Object.fromEntries(keys.map((key, i) => [key, i])))];
    const outputs = Array.from({ length: 12 }, () => run('const main = (i) => Object.keys(i)', args).stdout);
    assert.deepEqual([...new Set(outputs)], [`${JSON.stringify({ result: keys })}\n`]);
    assert.deepEqual(output('const main = (i) => JSON.stringify(i)',
      ['--input', '{"b":{"z":1,"a":2},"a":0,"b2":[{"y":1,"x":2}]}']).result,
      '{"b":{"z":1,"a":2},"a":0,"b2":[{"y":1,"x":2}]}');
  });

  test('the deepest input, and one level more', () => {
    const nested = (depth) => file('['.repeat(depth) + ']'.repeat(depth), 'deep.json');
    assert.deepEqual(output('const main = (i) => i.length', ['--input', nested(10000)]), { result: 1 });
    expect(run(one, ['--input', nested(10001)]), 2, '', /\[input_invalid\]/);
  });
});

/* ---- secrets ---- */

describe('--secret', () => {
  const canary = 'canary-7f3a9c';
  const secrets = (...args) => output(echo, args.flatMap((secret) => ['--secret', secret])).secrets;

  test('a value, a file, standard input', () => {
    assert.deepEqual(secrets('A=1', 'B=', 'C=x=y', 'D=@' + file('line\n', 'secret'), 'ü=é😀'),
      { A: '1', B: '', C: 'x=y', D: 'line\n', ü: 'é😀' });
    assert.deepEqual(output(echo, ['--secret', 'A=@-'], { stdin: 'piped' }).secrets, { A: 'piped' });
    assert.deepEqual(secrets('__proto__=x', 'constructor=y'), JSON.parse('{"__proto__":"x","constructor":"y"}'));
  });

  test('ten, and eleven', () => {
    const names = Array.from({ length: 11 }, (_, i) => `S${i}=${canary}`);
    assert.equal(Object.keys(secrets(...names.slice(0, 10))).length, 10);
    expect(run(echo, names.flatMap((secret) => ['--secret', secret])), 2, '',
      'neocompute run: too many secret references (max 10)\n');
  });

  test('65,536 bytes, and one more', () => {
    assert.equal(secrets('A=@' + file('x'.repeat(65536), 'big')).A.length, 65536);
    for (const value of [`@${file('x'.repeat(65537), 'big')}`, 'x'.repeat(65537)])
      expect(run(echo, ['--secret', `A=${value}`]), 2, '', /65536 bytes/);
  });

  test('no name, no value, no file, no text', () => {
    for (const bad of [canary, `=${canary}`, ''])
      expect(run(one, ['--secret', bad]), 2, '', 'neocompute run: --secret takes NAME=VALUE or NAME=@FILE\n');
    expect(run(one, ['--secret', `A=@${missing}`]), 2, '', `neocompute run: ${missing}: No such file or directory\n`);
    expect(run(one, ['--secret', `A=@${file(Buffer.from(`${canary}\xff`, 'latin1'), 'bad')}`]), 2, '',
      /^neocompute run: secret A: its value must be UTF-8/);
  });

  test('a value is in no message and no record, whatever fails', () => {
    const scripts = [one, 'throw new Error("top")', 'function main(i, s) { throw new Error("x") }',
      'function main() { for (;;); }', 'syntax error', '',
      'function main(i, s) { console.log("read", s.A.length, Object.keys(s)); return s.A.length + s.B.length }',
      'const other = 1', 'function main() { return 1n }',
      'function main(i, s) { const all = []; for (;;) all.push(s.A + all.length) }',
      'function main(i, s) { s.A.missing.thing }'];
    const args = ['--secret', `A=${canary}`, '--secret', `B=@${file(canary, 'canary')}`, '--timeout', '0.3',
      '--memory', '16'];
    for (const script of scripts) {
      for (const extra of [[], ['--json'], ['--steps', '3000']]) {
        const { stdout, stderr } = run(script, [...args, ...extra]);
        assert.ok(!(stdout + stderr).includes(canary), script);
      }
    }
    for (const bad of [['--timeout', 'x'], ['--secret', canary], ['--nonsense'], ['--input', '{']]) {
      const { status, stderr } = run(one, [...args, ...bad]);
      assert.deepEqual([status, stderr.includes(canary)], [2, false]);
    }
  });

  test('nor is one behind a misspelt option', () => {
    const { status, stderr } = run(one, [`--secrett=A=${canary}`]);
    assert.deepEqual([status, stderr.includes(canary)], [2, false]);
  });
});

/* ---- faults of the service ---- */

describe('exit status 3', () => {
  test('the worker is missing, is another program, is no program', () => {
    for (const worker of [missing, '/bin/true', '/bin/cat', file('text', 'text'), '/tmp']) {
      expect(run(one, [], { env: { NEOCOMPUTE_WORKER: worker } }), 3, '',
        /^neocompute run: .*: .* \[(io|sandbox_refused|engine_start|worker_lied)\]\n$/);
    }
    expect(run(one, [], { env: { NEOCOMPUTE_WORKER: join(dirname(binary), 'neocompute-worker') } }), 0,
      '{"result":1}\n', '');
  });

  test('the output cannot be written', () => {
    const full = openSync('/dev/full', 'w');
    for (const json of [[], ['--json']]) {
      const args = ['run', file(one), ...json];
      const { status, stderr } = cli(args, { stdio: ['ignore', full, 'pipe'] });
      assert.deepEqual([status, stderr], [3, 'neocompute run: cannot write the output: No space left on device\n']);
      expect(redirected('>&-', args), 3, '', 'neocompute run: cannot write the output: Bad file descriptor\n');
    }
    closeSync(full);
  });

  test('nothing to write is no fault; neither is a standard error or input that is closed', () => {
    expect(redirected('>&-', ['check', file(one)]), 0, '', '');
    const script = file('function main() { console.log("x"); return 1 }');
    expect(redirected('2>&-', ['run', script]), 0, '{"result":1}\n', '');
    expect(redirected('<&-', ['run', script]), 0, '{"result":1}\n', 'x\n');
    expect(redirected('<&- 2>&-', ['run', script]), 0, '{"result":1}\n', '');
  });

  test('the output cannot be written and standard input is closed, too', () => {
    expect(redirected('<&- >&-', ['run', file(one)]), 3, '', /cannot write the output/);
  });

  test('help and version cannot be written', () => {
    for (const args of [['--help'], ['--version'], ['run', '--help']])
      assert.equal(redirected('>/dev/full', args).status, 3);
  });
});

/* ---- logs ---- */

describe('logs', () => {
  test('go to standard error only, each level, and never into the output', () => {
    const script = `function main() {
      console.log('l', { a: 1 }); console.info('i'); console.warn('w %d', 5); console.error('e'); console.debug('d');
      console.log();
      return { logs: 'mine', _logs: null };
    }`;
    const lines = ['l { a: 1 }', 'i', 'w 5', 'e', 'd', ''];
    expect(run(script), 0, '{"_logs":null,"logs":"mine"}\n', lines.map((line) => `${line}\n`).join(''));
    const { logs, output, output_hash, stderr } = record(script);
    assert.deepEqual([logs, output, stderr], [lines, { logs: 'mine', _logs: null },
      lines.map((line) => `${line}\n`).join('')]);
    assert.equal(output_hash, sha256('{"_logs":null,"logs":"mine"}'));
  });

  test('logs of a script that fails are kept', () => {
    const { logs, error } = record('console.log("top"); function main() { console.log("main"); throw new Error("x") }');
    assert.deepEqual([logs, error], [['top', 'main'], 'execution error: Error: x']);
  });

  test('come out while the script still runs', async () => {
    const script = file('function main() { console.log("before the loop"); for (;;); }', 'loop.js');
    const child = spawn(binary, ['run', script, '--timeout', '100'], { stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = new Promise((resolve) => child.once('close', resolve));
    const line = await new Promise((resolve) => child.stderr.once('data', resolve));
    assert.equal(String(line), 'before the loop\n');
    assert.deepEqual([child.exitCode, child.signalCode], [null, null]);
    child.kill('SIGKILL');
    await ended; // its standard error is closed: the worker, which inherits nothing of it, cannot keep it open
  });

  test('one hundred entries are kept, the others counted', () => {
    for (const [entries, dropped] of [[100, 0], [101, 1], [250, 150]]) {
      const { logs, usage, stderr } = record(`function main() { for (let i = 0; i < ${entries}; i++) console.log(i) }`);
      assert.deepEqual([logs.length, logs[99], usage.log_entries_dropped, stderr.split('\n').length],
        [100, '99', dropped, 101]);
    }
  });

  test('an entry of 4,096 bytes is whole, a longer one is cut between two characters', () => {
    const logged = (expression) => record(`function main() { console.log(${expression}) }`).logs[0];
    assert.equal(logged('"x".repeat(4096)'), 'x'.repeat(4096));
    assert.equal(logged('"x".repeat(4097)'), `${'x'.repeat(4096)}...(truncated)`);
    assert.equal(logged('"x" + "é".repeat(3000)'), `x${'é'.repeat(2047)}...(truncated)`);
    assert.equal(logged('"a😀".repeat(1000)'), `${'a😀'.repeat(819)}a...(truncated)`);
    assert.equal(logged('"\\ud800"'), '\ufffd');
  });
});

/* ---- the record ---- */

const GO_UNITS = { ns: 1, 'µs': 1e3, ms: 1e6, s: 1e9 };

describe('the record', () => {
  const shape = { job_id: 'string', status: 'string', logs: 'object', gas_used: 'number', started_at: 'string',
    duration: 'string', usage: 'object',
    engine: 'string', isolation: 'object' };
  const shapes = {
    completed: { ...shape, output: 'object', output_hash: 'string' },
    failed: { ...shape, error: 'string', error_code: 'string', stack: 'string', line: 'number', column: 'number' },
  };
  const typesOf = (object) => Object.fromEntries(Object.entries(object).map(([key, value]) => [key, typeof value]));

  test('keys and types', () => {
    for (const [status, script] of [['completed', one], ['failed', 'function main() { throw new Error("x") }']]) {
      const parsed = JSON.parse(run(script, ['--json']).stdout);
      assert.deepEqual(typesOf(parsed), shapes[status]);
      assert.equal(parsed.status, status);
      assert.deepEqual(typesOf(parsed.usage), { steps: 'number', cpu_us: 'number', wall_us: 'number',
        memory_peak_bytes: 'number', log_entries_dropped: 'number' });
      for (const value of Object.values(parsed.usage)) assert.ok(Number.isSafeInteger(value) && value >= 0);
      assert.ok(Array.isArray(parsed.logs));
      assert.deepEqual(Object.keys(parsed.isolation), ['profile', 'held', 'refused']);
      assert.match(parsed.engine, /^[0-9a-f]{64}$/);
      assert.match(parsed.job_id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  });

  test('isolation: a fence is held or refused, and the required ones are held', () => {
    const { profile, held, refused } = record(one).isolation;
    assert.equal(profile, 'process');
    assert.equal(new Set([...held, ...refused]).size, held.length + refused.length);
    for (const fence of ['seccomp', 'no_new_privs']) assert.ok(held.includes(fence), fence);
  });

  test('every run has its own job_id, all have one engine', () => {
    const [a, b] = [record(one), record(one)];
    assert.notEqual(a.job_id, b.job_id);
    assert.equal(a.engine, b.engine);
  });

  test('output_hash is the SHA-256 of the output as sent', () => {
    for (const script of [one, 'function main() {}', 'const main = () => ({ b: [1.5, "é\\n"], a: {} })']) {
      const line = run(script).stdout.trimEnd();
      const { output_hash, stdout } = record(script);
      assert.ok(stdout.includes(`"output":${line},`));
      assert.equal(output_hash, sha256(line));
    }
    assert.equal(record('function main() { return {} }').output_hash, sha256('{}'));
  });

  test('gas_used is ten times the bytes of the script', () => {
    for (const script of [one, `${one} // é😀`]) assert.equal(record(script).gas_used, 10 * Buffer.byteLength(script));
  });

  test('started_at is RFC 3339, duration is in Go\'s form, and both are true', () => {
    const before = Date.now();
    const { started_at, duration, usage } =
      record('function main() { const end = Date.now() + 20; while (Date.now() < end); }');
    assert.match(started_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/);
    assert.ok(Date.parse(started_at) >= before - 1 && Date.parse(started_at) <= Date.now() + 1);
    const [, number, unit] = /^([1-9]\d*(?:\.\d*[1-9])?)(ns|µs|ms|s)$/.exec(duration);
    assert.equal(Math.floor(Number((number * GO_UNITS[unit]).toFixed(0)) / 1000), usage.wall_us);
    assert.ok(usage.wall_us >= 19000 && usage.memory_peak_bytes > 1 << 20);
  });

  test('an error carries code, sentence, stack and place; a limit only code and sentence', () => {
    const { exit, status, error, error_code, stack, line, column } =
      record('function f() {\n  throw new TypeError("x");\n}\nconst main = () => [f()];');
    assert.deepEqual([exit, status, error, error_code, line],
      [1, 'failed', 'execution error: TypeError: x', 'execution_error', 2]);
    assert.equal(stack, `    at f (script.js:2:${column})\n    at main (script.js:4:21)`);
    const limited = record('function main() { for (;;); }', ['--steps', '50000']);
    assert.deepEqual(['stack', 'line', 'column', 'output', 'output_hash'].filter((key) => key in limited), []);
  });

  test('a timeout has no place either', () => {
    const timeout = record('function main() {\n  for (;;);\n}', ['--timeout', '0.05']);
    assert.deepEqual(['stack', 'line', 'column'].filter((key) => key in timeout), []);
  });
});

/* ---- determinism ---- */

const everything = `const main = async () => {
  console.log(Math.random(), Date.now(), new Date());
  const order = []; for (const key of new Set([Math.random(), Math.random()])) order.push(key);
  await null;
  return { r: Math.random(), now: Date.now(), iso: new Date().toISOString(), perf: [performance.now(), performance.now()], order,
    bytes: crypto.randomBytes(40), uuid: crypto.randomUUID(), values: [...crypto.getRandomValues(new Uint32Array(5))] };
}`;

describe('determinism', () => {
  const outcome = (...args) => {
    const { output, output_hash, logs, usage, stdout } = record(everything, ['--deterministic', ...args]);
    return { output, output_hash, logs, steps: usage.steps, text: /"output":.*"logs":\[.*?\],/.exec(stdout)[0] };
  };

  test('the same run gives the same bytes, logs and steps', () => {
    assert.deepEqual(outcome(), outcome());
    assert.deepEqual(outcome('--seed', ''), outcome());
    assert.deepEqual(outcome('--seed', 'é'), outcome('--seed', 'é'));
    assert.deepEqual(outcome('--repeat', '5'), outcome());
  });

  test('another seed, other randomness', () => {
    const [a, b] = [outcome('--seed', 'a').output, outcome('--seed', 'b').output];
    for (const key of ['r', 'bytes', 'uuid', 'order', 'values']) assert.notDeepEqual(a[key], b[key]);
    for (const key of ['now', 'iso', 'perf']) assert.deepEqual(a[key], b[key]);
    assert.equal(new Set(Array.from({ length: 20 }, (_, i) => outcome('--seed', `${i}`).output.r)).size, 20);
  });

  test('--time stands still', () => {
    const { now, iso, perf } = outcome('--time', '2026-01-31T13:30:00.123456+01:30').output;
    assert.deepEqual([now, iso, perf], [Date.UTC(2026, 0, 31, 12, 0, 0, 123), '2026-01-31T12:00:00.123Z', [0, 0]]);
    assert.deepEqual(outcome().output.iso, '1970-01-01T00:00:00.000Z');
    const script = `function main() {
      const t = [Date.now(), performance.now()];
      for (let i = 0; i < 1e6; i++);
      return [t[0] === Date.now(), t[1] === performance.now()];
    }`;
    assert.deepEqual(output(script, ['--deterministic']), { result: [true, true] });
  });

  test('otherwise randomness differs and time passes', () => {
    const runs = Array.from({ length: 5 }, () => record(everything).output);
    for (const key of ['r', 'bytes', 'uuid', 'order', 'values'])
      assert.equal(new Set(runs.map((output) => JSON.stringify(output[key]))).size, 5, key);
    assert.ok(Math.abs(runs[0].now - Date.now()) < 60_000 && runs[0].now < runs[4].now);
    const script = `function main() {
      const a = performance.now(), b = Date.now();
      while (Date.now() - b < 5);
      return performance.now() - a;
    }`;
    assert.ok(output(script).result >= 4);
  });
});

/* ---- limits ---- */

const workloads = {
  trivial: one,
  loop: 'function main() { let s = 0; for (let i = 0; i < 20000; i++) s += i % 7; return s }',
  recursion: 'const fib = (n) => n < 2 ? n : fib(n - 1) + fib(n - 2); const main = () => fib(15)',
  'strings and regex': `function main() {
    let s = ''; for (let i = 0; i < 300; i++) s += String.fromCharCode(97 + i % 26);
    return s.match(/[aeiou]+[^a]/g).length;
  }`,
  'sort and JSON': `const list = Array.from({ length: 200 }, (_, i) => (i * 7919) % 200);
    const main = () => JSON.parse(JSON.stringify(list.sort((a, b) => a - b))).length`,
  promises: 'async function main() { let n = 0; for (let i = 0; i < 50; i++) n += await Promise.resolve(i); return n }',
  'a module that logs': 'export default () => { for (let i = 0; i < 5; i++) console.log({ i, list: [1, 2, 3] }); return 1 }',
  failure: 'function main() { for (let i = 0; i < 100; i++); throw new Error("x") }',
};

describe('--steps', () => {
  for (const [name, script] of Object.entries(workloads)) {
    test(`exact: ${name}`, () => {
      const take = (steps) => record(script, ['--deterministic', ...(steps ? ['--steps', String(steps)] : [])]);
      const free = take();
      const need = free.usage.steps;
      const enough = take(need);
      assert.deepEqual([enough.error, enough.output, enough.usage.steps], [free.error, free.output, need]);
      for (const steps of [1, 2, 3, 10, 500, Math.floor(need / 3), Math.floor(need / 2), need - 2,
        need - 1].filter((steps) => steps > 0 && steps < need)) {
        const { exit, error, error_code, usage } = take(steps);
        assert.deepEqual([exit, error, error_code, usage.steps], [1, 'step limit exceeded', 'out_of_steps', steps]);
      }
    });
  }

  test('cannot be caught', () => {
    const script = 'function main() { for (;;) { try { for (;;); } catch { } finally { } } }';
    const { error_code, usage } = record(script, ['--steps', '200000']);
    assert.deepEqual([error_code, usage.steps], ['out_of_steps', 200000]);
  });
});

describe('--memory', () => {
  const allocate = (mb) => `function main() { return new Uint8Array(${mb} << 20).fill(1).length >> 20 }`;
  test('what does not fit fails, the same fits into more', () => {
    for (const [memory, fits, not] of [[16, 8, 16], [64, 48, 64], [128, 100, 128], [256, 200, 256]]) {
      assert.deepEqual(output(allocate(fits), ['--memory', `${memory}`]), { result: fits });
      const { exit, error, error_code, usage } = record(allocate(not), ['--memory', `${memory}`]);
      assert.deepEqual([exit, error_code], [1, 'out_of_memory']);
      assert.match(error, /^memory limit exceeded/);
      assert.ok(usage.memory_peak_bytes <= memory << 20);
    }
    assert.equal(record(allocate(128)).error_code, 'out_of_memory'); // 128 unless told
  });

  const grows = (statement) => {
    const { exit, error_code, usage } =
      record(`function main() { const all = []; for (;;) ${statement}; }`, ['--memory', '16']);
    assert.deepEqual([exit, error_code, usage.memory_peak_bytes <= 16 << 20], [1, 'out_of_memory', true], statement);
  };
  test('strings, numbers, symbols, promises count', () => {
    for (const item of ['"x".repeat(5000) + all.length', 'all.length + 0.5', 'Symbol()', 'Promise.resolve().then(() => {})',
      '2n ** 1000n']) grows(`all.push(${item})`);
  });

  test('so do objects, closures, maps', () => {
    for (const item of ['{ a: all.length, b: [1] }', '[]', '() => all', 'new Map([[1, all]])', 'new Date()'])
      grows(`all.push(${item})`);
  });

  test('a script may catch it and go on', () => {
    assert.deepEqual(output('function main() { try { new Uint8Array(1 << 30) } catch (e) { return e.message } }'),
      { result: 'out of memory' });
  });
});

describe('--timeout', () => {
  test('ends what never ends, not before its time', () => {
    const loops = ['for (;;);', 'for (;;) { try { for (;;); } catch { } }', '"a".repeat(40).match(/(a+)+b/)',
      'const f = async () => { for (;;) await null }; return f()',
      'const a = []; a.length = 2 ** 32 - 1; a.indexOf(1)', 'for (;;) JSON.stringify(Array(1000).fill("x"))'];
    for (const loop of loops) {
      const { exit, error, error_code, usage } = record(`function main() { ${loop} }`, ['--timeout', '0.25']);
      assert.deepEqual([exit, error, error_code], [1, 'execution timeout', 'timeout'], loop);
      assert.ok(usage.wall_us >= 250_000, loop);
    }
    expect(run('for (;;);', ['--timeout', '0.05']), 1, '', 'neocompute run: execution timeout [timeout]\n');
    assert.ok(record('function main() { for (;;); }', ['--timeout', '1.1']).usage.wall_us >= 1_100_000);
  });
});

describe('sizes', () => {
  const script = (bytes) => `${one}//${'x'.repeat(bytes - one.length - 2)}`;
  test('script: 102,400 bytes run, 102,401 do not', () => {
    for (const verb of ['run', 'check']) {
      expect(cli([verb, file(script(102400))]), 0, verb === 'run' ? '{"result":1}\n' : '', '');
      for (const bytes of [102401, 102402, 500000]) {
        expect(cli([verb, file(script(bytes))]), 2, '',
          /^neocompute \w+: .*script exceeds maximum size of 102400 bytes \[script_too_large\]\n$/);
      }
    }
    const { exit, error, error_code } = record(script(102401));
    assert.deepEqual([exit, error, error_code], [2, 'script exceeds maximum size of 102400 bytes', 'script_too_large']);
  });

  const input = (bytes) => file(`"${'x'.repeat(bytes - 2)}"`, 'input.json');
  const length = 'const main = (i) => i.length';
  test('input: 1,048,576 bytes are taken, 1,048,577 are not', () => {
    expect(run(length, ['--input', input(1048576)]), 0, '{"result":1048574}\n', '');
    expect(run(length, ['--input', input(1048577)]), 2, '',
      'neocompute run: input exceeds maximum size of 1048576 bytes [input_too_large]\n');
    assert.equal(record(length, ['--input', input(1048577)]).error_code, 'input_too_large');
    expect(run(length, ['--input', input(1048578)]), 2, '',
      /larger than 1048576 bytes|exceeds maximum size of 1048576 bytes/);
  });

  test('every input and script that is too large is refused in the same words, with a record', () => {
    assert.equal(record(length, ['--input', input(2000000)]).error, 'input exceeds maximum size of 1048576 bytes');
    assert.equal(record(script(200000)).error, 'script exceeds maximum size of 102400 bytes');
  });

  test('output: 1,048,576 bytes pass, one more does not', () => {
    const main = (bytes) => `const main = () => "x".repeat(${bytes - '{"result":""}'.length})`;
    assert.equal(run(main(1048576)).stdout.length, 1048577);
    const { exit, error, error_code } = record(main(1048577));
    assert.deepEqual([exit, error, error_code], [1, 'output exceeds maximum size of 1048576 bytes', 'output_too_large']);
  });

  test('the stack: a RangeError that can be caught', () => {
    assert.match(record('const main = () => main()').error,
      /^execution error: RangeError: Maximum call stack size exceeded/);
    const script = `const deep = (n) => { try { return deep(n + 1) } catch (e) { return [e.name, n > 1000] } };
      const main = () => deep(0)`;
    assert.deepEqual(output(script), { result: ['RangeError', true] });
  });
});

describe('--repeat', () => {
  test('prints percentiles, on standard error or in the record', () => {
    expect(run('console.log("once");' + one, ['--repeat', '20']), 0, '{"result":1}\n',
      /^once\n20 fresh executions: \d+ per second, p50 [\d.]+ us, p90 [\d.]+ us, p99 [\d.]+ us, max [\d.]+ us, CPU [\d.]+ us each\n$/);
    const { repeat, output, stderr, logs } = record('console.log("once");' + one, ['--repeat', '20']);
    assert.deepEqual([output, logs, stderr], [{ result: 1 }, ['once'], 'once\n']);
    assert.deepEqual(Object.keys(repeat), ['count', 'per_second', 'p50_us', 'p90_us', 'p99_us', 'max_us', 'cpu_us_mean']);
    assert.equal(repeat.count, 20);
    for (const value of Object.values(repeat)) assert.ok(typeof value === 'number' && value > 0);
    assert.ok(repeat.p50_us <= repeat.p90_us && repeat.p90_us <= repeat.p99_us);
  });

  test('each execution is a fresh world', () => {
    const script = `globalThis.runs = (globalThis.runs ?? 0) + 1;
      Array.prototype.mark ??= []; Array.prototype.mark.push(1);
      const main = () => [runs, [].mark.length]`;
    assert.deepEqual(output(script, ['--repeat', '10']), { result: [1, 1] });
  });

  test('one that fails ends it', () => {
    const { exit, error_code } = record('function main() { throw 1 }', ['--repeat', '1000']);
    assert.deepEqual([exit, error_code], [1, 'execution_error']);
    assert.equal(record(one, ['--repeat', '100000000', '--timeout', '0.2']).error_code, 'timeout');
  });

  test('--repeat 1 has percentiles, too', () => assert.equal(record(one, ['--repeat', '1']).repeat?.count, 1));
});

/* ---- what the reference service promises (its wire facts, and the faults not to repeat) ---- */

describe('results', () => {
  const results = {
    '{ b: 1, a: 2 }': '{"a":2,"b":1}', '{}': '{}', 'undefined': '{}', 'null': '{}', 'Promise.resolve()': '{}',
    'Object.create(null)': '{}',
    '1': '{"result":1}', '-0': '{"result":0}', '"s"': '{"result":"s"}', '""': '{"result":""}', 'true': '{"result":true}',
    'false': '{"result":false}',
    '[1, [2]]': '{"result":[1,[2]]}', '[]': '{"result":[]}', 'NaN': '{"result":null}', 'Infinity': '{"result":null}',
    'new Date(0)': '{"result":"1970-01-01T00:00:00.000Z"}',
    'new String("x")': '{"result":"x"}', 'new Number(5)': '{"result":5}',
    '{ n: NaN, i: -Infinity, u: undefined, f() {}, s: Symbol() }': '{"i":null,"n":null}',
    '[undefined, () => 1, Symbol(), NaN, , -0]': '{"result":[null,null,null,null,null,0]}', 'new Map([[1, 2]])': '{}',
    'new (class A { x = 1; #y = 2 })': '{"x":1}',
    '{ toJSON: () => ({ z: 1 }) }': '{"z":1}', '{ toJSON: () => 7 }': '{"result":7}',
    'new Uint8Array([1, 2])': '{"0":1,"1":2}', '{ result: 1 }': '{"result":1}',
    '{ a: { toJSON: (key) => key } }': '{"a":"a"}', '{ 10: "x", 9: "y", a: "z" }': '{"10":"x","9":"y","a":"z"}',
    'Promise.resolve([1])': '{"result":[1]}',
    '/x/': '{}', 'new Error("x")': '{}', '{ get g() { return 1 } }': '{"g":1}',
    'Object.defineProperty({}, "hidden", { value: 1 })': '{}',
  };
  for (const [expression, expected] of Object.entries(results)) {
    test(`${expression} -> ${expected}`, () => expect(run(`const main = () => (${expression});`), 0, `${expected}\n`, ''));
  }

  test('an async main is awaited, and so are the jobs it left', () => {
    expect(run('async function main() { await null; return { a: await Promise.resolve(1) } }'), 0, '{"a":1}\n', '');
    expect(run('const main = () => { const o = {}; return Promise.resolve(o).finally(() => { o.later = true }) }'), 0,
      '{"later":true}\n', '');
  });

  test('a thenable is awaited like a promise', () => {
    assert.deepEqual(output('const main = () => ({ then(resolve) { resolve(5) } })'), { result: 5 });
  });

  test('input and secrets: arguments and globals, the same objects', () => {
    const script = `function main(a, b) {
      return { args: arguments.length, same: [a === input, b === secrets, globalThis.input === a], a, b };
    }`;
    expect(run(script, ['--input', '{"x":[1]}', '--secret', 'K=v']), 0,
      '{"a":{"x":[1]},"args":2,"b":{"K":"v"},"same":[true,true,true]}\n', '');
    assert.deepEqual(output('const main = () => [input, secrets]'), { result: [{}, {}] });
    assert.deepEqual(output('const seen = [input.a, secrets.K]; const main = () => seen',
      ['--input', '{"a":1}', '--secret', 'K=v']), { result: [1, 'v'] });
    assert.deepEqual(output('const input = 5; let secrets = 6; function main(i) { return [input, secrets, i] }'),
      { result: [5, 6, {}] });
  });

  test('crypto.sha256: hexadecimal, of the UTF-8 of String(x); undefined without an argument', () => {
    const values = { '"abc"': 'abc', '""': '', '"é😀"': 'é😀', '12': '12', 'null': 'null', 'undefined': 'undefined',
      '{}': '[object Object]', '[1, 2]': '1,2', 'true': 'true',
      '"\\0"': '\0', '"\\ud800"': '\ufffd', '"x".repeat(100000)': 'x'.repeat(100000), '{ toString: () => "own" }': 'own',
      '10n': '10', 'Symbol("a")': 'Symbol(a)' };
    const got = output(`const main = () => [${Object.keys(values).map((value) => `crypto.sha256(${value})`)}]`).result;
    assert.deepEqual(got, Object.values(values).map(sha256));
    assert.deepEqual(output('const main = () => [typeof crypto.sha256(), typeof crypto.sha256("a", "b")]'),
      { result: ['undefined', 'string'] });
  });

  test('crypto.randomBytes: hexadecimal, 32 bytes unless told, at most 1,024', () => {
    const script = 'const r = crypto.randomBytes; const main = () => [r(), r(undefined), r(1), r(1024), r("16")]';
    const { result } = output(script);
    assert.deepEqual(result.map((hex) => hex.length / 2), [32, 32, 1, 1024, 16]);
    for (const hex of result) assert.match(hex, /^[0-9a-f]+$/);
    assert.notEqual(result[0], result[1]);
    for (const size of ['0', '-1', '1025', '"x"', 'NaN', 'Infinity']) {
      const script = `const main = () => { try { return crypto.randomBytes(${size}) } catch (e) { return e.name } }`;
      assert.equal(output(script).result, 'RangeError', size);
    }
  });

  test('crypto.getRandomValues and randomUUID', () => {
    const script = `const main = () => {
      const a = new Uint8Array(64), s = new Uint32Array(a.buffer, 4, 3), random = (array) => crypto.getRandomValues(array);
      const error = (f) => { try { f() } catch (e) { return e.name } };
      const same = random(s) === s, outside = [...a.slice(0, 4), ...a.slice(16)].every((x) => x === 0);
      return { same, outside, zero: s.every((x) => x === 0), full: random(new Uint8Array(65536)).length,
        more: error(() => random(new Uint8Array(65537))), none: error(() => random()), uuid: crypto.randomUUID() };
    }`;
    const { uuid, ...rest } = output(script);
    assert.deepEqual(rest, { same: true, outside: true, zero: false, full: 65536, more: 'QuotaExceededError',
      none: 'TypeError' });
    assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  fault('crypto.getRandomValues refuses other arrays as Web Crypto does', () => {
    const script = 'const main = () => { try { crypto.getRandomValues(new Float32Array(1)) } catch (e) { return e.name } }';
    assert.equal(output(script).result, 'TypeMismatchError');
  });
});

describe('failures', () => {
  // script, error, error_code
  const failures = [
    ['throw new Error("top")', 'script error: Error: top', 'script_error'],
    ['missing()', 'script error: ReferenceError: missing is not defined', 'script_error'],
    ['export const main = 1; throw new RangeError("module")', 'script error: RangeError: module', 'script_error'],
    ['await Promise.reject(new Error("tla")); export {}', 'script error: Error: tla', 'script_error'],
    ['Object.defineProperty(globalThis, "main", { get() { throw new Error("getter") } })', 'script error: Error: getter',
      'script_error'],
    ['function main() { throw new TypeError("bad") }', 'execution error: TypeError: bad', 'execution_error'],
    ['async function main() { throw new Error("rejected") }', 'execution error: Error: rejected', 'execution_error'],
    ['const main = () => Promise.reject(5)', 'execution error: 5', 'execution_error'],
    ['function main() { throw "text" }', 'execution error: text', 'execution_error'],
    ['function main() { throw null }', 'execution error: null', 'execution_error'],
    ['function main() { throw undefined }', 'execution error: undefined', 'execution_error'],
    ['function main() { throw Symbol("s") }', 'execution error: Symbol(s)', 'execution_error'],
    ['function main() { throw { a: 1 } }', 'execution error: { a: 1 }', 'execution_error'],
    ['function main() { throw Object.assign(new Error("m"), { name: "Mine" }) }', 'execution error: Mine: m',
      'execution_error'],
    ['function main() { throw new Error("") }', 'execution error: Error', 'execution_error'],
    ['function main() { throw new Error("\\ud800") }', 'execution error: Error: \ufffd', 'execution_error'],
    ['function main() { throw new Proxy({}, { get() { throw 1 } }) }', 'execution error: {}', 'execution_error'],
    ['const x = 1', "entry point 'main' is not a function", 'entry_not_found'],
    ['var main = { call() {} }', "entry point 'main' is not a function", 'entry_not_found'],
    ['const main = () => new Promise(() => {})', /^the returned promise can never settle/, 'unsettled'],
    ['const main = () => 1n', /^output cannot be written as JSON: TypeError: /, 'output_invalid'],
    ['const main = () => { const o = {}; o.o = o; return o }', /^output cannot be written as JSON: TypeError: circular/,
      'output_invalid'],
    ['const main = () => () => 1', 'output cannot be written as JSON: TypeError: a function cannot be written as JSON',
      'output_invalid'],
    ['const main = () => Symbol()', 'output cannot be written as JSON: TypeError: a symbol cannot be written as JSON',
      'output_invalid'],
    ['const main = () => ({ toJSON() { throw new Error("mine") } })', 'output cannot be written as JSON: Error: mine',
      'output_invalid'],
    ['const main = () => "\\ud800"', /^output cannot be written as JSON: .*surrogate/, 'output_invalid'],
    ['const main = () => ({ "\\udc00": 1 })', /^output cannot be written as JSON: .*surrogate/, 'output_invalid'],
    ['let a; let a;', /^script error: SyntaxError: /, 'syntax_error'],
    ['\0', /^script error: SyntaxError: /, 'syntax_error'],
  ];
  for (const [script, expected, code] of failures) {
    test(`${JSON.stringify(script)}: ${code}`, () => {
      const { exit, status, error, error_code, output } = record(script);
      assert.deepEqual([exit, status, error_code, output], [1, 'failed', code, undefined]);
      if (expected instanceof RegExp) assert.match(error, expected);
      else assert.equal(error, expected);
      const plain = run(script);
      assert.deepEqual([plain.status, plain.stdout, plain.stderr.split('\n    at ')[0].trimEnd()],
        [1, '', `neocompute run: ${error} [${code}]`]);
    });
  }

  test('a script that is no UTF-8 is refused; a byte order mark and a #! line are none of the script', () => {
    expect(run(Buffer.from('const main = () => "\xe9"', 'latin1')), 2, '',
      'neocompute run: script is not valid UTF-8 [script_invalid]\n');
    expect(run(`\ufeff${one}`), 0, '{"result":1}\n', '');
    expect(run(`#!/usr/bin/env neocompute\n${one}`), 0, '{"result":1}\n', '');
  });

  test('a rejection nobody waits for is not an error', () => {
    assert.deepEqual(output('function main() { Promise.reject(new Error("x")); return 1 }'), { result: 1 });
  });
});

/* ---- canonical output (RFC 8785) ---- */

function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical)}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)}}`;
}

describe('RFC 8785', () => {
  const printed = (script, input) => run(script, ['--input', '-'], { stdin: JSON.stringify(input) }).stdout;

  test('numbers (appendix B)', () => {
    const numbers = { '0000000000000000': '0', '8000000000000000': '0', '0000000000000001': '5e-324',
      '8000000000000001': '-5e-324', '7fefffffffffffff': '1.7976931348623157e+308',
      ffefffffffffffff: '-1.7976931348623157e+308', '4340000000000000': '9007199254740992',
      c340000000000000: '-9007199254740992', '4430000000000000': '295147905179352830000',
      '7fffffffffffffff': 'null', '7ff0000000000000': 'null', '44b52d02c7e14af5': '9.999999999999997e+22',
      '44b52d02c7e14af6': '1e+23', '44b52d02c7e14af7': '1.0000000000000001e+23',
      '444b1ae4d6e2ef4e': '999999999999999700000', '444b1ae4d6e2ef4f': '999999999999999900000', '444b1ae4d6e2ef50': '1e+21',
      '3eb0c6f7a0b5ed8c': '9.999999999999997e-7',
      '3eb0c6f7a0b5ed8d': '0.000001', '41b3de4355555553': '333333333.3333332', '41b3de4355555554': '333333333.33333325',
      '41b3de4355555555': '333333333.3333333',
      '41b3de4355555556': '333333333.3333334', '41b3de4355555557': '333333333.33333343',
      becbf647612f3696: '-0.0000033333333333333333', '43143ff3c1cb0959': '1424953923781206.2' };
    const script = `const main = (list) => list.map((hex) => {
      const v = new DataView(new ArrayBuffer(8)); v.setBigUint64(0, BigInt('0x' + hex)); return v.getFloat64(0);
    })`;
    assert.equal(printed(script, Object.keys(numbers)), `{"result":[${Object.values(numbers)}]}\n`);
  });

  test('numbers: 20,000 random doubles as ECMAScript writes them, and back', () => {
    const view = new DataView(new ArrayBuffer(8));
    let state = 0x9e3779b97f4a7c15n;
    const doubles = Array.from({ length: 20000 }, () => {
      state = (state * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
      view.setBigUint64(0, state ^ (state >> 29n));
      return view.getFloat64(0);
    }).filter(Number.isFinite);
    assert.ok(printed('const main = (list) => list', doubles) === `{"result":${JSON.stringify(doubles)}}\n`);
  });

  test('key order and escapes (sections 3.2.2 and 3.2.3)', () => {
    const first = '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],' +
      '"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}';
    expect(run('const main = (i) => i', ['--input', first]), 0,
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}\n', '');
    const second = { '\u20ac': 'Euro Sign', '\r': 'Carriage Return', '\ufb33': 'Hebrew Letter Dalet With Dagesh', 1: 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control', '\u00f6': 'Latin Small Letter O With Diaeresis' };
    assert.deepEqual(printed('const main = (i) => i', second).match(/:"(.*?)"[,}]/g).map((part) => part.slice(2, -2)),
      ['Carriage Return', 'One', 'Control', 'Latin Small Letter O With Diaeresis', 'Euro Sign', 'Emoji: Grinning Face',
        'Hebrew Letter Dalet With Dagesh']);
  });

  test('every character of the first two planes\' beginnings and ends, as value and as key', () => {
    const units = [...Array.from({ length: 0x300 }, (_, i) => i), 0x2028, 0x2029, 0xd7ff, 0xe000, 0xfeff, 0xffff, 0x10000,
      0x1f600, 0x10ffff];
    const text = String.fromCodePoint(...units);
    assert.equal(printed('const main = (i) => i', text), `{"result":${JSON.stringify(text)}}\n`);
    const keys = Object.fromEntries(units.map((unit) => [String.fromCodePoint(unit), unit]).reverse());
    assert.equal(printed('const main = (i) => i', keys), `${canonical(keys)}\n`);
  });

  test('nested objects, keys that look like indices, keys that begin alike', () => {
    const value = { b: [{ z: 1, y: { d: 1, c: [] } }], 10: 1, 9: 1, '-1': 1, '01': 1, a: { 2: 0, 1: 0, '': 0, ' ': 0 },
      aa: 1, 'a\0': 1, A: 1, toString: 1, length: 1 };
    assert.equal(printed('const main = (i) => i', value), `${canonical(value)}\n`);
    assert.equal(run('const main = (i) => i', ['--input', '{"__proto__":{"b":1,"a":2},"Z":1}']).stdout,
      '{"Z":1,"__proto__":{"a":2,"b":1}}\n');
  });

  test('a script\'s own toJSON and changed prototypes do not make it anything but canonical', () => {
    expect(run('Object.keys = () => ["x"]; Array.prototype.sort = () => []; const main = () => ({ b: 1, a: [2] })'), 0,
      '{"a":[2],"b":1}\n', '');
    const script = 'JSON.stringify = () => ""; String.prototype.charCodeAt = () => 0; const main = () => ({ b: 1, a: 2 })';
    expect(run(script), 0, '{"a":2,"b":1}\n', '');
  });

  const deep = (levels) => `let d = 1; for (let i = 0; i < ${levels}; i++) d = [d];`;
  test('3,000 levels in any order; 9,000 in order', () => {
    assert.equal(run(`const main = () => { ${deep(3000)} return { b: 1, a: d } }`).stdout,
      `{"a":${'['.repeat(3000)}1${']'.repeat(3000)},"b":1}\n`);
    assert.equal(run(`const main = () => { ${deep(9000)} return { a: d, b: 1 } }`).stdout,
      `{"a":${'['.repeat(9000)}1${']'.repeat(9000)},"b":1}\n`);
  });

  test('9,000 levels in any order', () => {
    assert.equal(run(`const main = () => { ${deep(9000)} return { b: 1, a: d } }`).status, 0);
  });
});

/* ---- where it went wrong ---- */

describe('line and column', () => {
  // script, line, column, names in the stack from the top
  const places = {
    'a function': ['function main() {\n  return undefined_thing;\n}', 2, 10, ['main']],
    'a thrown error': ['const main = () => {\n\n    throw new Error("x");\n};', 3, 15, ['main']],
    'the top level': ['let x = 1;\n\nx.y.z;', 3, 1, ['<eval>']],
    'a helper': ['function main() {\n  return a();\n}\nfunction a() {\n  return b();\n}\nconst b = () => {\n  null.x;\n};',
      8, 3, ['b', 'a', 'main']],
    'a callback': ['function main() {\n  return [1].map((x) => {\n    null.x;\n  });\n}', 3, 5,
      ['<anonymous>', 'map', 'main']],
    'a comparison function': ['function main() {\n  [2, 1].sort((a, b) => {\n    throw new Error("cmp");\n  });\n}', 3, 15,
      ['<anonymous>', 'sort', 'main']],
    'a replacer': ['function main() {\n  "x".replace(/x/, () => {\n    null.x;\n  });\n}', 3, 5,
      ['<anonymous>', '[Symbol.replace]', 'replace', 'main']],
    'a then': ['const main = () => Promise.resolve()\n  .then(() => {\n    null.x;\n  });', 3, 5, ['<anonymous>']],
    'after an await': ['async function main() {\n  await null;\n  throw new Error("late");\n}', 3, 13, ['main']],
    'a generator': ['function* g() {\n  yield 1;\n  null.x;\n}\nconst main = () => [...g()];', 3, 3, ['g', 'main']],
    'a getter of the output': ['const main = () => ({\n  get a() {\n    throw new Error("x");\n  },\n});', 3, 15,
      ['get a', 'stringify']],
    'a method': ['class A {\n  static s() {\n    null.x;\n  }\n}\nconst main = () => A.s();', 3, 5, ['s', 'main']],
    'a module': ['// comment\nexport default function () {\n  null.x;\n}', 3, 3, ['default']],
    'a module\'s top level': ['export const main = 1;\nawait null;\nnull.x;', 3, 1, ['<anonymous>']],
    'Windows line ends': ['function main() {\r\n  null.x;\r\n}', 2, 3, ['main']],
    'a #! line': ['#!/usr/bin/env x\nfunction main() {\n  null.x;\n}', 3, 3, ['main']],
  };
  for (const [name, [script, line, column, frames]] of Object.entries(places)) {
    test(name, () => {
      const got = record(script);
      assert.equal(got.exit, 1);
      assert.deepEqual([got.line, got.column, got.stack.split('\n')[0].replace(/.*?(\d+:\d+)\)?$/, '$1')],
        [line, column, `${line}:${column}`], got.stack);
      assert.deepEqual(got.stack.split('\n').map((frame) =>
        /^ {4}at (.*?)(?: \((?:native|script\.js:\d+:\d+)\))?$/.exec(frame)[1]), frames);
    });
  }

  const syntax = {
    'let = ;': [1, 7], 'function main() {\n  let x = ;\n}': [2, 11], 'let a;\nlet a;': [2, 6], '\n\n  )': [3, 3],
    'const s = "open;\n': [1, 11], 'x = {\n  a: 1\n  b: 2\n}': [3, 3],
    'export default () => {\n  return await 1;\n}': [2, 10], 'import x fom "y";': [1, 10],
  };
  test('syntax errors, in run and in check', () => {
    for (const [script, [line, column]] of Object.entries(syntax)) {
      for (const verb of ['run', 'check']) {
        const got = JSON.parse(cli([verb, '--json', file(script)]).stdout);
        assert.deepEqual([got.error_code, got.line, got.column, got.stack],
          ['syntax_error', line, column, `    at script.js:${line}:${column}`], script);
        assert.match(got.error, /^script error: SyntaxError: /);
      }
    }
  });

  test('the file is named as the author knows it, without its folder', () => {
    mkdirSync(join(dirname(missing), "a folder's"), { recursive: true });
    expect(cli(['run', file('\nnull.x', "a folder's/my script.mjs")]), 1, '', /^ {4}at <eval> \(my script\.mjs:2:1\)$/m);
    expect(cli(['run', file('\nnull.x', `${'n'.repeat(252)}.js`)]), 1, '', /n{252}\.js:2:1\)$/m);
  });

  test('no frame of ours is shown', () => {
    const scripts = ['crypto.randomBytes(0)', 'crypto.getRandomValues(5)', 'new URL("x")',
      'new URL("http://a").searchParams.append(Symbol(), 1)', 'structuredClone(() => 1)', 'btoa("€")',
      'return { get a() { throw new Error("x") } }', 'return 1n',
      'console.log({ get [Symbol.toStringTag]() { throw new Error("x") } }); null.x', 'new URL("http://a").href = "bad"'];
    for (const script of scripts) {
      const { stdout, stderr } = record(`function main() {\n  ${script};\n}`);
      assert.ok(!(stdout + stderr).includes('prelude'), script);
    }
  });

  fault('nor in the stack that a script reads or logs', () => {
    const { output, stderr } =
      record('function main() { try { crypto.randomBytes(0) } catch (e) { console.error(e); return e.stack } }');
    assert.ok(!(output.result + stderr).includes('prelude'));
  });

  test('the place is the script\'s, also when the topmost frame is native or another text', () => {
    const at = (body) => { const { line } = record(`function main() {\n\n  ${body};\n}`); return line; };
    assert.deepEqual([at('JSON.parse("{")'), at('[1].forEach(undefined)'), at('eval("1+")'), at('decodeURIComponent("%")'),
      at('new URL("x")')], [3, 3, 3, 3, 3]);
  });

  fault('a class field', () => assert.equal(record('class A {\n  x = this.y.z;\n}\nconst main = () => new A();').line, 2));

  fault('columns count characters, not bytes', () =>
    assert.equal(record('function main() {\n  /* éé */ null.x;\n}').column, 12));

  fault('a property of null', () => assert.deepEqual([record('function main() {\n  return null.x;\n}').line], [2]));
});
