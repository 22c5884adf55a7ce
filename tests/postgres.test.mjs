// The secret store's statements on a real PostgreSQL server (egress/postgres.c, deploy/postgres/secrets.sql).
import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { createInterface } from 'node:readline';
import { startPostgres } from './postgres.mjs';

const FIND = 1, ALL = 2, WRITE = 3, REMOVE = 4, USE = 5, AUDIT = 6, AUDITS = 7, POLICIES = 8;
let server, client;

function connect(connection) {
  const child = spawn(process.env.POSTGRES, [connection], { stdio: ['pipe', 'pipe', 'pipe'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let trouble = '';
  child.stderr.on('data', (d) => { trouble += d; });
  return {
    child, trouble: () => trouble,
    say: (text) => child.stdin.write(text),
    async ask(...statements) {
      child.stdin.write(statements.map((s) => s.join('\t') + '\n').join('') + '\n');
      for (const rows = []; ;) {
        const { value, done } = await lines.next();
        assert.ok(!done, 'the client ended');
        if (value.startsWith('= ')) return { result: value.slice(2), rows };
        rows.push(value.split('\t'));
      }
    },
    end() { child.stdin.end(); return new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal))); },
  };
}

before(async () => { server = await startPostgres(); client = connect(server.connection); });
after(async () => { assert.equal(await client.end(), 0); await server.stop(); });

const ok = async (...statements) => {
  const { result, rows } = await client.ask(...statements);
  assert.equal(result, 'ok', client.trouble());
  return rows;
};
const is = async (want, ...statements) => assert.deepEqual(await client.ask(...statements), { result: want, rows: [] });

test('what is written is found, by its user and name only', async () => {
  assert.deepEqual(await ok([FIND, 'u', 'a']), []);
  assert.deepEqual(await ok([WRITE, 'u', 'a', 1, 'value one', 0]), []);
  const [[index, version, value, uses, time]] = await ok([FIND, 'u', 'a']);
  assert.deepEqual([index, version, value, uses], ['0', '1', 'value one', '']);
  assert.ok(Math.abs(Number(time) - Date.now() / 1000) < 60);
  assert.deepEqual(await ok([FIND, 'u', 'b'], [FIND, 'v', 'a'], [FIND, 'U', 'a']), []);
});

test('a version takes the place of the one it knows, and of no other', async () => {
  await ok([WRITE, 'v', 'a', 1, 'one', 0]);
  await is('secret_conflict', [WRITE, 'v', 'a', 1, 'again', 0]);
  await is('secret_conflict', [WRITE, 'v', 'a', 3, 'three', 2]);
  await is('secret_conflict', [WRITE, 'v', 'none', 2, 'two', 1]);
  await ok([WRITE, 'v', 'a', 2, 'two', 1]);
  assert.deepEqual((await ok([FIND, 'v', 'a'])).map((r) => r.slice(1, 3)), [['2', 'two']]);
  assert.deepEqual(await ok([FIND, 'v', 'none']), []);
});

test('a query is done all or not at all', async () => {
  await is('secret_conflict', [WRITE, 'w', 'a', 1, 'x', 0], [AUDIT, 'w', 'a', 'write', 'neocompute', 'agent', 1, ''], [WRITE, 'w', 'a', 1, 'y', 0]);
  assert.deepEqual(await ok([FIND, 'w', 'a'], [AUDITS, 'w', 'a', 0, 10]), []);
  await ok([WRITE, 'w', 'a', 1, 'x', 0], [AUDIT, 'w', 'a', 'write', 'neocompute', 'agent', 1, '']);
  assert.equal((await ok([FIND, 'w', 'a'], [AUDITS, 'w', 'a', 0, 10])).length, 2);
});

test('uses are counted by who saw the last count, and forgotten with a new version', async () => {
  await ok([WRITE, 'x', 'a', 1, 'v', 0]);
  await ok([USE, 'x', 'a', 'sealed 1', '']);
  await is('secret_conflict', [USE, 'x', 'a', 'sealed 2', '']);
  await is('secret_conflict', [USE, 'x', 'a', 'sealed 2', 'sealed 0']);
  await is('secret_conflict', [USE, 'x', 'b', 'sealed 2', 'sealed 1']);
  await ok([USE, 'x', 'a', 'sealed 2', 'sealed 1']);
  assert.equal((await ok([FIND, 'x', 'a']))[0][3], 'sealed 2');
  await ok([WRITE, 'x', 'a', 2, 'v', 1]);
  assert.equal((await ok([FIND, 'x', 'a']))[0][3], '');
});

test('lists, audit rows and policies', async () => {
  for (const name of ['b', 'a', 'c']) await ok([WRITE, 'l', name, 1, `v ${name}`, 0]);
  assert.deepEqual((await ok([ALL, 'l'])).map((r) => r.slice(1, 4)), [['a', '1', 'v a'], ['b', '1', 'v b'], ['c', '1', 'v c']]);
  for (let i = 0; i < 5; i++) await ok([AUDIT, 'l', 'a', 'read', 'neocompute', `agent ${i}`, i % 2, i % 2 ? '' : 'refused']);
  const rows = await ok([AUDITS, 'l', 'a', 0, 3]);
  assert.deepEqual(rows.map((r) => r.slice(2, 7)), [4, 3, 2].map((i) => ['read', 'neocompute', `agent ${i}`, `${i % 2}`, i % 2 ? '' : 'refused']));
  assert.deepEqual((await ok([AUDITS, 'l', 'a', rows[2][1], 10])).map((r) => r[4]), ['agent 1', 'agent 0']);
  server.sql("INSERT INTO secret_policies (user_id, secret_name, service_id) VALUES ('l', 'a', 'neocompute'), ('l', 'a', 'other')");
  assert.deepEqual((await ok([POLICIES, 'l', 'a'], [POLICIES, 'l', 'b'])).map((r) => r[1]).sort(), ['neocompute', 'other']);
});

test('a secret that is removed is gone, and says so once', async () => {
  await ok([WRITE, 'r', 'a', 7, 'v', 0], [USE, 'r', 'a', 'u', '']);
  assert.deepEqual(await ok([REMOVE, 'r', 'a']), [['0', '7']]);
  assert.deepEqual(await ok([REMOVE, 'r', 'a'], [FIND, 'r', 'a']), []);
  await ok([WRITE, 'r', 'a', 1, 'v', 0]);
  assert.equal((await ok([FIND, 'r', 'a']))[0][3], '');
});

test('values are values: quotes, large ones, other scripts', async () => {
  const hostile = ["'; DROP TABLE secrets; --", '$1', '\\', 'ключ 🔑', 'x'.repeat(100000)];
  for (const [i, value] of hostile.entries()) {
    await ok([WRITE, value.slice(0, 50), `n${i}`, 1, value, 0]);
    assert.equal((await ok([FIND, value.slice(0, 50), `n${i}`]))[0][2], value);
  }
});

test('statements that are none are refused before they are sent', async () => {
  for (const bad of [[0, 'a', 'b'], [9, 'a', 'b'], [FIND, 'a'], [FIND, 'a', 'b', 'c'], [ALL]]) await is('refused', bad);
  await is('refused');
});

test('a value that the server refuses fails its query only', async () => {
  await is('secret_store_unavailable', [WRITE, 'e', 'a', 'not a number', 'v', 0]);
  await is('secret_store_unavailable', [WRITE, 'e', 'a', -1, 'v', 0]);
  assert.deepEqual(await ok([FIND, 'e', 'a']), []);
});

test('a server that restarts is found again', async () => {
  await ok([WRITE, 'restart', 'a', 1, 'v', 0]);
  await server.halt();
  await is('secret_store_unavailable', [FIND, 'restart', 'a']);
  await server.boot();
  let answer;
  for (let i = 0; i < 30; i++) {
    answer = await client.ask([FIND, 'restart', 'a']);
    if (answer.result === 'ok') break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.equal(answer.rows[0][2], 'v');
});

test('a server that is silent is given up in time, and not for good', async () => {
  client.say('timeout 300\n');
  server.sql('SELECT 1');
  const lock = connect(server.connection);
  // Another transaction holds the row.
  const holder = spawn('psql', ['-h', server.directory, '-U', 'neocompute', '-d', 'postgres', '-qAtX'], { stdio: ['pipe', 'pipe', 'inherit'] });
  holder.stdin.write("BEGIN; LOCK TABLE secrets IN ACCESS EXCLUSIVE MODE; SELECT 'held';\n");
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  await is('secret_store_unavailable', [FIND, 'restart', 'a']);
  holder.stdin.end('ROLLBACK;\n');
  await new Promise((resolve) => holder.once('exit', resolve));
  assert.equal(await lock.end(), 0);
  client.say('timeout 5000\n');
  for (let i = 0; i < 30; i++) {
    if ((await client.ask([FIND, 'restart', 'a'])).result === 'ok') return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.fail('it is not found again');
});

test('a database without the tables, no server, and no connection string', async () => {
  server.sql('CREATE DATABASE empty');
  for (const connection of [server.connection.replace('dbname=postgres', 'dbname=empty'), 'host=/nowhere dbname=x', 'host=127.0.0.1 port=1', 'no=setting', '']) {
    const other = connect(connection);
    other.say('timeout 1000\n');
    assert.equal((await other.ask([FIND, 'a', 'b'])).result, 'secret_store_unavailable', connection);
    assert.equal(await other.end(), 0);
  }
});
