// docs/proof.md: its commands, run as they stand there against a live service; and that they tell a forgery.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { root } from './lib.mjs';
import { scratch, serve } from './service/service.mjs';

const blocks = [...readFileSync(join(root, 'docs', 'proof.md'), 'utf8').matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text]) => text);
const script = 'function main(input) {\n  console.log("hi")\n  return { sum: input.a + input.b, text: "\\"logs\\":[" }\n}\n';
const input = '{"a":2,"b":3}';

describe('docs/proof.md', () => {
  let service, dir;
  before(async () => {
    service = await serve();
    dir = scratch();
    writeFileSync(join(dir, 'script.js'), script);
    writeFileSync(join(dir, 'input.json'), input);
    writeFileSync(join(dir, 'request.json'), `{"script":${JSON.stringify(script)},"input":${input}}`);
  });
  after(() => service.stop());

  const shell = (commands) => promisify(execFile)('bash', ['-euo', 'pipefail', '-c', commands.join('\n')], { cwd: dir, env: { ...process.env, URL: service.url } });

  test('the commands run, and everything is the same', async () => {
    assert.equal(blocks.length, 6);
    const { stdout } = await shell(blocks);
    assert.deepEqual(stdout.trim().split('\n'), ['the same: hash of the document', 'the same: report data', 'Verified OK',
      ...['attestation', 'script', 'input', 'output', 'job', 'user'].map((what) => `the same: ${what}`)]);
  });

  // The first block fetches: the files of the test before are what is spoilt.
  for (const [what, name, from, to, says] of [
    ['another output', 'response.json', '"sum":5', '"sum":6', /NOT the same: output/],
    ['another script', 'script.js', 'hi', 'ho', /NOT the same: script/],
    ['another input', 'input.json', '2', '7', /NOT the same: input/],
    ['a forged receipt', 'response.json', /"receipt":"([^.]*\.)..../, '"receipt":"$1AAAA', /Verification failure/],
    ['another document', 'attestation.json', /"document_sha256":"../, '"document_sha256":"xx', /NOT the same: hash of the document/]])
    test(what, async () => {
      const path = join(dir, name), good = readFileSync(path, 'utf8');
      writeFileSync(path, good.replace(from, to));
      await assert.rejects(shell(blocks.slice(1)), ({ stdout, stderr }) => says.test(stdout + stderr));
      writeFileSync(path, good);
    });
});
