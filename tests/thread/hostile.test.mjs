// The hostile scripts through the service whose workers are threads: what each comes to is what its header says, and the service,
// which is one process with all of them, serves on.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { expectedOutcomes, optionsOf, readHeader } from '../corpus.mjs';
import { root } from '../lib.mjs';
import { ask, completed, serve } from '../service/service.mjs';

const folder = join(root, 'tests', 'hostile');
const SLACK_US = 10_000_000; // a safety net, not a measurement

// A request of the command line's options; undefined if a request cannot say it.
function requestOf(script, args) {
  const fields = [`"script":${JSON.stringify(script)}`], limits = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--deterministic') { fields.push('"deterministic":true'); continue; }
    const value = args[++i];
    if (args[i - 1] === '--timeout') fields.push(`"timeout":${Math.max(1, Math.ceil(Number(value)))}`);
    else if (args[i - 1] === '--entry') fields.push(`"entry_point":${JSON.stringify(value)}`);
    else if (args[i - 1] === '--input') fields.push(`"input":${value}`);
    else if (args[i - 1] === '--memory') limits.push(`"memory_mb":${value}`);
    else if (args[i - 1] === '--steps') limits.push(`"steps":${value}`);
    else return undefined;
  }
  if (limits.length > 0) fields.push(`"limits":{${limits.join()}}`);
  return `{${fields.join()}}`;
}

// What a request comes to otherwise than the command line, with or without threads: another outcome, or another output (true).
const OTHERWISE = {
  'entry-bound.js': 'input_invalid', 'entry-code.js': 'entry_invalid', 'entry-path.js': 'entry_invalid', 'entry-terminal.js': 'entry_invalid',
  'module-imports-self.js': 'script_error', // its name is not the file's
  'alloc-promises.js': 'timeout', // where exactly memory runs out decides how long it goes on; so it is in the process profile's service
  'tamper-fetch.js': true, // there is an outside
};

const names = readdirSync(folder).filter((name) => name.endsWith('.js')).sort();
let service;
before(async () => { service = await serve(); });

describe('hostile scripts', { concurrency: 2 }, () => {
  for (const name of names) {
    const source = readFileSync(join(folder, name), 'utf8'), header = readHeader(source);
    const body = requestOf(source, optionsOf(header));
    const skip = body === undefined || header.options === '["--entry", ""]' ? 'not what a request can say' : false;
    test(name, { todo: header.bug ?? false, skip }, async () => {
      const { status, json } = await ask(service, 'POST', '/execute', { body, user: name.replaceAll(/[^a-z0-9-]/g, '-') });
      const came = json.status === 'completed' ? 'completed' : json.error_code;
      const expected = [...expectedOutcomes(header.expect).map((outcome) => outcome.split(' ').at(-1)), OTHERWISE[name]];
      assert.ok(expected.includes(came), `${status} ${came}, not ${header.expect}: ${json.error ?? json.detail}`);
      if (status !== 200) return;
      assert.ok(json.usage.wall_us < (JSON.parse(body).timeout * 1e6) + SLACK_US);
      assert.ok(json.usage.memory_peak_bytes <= (JSON.parse(body).limits?.memory_mb ?? 128) * 2 ** 20);
      if (!(name in OTHERWISE) && header.output !== undefined && came === 'completed') assert.deepEqual(json.output, JSON.parse(header.output));
    });
  }
});

test('and the service serves on', async () => {
  assert.deepEqual((await completed(service, { script: 'function main() { return { ok: true } }' })).output, { ok: true });
  assert.deepEqual(await service.stop(), { status: 0, signal: null });
});
