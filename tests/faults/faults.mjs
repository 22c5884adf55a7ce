// What the tests of faults share.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { cli, file } from '../lib.mjs';
import { ask, execute, processes, until } from '../service/service.mjs';

export const fine = 'function main() { return { ok: true } }';
export const endless = 'function main() { for (;;); }';

export const job = (service, id, options) => ask(service, 'GET', `/jobs/${id}`, options);
export const ended = (service, id, options) => until(async () => {
  const reply = await job(service, id, options);
  return reply.json?.status !== 'running' && reply;
}, `the end of ${id}`, 60_000); // a long job steps back behind whatever else this machine does

// Starts an asynchronous job and waits until it is acknowledged; its id.
export async function accepted(service, body, options) {
  const reply = await execute(service, { async: true, ...body }, options);
  assert.equal(reply.status, 202, reply.text);
  return reply.json.job_id;
}

// The receipt of a reply holds, by the attestation document that it names, for this script and user.
export async function assertVerifies(service, text, { script, user = 'alice', timeout = '30' }) {
  const { attestation } = JSON.parse(text);
  const document = await ask(service, 'GET', `/attestation/${attestation}`);
  assert.equal(document.status, 200, document.text);
  const { status, stdout, stderr } = cli(['verify', file(text, 'reply.json'), '--script', file(script), '--input', file('{}', 'input.json'), '--attestation',
    file(document.text, 'attestation.json'), '--allow-simulated', '--user', user, '--timeout', timeout]);
  assert.equal(status, 0, `${stdout}${stderr}${text}`);
}

export const alive = (pid) => { try { return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')); } catch { return false; } };

// The service ends by itself: with a status that is not 0, within `ms`, and nothing of it is left.
export async function assertOver(service, before, ms = 5000) {
  const { status, signal } = await until(() => service.exit, 'the end of the service', ms);
  assert.deepEqual([signal, status], [null, 1], service.text);
  await until(() => before.every(({ pid }) => !alive(pid)), `the end of ${JSON.stringify(before.filter(({ pid }) => alive(pid)))}`, 2000);
}

// All processes at once.
export async function killAll(service) {
  const all = processes(service);
  for (const { pid } of all) { try { process.kill(pid, 'SIGKILL'); } catch { /* its parent's end was its own */ } }
  await service.ended;
  await until(() => all.every(({ pid }) => !alive(pid)), 'the end of all processes', 2000);
}

export const descriptors = (pid) => readdirSync(`/proc/${pid}/fd`).length;
