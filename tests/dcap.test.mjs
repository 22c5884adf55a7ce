// A second opinion on Intel's evidence: our verifier and npm's @phala/dcap-qvl say the same of the same bytes, good and
// bad, and tell the same TCB status and advisories.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const { QuoteVerifier, verify } = createRequire(import.meta.url)('@phala/dcap-qvl');
const program = process.env.DCAP;
const NOW = 1790000000;

const ours = (...args) => {
  const said = { lines: {} };
  for (const row of execFileSync(program, args.map(String), { encoding: 'utf8', maxBuffer: 1 << 24 }).split('\n')) {
    const [what, rest] = [row.split(' ', 1)[0], row.slice(row.indexOf(' ') + 1)];
    if (what === 'quote' || what === 'collateral') said[what] = Buffer.from(rest, 'hex');
    if (what === 'root') said.root = rest;
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

// The command, from an attestation reply to its verdict of it.
describe('neocompute verify', () => {
  const dir = mkdtempSync(join(tmpdir(), 'dcap-'));
  after(() => rmSync(dir, { recursive: true }));
  const file = (name, content) => { writeFileSync(join(dir, name), content); return join(dir, name); };
  const b64 = (bytes) => Buffer.from(bytes).toString('base64url');
  const document = JSON.stringify({ build: 'b', cfg_sha256: b64(createHash('sha256').update('{}').digest()), cnf: { jwks: [
    { crv: 'P-256', kty: 'EC', x: 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs', y: '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA' },
    { crv: 'X25519', kty: 'OKP', x: b64(new Uint8Array(32).fill(3)) }] }, eng: 'e0', exp: NOW + 86400, iat: NOW, iso: 'process', iss: 'neocompute', tee: 'tdx', ver: 2 });
  const said = ours('bind', 53, createHash('sha512').update('neocompute-key-binding-v1\0').update(document).digest('hex'));
  const reply = file('attestation.json', JSON.stringify({ document: b64(document), document_sha256: createHash('sha256').update(document).digest('hex'),
    evidence: { type: 'tdx', media_type: 'application/vnd.intel.tdx-quote', raw: b64(said.quote) } }));
  const tdx = { mrtd: ['d0'.repeat(48)], rtmr0: 'any', rtmr1: ['01'.repeat(48)], rtmr2: 'any', rtmr3: 'any' };
  const roots = [said.root];
  const run = (policy, more = ['--collateral', file('collateral.json', said.collateral)]) => spawnSync(process.env.NEOCOMPUTE, ['verify',
    file('response.json', '{}'), '--attestation', reply, '--at', '2026-09-21T14:13:20Z', '--policy', file('policy.json', JSON.stringify(policy)), ...more],
  { encoding: 'utf8' }).stdout;
  test('takes it', () => {
    const out = run({ roots, tdx });
    assert.match(out, /^attestation  ok           tdx, issued 2026/m);
    assert.match(out, /^  tcb_status       ok           UpToDate$/m);
    assert.match(out, /^signature    FAILED/m);
  });
  test('does not', () => {
    assert.match(run({ tdx }), /^attestation  FAILED       (self|unable|self-signed)/m);
    assert.match(run({ roots, tdx }, []), /^attestation  FAILED       .*needs Intel's collateral/m);
    assert.match(run({ roots, tdx: { ...tdx, rtmr1: ['02'.repeat(48)] } }), /^attestation  FAILED       rtmr1 (01)+ is not one that the policy lists/m);
    assert.match(run({ roots, tdx: { ...tdx, rtmr1: undefined } }), /^attestation  FAILED       rtmr1 (01)+: the policy does not say/m);
    assert.match(run({ roots, tdx, min_tcb_evaluation: 18 }), /^attestation  FAILED       .* TCB evaluation 17/m);
    const { evidence } = JSON.parse(run({ roots }, ['--json']));
    assert.deepEqual(evidence.find(({ check }) => check === 'quote_signature'), { check: 'quote_signature', result: 'ok', detail: 'by the attestation key' });
    assert.equal(evidence.find(({ check }) => check === 'mrtd').result, 'not_checked');
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
