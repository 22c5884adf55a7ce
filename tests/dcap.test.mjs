// A second opinion on Intel's evidence: our verifier and npm's @phala/dcap-qvl say the same of the same bytes, good and
// bad, and tell the same TCB status and advisories.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const { QuoteVerifier, verify } = createRequire(import.meta.url)('@phala/dcap-qvl');
const program = process.env.DCAP;
const NOW = 1790000000;

const ours = (...args) => {
  const said = { lines: {} };
  for (const row of execFileSync(program, args.map(String), { encoding: 'utf8', maxBuffer: 1 << 24 }).split('\n')) {
    const [what, rest] = [row.split(' ', 1)[0], row.slice(row.indexOf(' ') + 1)];
    if (what === 'quote' || what === 'collateral') said[what] = Buffer.from(rest, 'hex');
    if (what === 'good') said.good = rest === '1';
    if (what !== 'line') continue;
    const [, name, state, value] = /^(\S+) (\S+) (.*)$/.exec(rest);
    said.lines[name] = { state, value };
  }
  return said;
};

const derOf = (pem) => Buffer.from(pem.split('-----BEGIN CERTIFICATE-----').at(-1).split('-----END')[0], 'base64');

// What the package says: { good, status, advisories } or { good: false, why }. The message of the error at the root.
const theirs = async (quote, collateral, now, root) => {
  const parsed = JSON.parse(collateral);
  try {
    const report = await (root ? QuoteVerifier.newWithRootCa(root).verify(quote, parsed, now) : verify(quote, parsed, now));
    return { good: true, status: report.status, advisories: [...report.advisory_ids ?? report.advisoryIds] };
  } catch (error) {
    return { good: false, why: String(error.cause ?? error) };
  }
};

const agree = async (said, now, root) => {
  const other = await theirs(said.quote, said.collateral, now, root);
  assert.equal(said.good, other.good, `${other.why} / ${JSON.stringify(said.lines)}`);
  if (!other.good) return other;
  assert.equal(said.lines.tcb_status.value, other.status);
  const advisories = said.lines.advisories.value === 'none' ? [] : said.lines.advisories.value.split(' ');
  assert.deepEqual(advisories.sort(), [...new Set(other.advisories)].sort());
  return other;
};

const forged = (kind, { component = 5, pce = 11, qe = 8, at = 20, value = 0, now = NOW, from = '', to = '' } = {}) => {
  const said = ours('make', kind, component, pce, qe, at, value, now, from, to);
  return agree(said, now, derOf(JSON.parse(said.collateral).tcb_info_issuer_chain));
};

for (const [kind, name] of [[3, 'SGX'], [4, 'TDX 1.0'], [52, 'TDX 1.0, version 5'], [53, 'TDX 1.5']]) {
  describe(name, () => {
    const tdx = kind !== 3;
    test('genuine', async () => assert.deepEqual(await forged(kind), { good: true, status: 'UpToDate', advisories: [] }));
    test('levels', async () => {
      for (const more of [{ component: 4 }, { pce: 10 }, { qe: 6 }, { component: 4, qe: 6 }]) {
        assert.equal((await forged(kind, more)).status, 'OutOfDate', JSON.stringify(more));
      }
      for (const more of [{ component: 3 }, { pce: 4 }, { qe: 5 }]) assert.equal((await forged(kind, more)).good, false, JSON.stringify(more));
    });
    test('merging', async () => {
      const level = `${tdx ? '{"svn":0}]' : '"pcesvn":11'}},"tcbStatus":"UpToDate"`;
      for (const status of ['SWHardeningNeeded', 'ConfigurationNeeded', 'ConfigurationAndSWHardeningNeeded', 'OutOfDate',
        'OutOfDateConfigurationNeeded', 'Revoked']) {
        await forged(kind, { from: level, to: level.replace('UpToDate', status) });
      }
      for (const status of ['SWHardeningNeeded', 'OutOfDate', 'OutOfDateConfigurationNeeded', 'Revoked']) {
        await forged(kind, { qe: 6, from: level, to: level.replace('UpToDate', status) });
      }
    });
    test('time', async () => {
      for (const days of [-15, -8, -6, 6, 13, 15]) await forged(kind, { now: NOW + days * 86400 });
    });
    test('other statements', async () => {
      for (const [from, to] of [['50806F000000', '50806F000001'], ['9E9E', '9E9F'], ['"version":2', '"version":1'],
        [tdx ? '"id":"TDX"' : '"id":"SGX"', tdx ? '"id":"SGX"' : '"id":"TDX"'], [tdx ? 'TD_QE' : '"QE"', tdx ? 'QE' : '"TD_QE"']]) {
        assert.equal((await forged(kind, { from, to })).good, false, from);
      }
    });
    test('reports', async () => {
      for (const [at, value] of tdx ? [[120, 1], [123, 0], [2, 3]] : [[48, 7]]) {
        assert.equal((await forged(kind, { at, value })).good, false, `byte ${at}`);
      }
      if (tdx) assert.equal((await forged(kind, { at: 2, value: 4 })).status, 'OutOfDate');
      if (kind === 53) assert.equal((await forged(kind, { at: 600, value: 1 })).good, false);
    });
    test('another root', async () => {
      const said = ours('make', kind, 5, 11, 8, 20, 0, NOW, '', '');
      assert.equal((await theirs(said.quote, said.collateral, NOW)).good, false);
    });
  });
}

// Where the two differ on purpose, ours does as Intel's own library.
describe('differences', () => {
  const made = (kind, qe, at, value, from, to) => ours('make', kind, 5, 11, qe, at, value, NOW, from, to).lines;
  const level = '"pcesvn":11},"tcbStatus":"UpToDate"';
  test('an old quoting enclave on a platform that needs configuration', () => {
    const lines = made(3, 6, 20, 0, level, level.replace('UpToDate', 'ConfigurationNeeded'));
    assert.equal(lines.tcb_status.value, 'OutOfDateConfigurationNeeded');
  });
  test('the TDX module has an identity, and levels of its own', () => {
    for (const [at, value] of [[0, 1], [1, 2], [64, 1], [112, 1]]) assert.equal(made(4, 8, at, value, '', '').tdx_module.state, 'failed');
    assert.equal(made(4, 8, 0, 2, '', '').tcb_status.value, 'OutOfDate');
    const components = '"tdxtcbcomponents":[{"svn":3}';
    assert.equal(made(4, 8, 0, 3, components, components.replace('3', '9')).tcb_status.value, 'UpToDate');
  });
});

const samples = process.env.EVIDENCE_SAMPLES ?? join(dirname(fileURLToPath(import.meta.url)), '../../shared/evidence');
test('a real quote', async (t) => {
  const at = (name) => join(samples, name);
  if (!existsSync(at('sgx'))) {
    console.log(`NOT TESTED: there are no samples of evidence in ${samples}`);
    return t.skip('no samples');
  }
  for (const instant of ['2025-07-01T00:00:00Z', '2025-06-19T10:30:00Z', '2025-08-01T00:00:00Z']) {
    const now = Date.parse(instant) / 1000;
    await agree(ours('check', 'sgx', at('sgx/phala_sgx_quote_v3.bin'), at('sgx/phala_sgx_quote_v3.collateral.json'), now), now);
  }
});
