// Attestation of a running service: evidence as Gramine gives it, from files that this test makes, signed by an Intel of our own
// (tests/intel.c), and verified with its roots; without hardware; without any evidence; keys that change.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { binary } from '../lib.mjs';
import { readReceipt } from '../receipts.mjs';
import { gramine } from './gramine.mjs';
import { ask, MASTER_KEY, refusedStart, scratch, serve, sleep, until } from './service.mjs';

const { DATED, DCAP } = process.env;
const TODAY = '2026-09-21T14:30:00Z'; // when DATED begins, and a bit
const script = 'function main() { return { n: 1 } }';
const run = (service, body = { script }) => ask(service, 'POST', '/execute', { user: 'ada', body });
const cli = (args) => spawnSync(binary, args, { encoding: 'utf8' });
const documentOf = (reply) => JSON.parse(Buffer.from(reply.document, 'base64url'));
const keyOf = (reply) => documentOf(reply).cnf.jwks[0];

function said(...args) {
  const lines = execFileSync(DCAP, args, { encoding: 'utf8' }).trim().split('\n').map((line) => line.split(' '));
  return Object.fromEntries(lines);
}

const genuine = (reportData, tree) => {
  const made = said('bind', '3', reportData.toString('hex'));
  tree.made.push({ ...made, reportData: reportData.toString('hex') });
  return Buffer.from(made.quote, 'hex');
};

describe('evidence of hardware', () => {
  test('is fetched, bound to the keys, and verified', async () => {
    const tree = gramine(genuine), dir = scratch();
    const file = (name, text) => { writeFileSync(join(dir, name), text); return join(dir, name); };
    const service = await serve({ program: DATED, args: ['--attest-root', tree.root, '--strict', 'on', '--auth-mode', 'jwt'], env: { NEOCOMPUTE_JWT_SECRET: 's'.repeat(32), NEOCOMPUTE_JWT_ISSUER: 'i', NEOCOMPUTE_JWT_AUDIENCE: 'a' } });
    const info = (await ask(service, 'GET', '/info')).json;
    assert.deepEqual([info.tee, info.simulated, info.enclave], ['sgx', false, true]);
    assert.equal(service.events('evidence_simulated').length, 0);
    const nonce = 'ab'.repeat(32);
    // Not and wait: the quote comes from here.
    await promisify(execFile)(binary, ['attest', 'fetch', service.url, '--nonce', nonce, '--output', join(dir, 'a.json')]);
    const reply = JSON.parse(readFileSync(join(dir, 'a.json'))), document = documentOf(reply);
    assert.equal(document.tee, 'sgx');
    assert.equal(document.eat_nonce, Buffer.from(nonce, 'hex').toString('base64url'));
    const bound = createHash('sha512').update('neocompute-key-binding-v1\0').update(Buffer.from(reply.document, 'base64url')).digest('hex');
    const made = tree.made.find(({ reportData }) => reportData === bound);
    assert.ok(made);
    const collateral = file('c.json', Buffer.from(made.collateral, 'hex'));
    let policies = 0;
    const policy = (changes = {}) => file(`p${policies++}.json`, JSON.stringify({ roots: [made.root], sgx: { mrenclave: ['e1'.repeat(32)] }, tees: ['sgx'], engines: [document.eng], ...changes }));
    const verify = (...more) => cli(['attest', 'verify', join(dir, 'a.json'), '--at', TODAY, ...more]);
    const good = verify('--policy', policy(), '--collateral', collateral, '--nonce', nonce);
    assert.equal(good.status, 0, good.stdout + good.stderr);
    for (const line of [/^quote_signature +ok/m, /^tcb_status +ok +UpToDate$/m, /^mrenclave +ok +(e1)+$/m, /^report_data +ok/m, /^expiry +ok/m, /^nonce +ok/m, /^engine +ok/m, /^verdict: verified$/m])
      assert.match(good.stdout, line);
    const json = JSON.parse(verify('--policy', policy(), '--collateral', collateral, '--json').stdout);
    assert.deepEqual([json.verdict, json.reason, json.simulated, json.document_sha256], ['verified', null, false, reply.document_sha256]);
    for (const [name, what, args] of [
      ['no collateral', /not checked/, ['--policy', policy()]],
      ['no policy: nobody knows this Intel', /^pck_chain +FAILED/m, ['--collateral', collateral]],
      ['another nonce', /^nonce +FAILED/m, ['--policy', policy(), '--collateral', collateral, '--nonce', 'ac'.repeat(32)]],
      ['another engine', /^engine +FAILED/m, ['--policy', policy({ engines: ['e'] }), '--collateral', collateral]],
      ['another enclave', /^mrenclave +FAILED/m, ['--policy', policy({ sgx: { mrenclave: ['e2'.repeat(32)] } }), '--collateral', collateral]],
      ['too late', /^expiry +FAILED/m, ['--policy', policy(), '--collateral', collateral, '--at', '2027-09-21T14:30:00Z']]]) {
      const bad = verify(...args);
      assert.equal(bad.status, 1, name);
      assert.match(bad.stdout, what, name);
      assert.match(bad.stdout, /^verdict: NOT VERIFIED/m, name);
    }
    const shown = cli(['attest', 'show', join(dir, 'a.json')]).stdout;
    for (const line of [/^mrenclave +(e1){32}$/m, new RegExp(`^report_data +${bound}$`, 'm'), /^certificate +.*Intel SGX PCK Certificate/m, /^ {2}not after +2026-10-05T/m, /^fmspc /m, /^auth\.mode +jwt$/m, /^exp +\d+ \(2026-/m])
      assert.match(shown, line);
    await service.stop();
  });

  test('that fails: no start; later, 503, and all else goes on', async () => {
    let give = () => Buffer.from('no quote');
    const tree = gramine((data, all) => give(data, all));
    const options = { program: DATED, args: ['--attest-root', tree.root, '--attest-provider', 'gramine'] };
    const service = await serve({ ...options, wait: false });
    assert.deepEqual(await service.ended, { status: 1, signal: null });
    const [failed] = service.events('evidence_failed');
    assert.deepEqual([failed.provider, failed.result, failed.level], ['gramine', 'io', 'error']);
    give = genuine;
    const better = await serve(options);
    give = () => Buffer.from('no quote');
    const path = `/attestation?nonce=${'A'.repeat(22)}`;
    const refused = await ask(better, 'GET', path);
    assert.deepEqual([refused.status, refused.json.error_code, refused.headers['retry-after']], [503, 'evidence_unavailable', '5']);
    assert.equal((await run(better)).json.status, 'completed');
    assert.equal((await ask(better, 'GET', '/attestation')).status, 200);
    await better.stop();
  });

  test('that never comes: nothing waits for it', async () => {
    let hang = false, release;
    const stuck = new Promise((resolve) => { release = resolve; });
    const tree = gramine(async (data, all) => { if (hang) await stuck; return genuine(data, all); });
    const service = await serve({ program: DATED, args: ['--attest-root', tree.root] });
    hang = true;
    const path = `/attestation?nonce=${'A'.repeat(22)}`, { json: { attestation } } = await ask(service, 'GET', '/info');
    const first = ask(service, 'GET', path, { user: 'one' });
    service.child.kill('SIGUSR1');
    assert.equal((await run(service)).json.status, 'completed');
    assert.equal((await first).json.error_code, 'evidence_unavailable');
    assert.equal((await ask(service, 'GET', path, { user: 'two' })).json.error_code, 'evidence_unavailable');
    assert.equal((await ask(service, 'GET', '/info')).json.attestation, attestation); // the keys are what they were
    assert.equal((await run(service)).json.attestation, attestation);
    hang = false;
    release();
    await until(async () => (await ask(service, 'GET', path, { user: `${Math.random()}` })).status === 200, 'evidence again');
    await service.stop();
  });
});

describe('without hardware', () => {
  test('is said aloud', async () => {
    const service = await serve();
    assert.equal(service.events('evidence_simulated').length, 1);
    const info = (await ask(service, 'GET', '/info')).json;
    assert.deepEqual([info.tee, info.simulated, info.enclave], ['sim', true, false]);
    await service.stop();
  });

  test('a strict service does not start, nor one that was told of hardware', async () => {
    const env = { COMPUTE_MASTER_KEY: MASTER_KEY, NEOCOMPUTE_JWT_SECRET: 's'.repeat(32), NEOCOMPUTE_STRICT: 'on', NEOCOMPUTE_AUTH: 'jwt' };
    assert.match((await refusedStart({ env: { ...env, NEOCOMPUTE_STRICT: 'auto', OE_SIMULATION: '0' } })).reason, /strict service needs hardware/);
    for (const args of [[], ['--attest-provider', 'sim']]) assert.match((await refusedStart({ env, args })).reason, /strict service needs hardware/);
    assert.match((await refusedStart({ args: ['--attest-provider', 'nitro', '--attest-root', scratch()] })).reason, /this machine has no nitro/);
    assert.match((await refusedStart({ args: ['--attest-provider', 'tpm'] })).reason, /this machine has no tpm/);
  });
});

describe('keys change on request', () => {
  test('receipts begin anew, and earlier documents stay', async () => {
    const service = await serve({ state: scratch() });
    const before = (await ask(service, 'GET', '/attestation')).json;
    const made = (await run(service)).json, again = (await run(service)).json;
    const slow = run(service, { script: 'function main() { for (const end = Date.now() + 1500; Date.now() < end;); return {} }' });
    await sleep(300);
    service.child.kill('SIGUSR1');
    await until(() => service.events('keys_rotated').length, 'new keys');
    const now = await until(async () => {
      const { json } = await ask(service, 'GET', '/attestation');
      return json.document_sha256 !== before.document_sha256 && json;
    }, 'a new document');
    assert.notEqual(keyOf(now).x, keyOf(before).x);
    assert.notEqual(documentOf(now).cnf.jwks[1].x, documentOf(before).cnf.jwks[1].x);
    const across = (await slow).json, later = (await run(service)).json;
    assert.deepEqual([made, again].map(({ receipt }) => readReceipt(receipt, keyOf(before)).payload.seq), [1, 2]);
    assert.deepEqual([across, later].map(({ receipt }) => readReceipt(receipt, keyOf(now)).payload.seq), [1, 2]);
    assert.deepEqual([made, across].map(({ attestation }) => attestation), [before, now].map((reply) => reply.document_sha256));
    assert.equal(readReceipt(across.receipt, keyOf(now)).payload.prev, Buffer.alloc(32).toString('base64url'));
    assert.deepEqual((await ask(service, 'GET', `/attestation/${made.attestation}`)).json, before);
    assert.deepEqual((await ask(service, 'GET', `/jobs/${made.job_id}?attestation=1`, { user: 'ada' })).json.attestation_reply, before);
    assert.equal((await ask(service, 'GET', '/info')).json.attestation, now.document_sha256);
    assert.equal((await ask(service, 'GET', '/jobs', { user: 'ada' })).json.length, 4);
    await service.stop();
  });
});
