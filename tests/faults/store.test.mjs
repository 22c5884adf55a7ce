// The disk is full, a file may not be written, a record was changed, a key is another: what callers and operators see, and
// that nothing that was acknowledged is lost.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, closeSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { MASTER_KEY, ask, assertProblem, completed, execute, processOf, scratch, serve, until } from '../service/service.mjs';
import { accepted, assertVerifies, ended, endless, fine, job } from './faults.mjs';

const database = (state) => join(state, 'jobs.sqlite');
const sql = (state, text) => execFileSync('sqlite3', [database(state), text], { encoding: 'utf8' }).trim();
const blob = (id) => `x'${id.replaceAll('-', '')}'`;

// The service does not start, and its log says why.
async function refused(options, why) {
  const service = await serve({ ...options, wait: false });
  const { status, signal } = await service.ended;
  assert.deepEqual([status, signal], [1, null], service.text);
  const said = service.log.find(({ problem, reason }) => why.test(problem ?? '') || why.test(reason ?? ''));
  assert.equal(said?.level, 'error', service.text);
  assert.equal(service.events('listening').length, 0);
}

// ---- a full disk ----

// Two ways to fill it: each has {state, fill(service), free(service)}.
function bySize() {
  // As who the broker is: root's is nobody.
  const as = process.getuid() === 0 ? { uid: 65534, gid: 65534 } : {};
  const limit = (service, soft) => execFileSync('prlimit', ['--pid', processOf(service, 'broker').pid, `--fsize=${soft}:`], as);
  return { state: scratch(), fill: (service) => limit(service, 4096), free: (service) => limit(service, 'unlimited') };
}

function byFileSystem() {
  const state = scratch();
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=0700', 'neocompute-test', state]).status !== 0) return null;
  const ballast = join(state, 'ballast');
  const fill = () => {
    const fd = openSync(ballast, 'w');
    const room = Buffer.alloc(4096);
    try { for (;;) writeSync(fd, room); } catch (error) { assert.equal(error.code, 'ENOSPC'); } finally { closeSync(fd); }
  };
  return { state, fill, free: () => rmSync(ballast), gone: () => execFileSync('umount', [state]) };
}

for (const [name, make] of [['a file may not grow', bySize], ['the file system is full', byFileSystem]]) {
  const disk = make();
  test(`disk full: ${name}`, { skip: disk === null && 'may not mount' }, async () => {
    const service = await serve({ state: disk.state });
    let running;
    try {
      const before = await completed(service, { script: fine });
      // Both are acknowledged before the disk is full, and end while it is.
      running = await accepted(service, { script: 'function main() { const until = Date.now() + 400; while (Date.now() < until); return { ran: true } }' });
      const cut = await accepted(service, { script: endless, timeout: 1 });
      disk.fill(service);
      assertProblem(await execute(service, { script: fine }), 503, 'store_unavailable');
      const refusal = await execute(service, { script: endless, async: true });
      assertProblem(refusal, 503, 'store_unavailable');
      assert.ok(Number(refusal.headers['retry-after']) >= 1);
      assertProblem(await execute(service, { script: fine }, { headers: { 'idempotency-key': 'k' } }), 503, 'store_unavailable');
      // What was there is there.
      assert.deepEqual((await job(service, before.job_id)).json, before);
      assert.equal((await ask(service, 'GET', '/health')).status, 200);
      await until(() => service.events('record_not_stored').length >= 5, 'the running jobs\' ends, refused');
      disk.free(service);
      assert.deepEqual((await ended(service, running)).json.output, { ran: true });
      const { json, text } = await ended(service, cut);
      assert.equal(json.error_code, 'timeout');
      await assertVerifies(service, text, { script: endless, timeout: '1' });
      const later = await completed(service, { script: fine }, { headers: { 'idempotency-key': 'k' } });
      const { json: list } = await ask(service, 'GET', '/jobs');
      assert.deepEqual(list.map(({ job_id: id }) => id), [later.job_id, cut, running, before.job_id]);
    } finally { await service.stop(); }
    const again = await serve({ state: disk.state });
    try {
      assert.deepEqual((await job(again, running)).json.output, { ran: true });
      assert.equal((await ask(again, 'GET', '/jobs')).json.length, 4);
    } finally {
      await again.stop();
      disk.gone?.();
    }
  });
}

test('disk full, then killed: an acknowledged job whose end could not be stored was interrupted', async () => {
  const disk = bySize();
  const service = await serve({ state: disk.state });
  const id = await accepted(service, { script: 'function main() { const until = Date.now() + 200; while (Date.now() < until); return 1 }' });
  try {
    disk.fill(service);
    await until(() => service.events('record_not_stored').length >= 1, 'its end, refused');
  } finally { await service.kill(); }
  const again = await serve({ state: disk.state });
  try { assert.equal((await job(again, id)).json.error_code, 'interrupted'); } finally { await again.stop(); }
});

// ---- what others did to the file while the service was down ----

// A directory with a job of each kind in it; the service has ended. `ids`: newest first.
const written = await (async () => {
  const state = scratch();
  const service = await serve({ state });
  const replies = [];
  for (let i = 0; i < 4; i++) replies.unshift(await completed(service, { script: `function main() { return { i: ${i} } }` }));
  const bobs = await completed(service, { script: fine }, { user: 'bob' });
  await service.stop();
  return { state, replies, bobs };
})();
const bytes = readFileSync(database(written.state));

// A copy of that directory's file.
function copy() {
  const state = scratch();
  writeFileSync(database(state), bytes, { mode: 0o600 });
  return state;
}

const record = (state, id) => sql(state, `SELECT hex(record) FROM jobs WHERE id = ${blob(id)}`);
const setRecord = (state, id, hex) => sql(state, `UPDATE jobs SET record = x'${hex}' WHERE id = ${blob(id)}`);

async function assertCorrupt(state, ids, { env } = {}) {
  const service = await serve({ state, env });
  try {
    const { json: list, status } = await ask(service, 'GET', '/jobs');
    assert.equal(status, 200);
    assert.deepEqual(list.map(({ job_id: id }) => id), written.replies.map(({ job_id: id }) => id));
    for (const [i, reply] of written.replies.entries()) {
      if (ids.includes(reply.job_id)) {
        const problem = assertProblem(await job(service, reply.job_id), 500, 'record_corrupt');
        assert.match(problem.message, /changed, moved or sealed with another key/);
        assert.deepEqual([list[i].status, list[i].error_code, list[i].output], ['failed', 'record_corrupt', undefined]);
        assertProblem(await ask(service, 'GET', `/jobs/${reply.job_id}/events`), 500, 'record_corrupt');
      } else {
        assert.deepEqual((await job(service, reply.job_id)).json, reply);
        assert.deepEqual(list[i], reply);
      }
    }
    await completed(service, { script: fine }, { user: 'carol' });
    for (const id of ids) assert.equal((await ask(service, 'DELETE', `/jobs/${id}`)).status, 204);
  } finally { await service.stop(); }
}

describe('records', () => {
  const [a, b] = written.replies.map(({ job_id: id }) => id);
  test('one bit changed', async () => {
    for (const at of [0, 20, -1]) {
      const state = copy();
      const changed = Buffer.from(record(state, a), 'hex');
      changed[at < 0 ? changed.length + at : at] ^= 1;
      setRecord(state, a, changed.toString('hex'));
      await assertCorrupt(state, [a]);
    }
  });
  test('cut short, and empty', async () => {
    const state = copy();
    setRecord(state, a, record(state, a).slice(0, -2));
    setRecord(state, b, '');
    await assertCorrupt(state, [a, b]);
  });
  test('two of one user\'s swapped', async () => {
    const state = copy();
    const [first, second] = [record(state, a), record(state, b)];
    setRecord(state, a, second);
    setRecord(state, b, first);
    await assertCorrupt(state, [a, b]);
  });
  test('another user\'s put in its place', async () => {
    const state = copy();
    setRecord(state, a, record(state, written.bobs.job_id));
    await assertCorrupt(state, [a]);
  });
  test('another user\'s job made one\'s own', async () => {
    const state = copy();
    sql(state, `UPDATE jobs SET user = (SELECT user FROM jobs WHERE id = ${blob(a)}) WHERE id = ${blob(written.bobs.job_id)}`);
    const service = await serve({ state });
    try { assertProblem(await job(service, written.bobs.job_id), 500, 'record_corrupt'); } finally { await service.stop(); }
  });
  test('a job that ended made one that runs: its record says what it came to', async () => {
    const state = copy();
    sql(state, `UPDATE jobs SET status = 1, expires_ms = 0 WHERE id = ${blob(a)}`);
    const service = await serve({ state });
    try { assert.deepEqual((await job(service, a)).json, written.replies[0]); } finally { await service.stop(); }
  });
  test('one that says it runs, and is empty: the start does not wait for it', async () => {
    const state = copy();
    sql(state, `UPDATE jobs SET status = 1, expires_ms = 0, record = x'' WHERE id = ${blob(a)}`);
    await assertCorrupt(state, [a]);
  });
});

describe('another key', () => {
  test('what was stored does not open, and says so; with the right key it does', async () => {
    const state = copy();
    const env = { COMPUTE_MASTER_KEY: MASTER_KEY.replaceAll('0', 'f') };
    const service = await serve({ state, env });
    try {
      for (const { job_id: id } of written.replies) assertProblem(await job(service, id), 500, 'record_corrupt');
      const { json: list } = await ask(service, 'GET', '/jobs');
      assert.deepEqual(list.map(({ error_code: code }) => code), Array(4).fill('record_corrupt'));
      await completed(service, { script: fine }, { user: 'carol' });
    } finally { await service.stop(); }
    const again = await serve({ state });
    try { for (const reply of written.replies) assert.deepEqual((await job(again, reply.job_id)).json, reply); } finally { await again.stop(); }
  });

  test('a job that ran is interrupted once the right key is back', async () => {
    const state = scratch();
    const service = await serve({ state });
    const id = await accepted(service, { script: endless });
    await service.kill();
    const other = await serve({ state, env: { COMPUTE_MASTER_KEY: MASTER_KEY.replaceAll('0', 'f') } });
    try { assertProblem(await job(other, id), 500, 'record_corrupt'); } finally { await other.stop(); }
    const again = await serve({ state });
    try { assert.equal((await job(again, id)).json.error_code, 'interrupted'); } finally { await again.stop(); }
  });
});

describe('a start is refused', () => {
  test('a database that may only be read', () => {
    const state = copy();
    chmodSync(database(state), 0o400);
    return refused({ state }, /jobs\.sqlite: Permission denied/);
  });
  test('no database', () => {
    const state = copy();
    writeFileSync(database(state), Buffer.concat([Buffer.alloc(1000, 'x'), bytes.subarray(1000)]));
    return refused({ state }, /jobs\.sqlite: file is not a database/);
  });
  test('a database cut off', () => {
    const state = copy();
    writeFileSync(database(state), bytes.subarray(0, 5000));
    return refused({ state }, /jobs\.sqlite: database disk image is malformed/);
  });
  test('another program\'s', () => {
    const state = copy();
    sql(state, 'PRAGMA application_id = 1');
    return refused({ state }, /another program's database/);
  });
  test('a newer version\'s, which is left as it is', async () => {
    const state = copy();
    sql(state, 'PRAGMA user_version = 99');
    await refused({ state }, /written by another version of this service/);
    assert.equal(sql(state, 'PRAGMA user_version; SELECT count(*) FROM jobs'), '99\n5');
  });
  test('a second service in the same directory, which does not harm the first', async () => {
    const state = scratch();
    const service = await serve({ state });
    try {
      const before = await completed(service, { script: fine });
      await refused({ state }, /another service uses the state directory/);
      assert.deepEqual((await job(service, before.job_id)).json, before);
    } finally { await service.stop(); }
  });
});

test('a page of the database overwritten: 503 for what needs it, and the service stands', async () => {
  const state = copy();
  const page = Number(sql(state, "SELECT rootpage FROM sqlite_schema WHERE name = 'jobs'"));
  const fd = openSync(database(state), 'r+');
  writeSync(fd, Buffer.alloc(4096, 0xa5), 0, 4096, (page - 1) * 4096);
  closeSync(fd);
  const service = await serve({ state });
  try {
    assertProblem(await job(service, written.replies[0].job_id), 503, 'store_unavailable');
    assertProblem(await ask(service, 'GET', '/jobs'), 503, 'store_unavailable');
    assertProblem(await execute(service, { script: fine }), 503, 'store_unavailable');
    assert.equal((await ask(service, 'GET', '/health')).status, 200);
  } finally { await service.stop(); }
});
