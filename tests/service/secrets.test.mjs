// Secrets through the real binaries: the same cases against every store that can be written, and what each store adds.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { origin } from '../origin.mjs';
import { freePort, startPostgres } from '../postgres.mjs';
import { gramine } from './gramine.mjs';
import { assertSecretsCommitment, assertVerifies, bearer, calling, fails, run, serveOutside, sha, succeeds, tls, withTokens } from './outside.mjs';
import { ask, assertProblem, execute, refusedStart, scratch, serve, sleep, until } from './service.mjs';

let server; // counts what ran
before(async () => { server = await origin({ tls }); });
after(() => server.close());
const url = (path, host = 'a.example') => `https://${host}:${server.port}${path}`;
const count = (part) => server.requests.filter(({ url: u }) => u.includes(part)).length;

const put = (service, name, body, options) => ask(service, 'PUT', `/secrets/${name}`, { body: typeof body === 'string' ? { value: body } : body, ...options });
const list = async (service, options) => (await ask(service, 'GET', '/secrets', options)).json.secrets;
const audit = async (service, name, options) => (await ask(service, 'GET', `/secrets/${name}/audit`, options)).json.audit;
async function written(service, name, body, options) {
  const reply = await put(service, name, body, options);
  assert.equal(reply.status, 200, reply.text);
  return reply.json;
}

// A script that would be seen if it ran: it calls the origin first.
let marks = 0;
async function nothingRuns(service, code, refs, { script, ...more } = {}, options) {
  const mark = `/echo?never-${++marks}`;
  const reply = await fails(service, code, script ?? calling(url(mark)), { secret_refs: refs, ...more }, options);
  assert.deepEqual([count(mark), reply.json.usage.steps, reply.json.secrets, reply.json.output], [0, 0, [], undefined], reply.text);
  return reply;
}
const show = (name) => `function main(input, s) { return { argument: s.${name}, global: secrets.${name}, all: Object.keys(s) } }`;

// sqlite3, on a database that no service has open.
const sqlite = (state, sql) => execFileSync('sqlite3', ['-bail', join(state, 'jobs.sqlite')], { input: sql, encoding: 'utf8' });

function embedded() {
  const state = scratch();
  let service;
  const start = async () => { service = await serveOutside({ state }); };
  return {
    name: 'embedded', start, stop: () => service.stop(), service: () => service,
    // Rows are changed behind the service's back. Users stand there as hashes of their names.
    async edit(sql) {
      await service.stop();
      const rows = sqlite(state, sql.replaceAll(/'(moved-\w+)'/g, (_, user) => `'${sha(user)}'`));
      await start();
      return rows;
    },
  };
}

function postgres() {
  let database, service;
  return {
    name: 'postgres', service: () => service, database: () => database,
    async start() {
      database = await startPostgres({ tcp: await freePort() });
      service = await serveOutside({ env: { NEOCOMPUTE_SECRETS_STORES: 'postgres', NEOCOMPUTE_DATABASE_URL: database.connection } });
    },
    async stop() { await service.stop(); await database.stop(); },
    async edit(sql) { return database.sql(sql); },
  };
}

for (const store of [embedded(), postgres()]) describe(`secrets in the store ${store.name}`, () => {
  before(() => store.start());
  after(() => store.stop());
  const own = () => store.service();

  test('the life of one: written, had, replaced, deleted', async () => {
    const user = 'life', options = { user };
    assert.deepEqual(await written(own(), 'api_key', 'first', options), { name: 'api_key', version: 1, created: true });
    const had = await succeeds(own(), show('api_key'), { secret_refs: ['api_key'] }, options);
    assert.deepEqual(had.json.output, { argument: 'first', global: 'first', all: ['api_key'] });
    assert.deepEqual(had.json.secrets, [{ name: 'api_key', version: 1 }]);
    await assertVerifies(own(), had, { script: show('api_key') });
    assert.deepEqual(await written(own(), 'api_key', 'second €', options), { name: 'api_key', version: 2, created: false });
    const again = await succeeds(own(), show('api_key'), { secret_refs: ['secrets:api_key'] }, options);
    assert.deepEqual([again.json.output.argument, again.json.secrets], ['second €', [{ name: 'api_key', version: 2 }]]);
    const reply = await ask(own(), 'GET', '/secrets', options);
    const [one, ...more] = reply.json.secrets;
    assert.deepEqual([one.name, one.version, one.policy, one.store, one.format, more.length], ['api_key', 2, {}, store.name, 'sealed-v1', 0]);
    assert.ok(Math.abs(Date.parse(one.updated_at) - Date.now()) < 60_000 && one.created_at <= one.updated_at);
    assert.doesNotMatch(reply.text, /first|second/);
    assert.equal((await ask(own(), 'DELETE', '/secrets/api_key', options)).status, 204);
    assertProblem(await ask(own(), 'DELETE', '/secrets/api_key', options), 404, 'secret_unknown');
    await nothingRuns(own(), 'secret_not_found', ['api_key'], {}, options);
    assert.deepEqual(await list(own(), options), []);
    assert.equal((await written(own(), 'api_key', 'third', options)).created, true);
  });

  test('every access is written down, with the job and the trace', async () => {
    const user = 'audited', trace = 'trace-of-the-access', options = { user, headers: { 'x-trace-id': trace } };
    await written(own(), 'k', 'v', options);
    const had = await succeeds(own(), show('k'), { secret_refs: ['k'] }, options);
    await ask(own(), 'PUT', '/secrets/k/policy', { body: { expires_at: '2020-01-01T00:00:00Z' }, ...options });
    const not = await nothingRuns(own(), 'secret_expired', ['k'], {}, options);
    await ask(own(), 'DELETE', '/secrets/k', options);
    const rows = await audit(own(), 'k', options);
    assert.deepEqual(rows.map(({ action, success, error, service }) => [action, success, error, service]), [['delete', true, undefined, 'neocompute'], ['read', false, 'secret_expired', 'neocompute'],
      ['policy', true, undefined, 'neocompute'], ['read', true, undefined, 'neocompute'], ['write', true, undefined, 'neocompute']]);
    for (const row of rows) assert.match(row.agent, new RegExp(`trace=${trace}`));
    assert.ok(rows[3].agent.includes(`job=${had.json.job_id}`) && rows[1].agent.includes(`job=${not.json.job_id}`), rows[3].agent);
    const ids = rows.map(({ id }) => id);
    assert.deepEqual(ids, [...ids].sort((a, b) => b - a));
    const page = (await ask(own(), 'GET', `/secrets/k/audit?limit=2&before=${ids[1]}`, { user })).json;
    assert.deepEqual(page.audit.map(({ id }) => id), ids.slice(2, 4));
    assert.deepEqual(await audit(own(), 'k', { user: 'somebody' }), []);
  });

  test('other users\' secrets are not there', async () => {
    await written(own(), 'mine', 'of alice', { user: 'owner' });
    assert.deepEqual(await list(own(), { user: 'thief' }), []);
    await nothingRuns(own(), 'secret_not_found', ['mine'], {}, { user: 'thief' });
    assertProblem(await ask(own(), 'DELETE', '/secrets/mine', { user: 'thief' }), 404, 'secret_unknown');
    assertProblem(await ask(own(), 'PUT', '/secrets/mine/policy', { body: {}, user: 'thief' }), 404, 'secret_unknown');
    assert.equal((await written(own(), 'mine', 'of the thief', { user: 'thief' })).version, 1);
    assert.equal((await succeeds(own(), show('mine'), { secret_refs: ['mine'] }, { user: 'owner' })).json.output.argument, 'of alice');
  });

  test('several at once, in their order; one that is missing is named and nothing runs', async () => {
    const options = { user: 'several' }, names = Array.from({ length: 10 }, (_, i) => `s${9 - i}`);
    for (const name of names) await written(own(), name, `value of ${name}`, options);
    const script = 'function main(i, s) { return { ...s } }';
    const reply = await succeeds(own(), script, { secret_refs: names }, options);
    assert.deepEqual(reply.json.output, Object.fromEntries(names.map((name) => [name, `value of ${name}`])));
    assert.deepEqual(reply.json.secrets, names.map((name) => ({ name, version: 1 })));
    await assertVerifies(own(), reply, { script });
    const { json } = await nothingRuns(own(), 'secret_not_found', ['s1', 'none', 's2'], {}, options);
    assert.match(json.error, /none/);
    assert.deepEqual((await audit(own(), 's1', options))[0].error, 'withheld');
    assertProblem(await execute(own(), { script, secret_refs: [...names, 's10'] }, options), 400, 'too_many_secret_refs');
  });

  test('the same name twice is refused, or had once', async () => {
    const options = { user: 'twice' };
    await written(own(), 'k', 'v', options);
    const reply = await execute(own(), { script: 'function main(i, s) { return { ...s } }', secret_refs: ['k', 'secrets:k'] }, options);
    if (reply.status === 200) assert.deepEqual([reply.json.status, reply.json.output, reply.json.secrets], ['completed', { k: 'v' }, [{ name: 'k', version: 1 }]], reply.text);
    else assertProblem(reply, 400, 'bad_request');
  });

  describe('policies', () => {
    const options = { user: 'policies' };
    const policy = async (name, body) => {
      const reply = await ask(own(), 'PUT', `/secrets/${name}/policy`, { body, ...options });
      assert.equal(reply.status, 200, reply.text);
      return reply.json;
    };

    test('scripts', async () => {
      const script = show('bound');
      await written(own(), 'bound', { value: 'v', policy: { scripts: [sha(script).toUpperCase()] } }, options);
      assert.equal((await succeeds(own(), script, { secret_refs: ['bound'] }, options)).json.output.argument, 'v');
      const { json } = await nothingRuns(own(), 'secret_forbidden', ['bound'], {}, options);
      assert.match(json.error, /bound.*scripts/);
      assert.deepEqual((await list(own(), options)).find(({ name }) => name === 'bound').policy, { scripts: [sha(script)] });
    });

    test('expiry', async () => {
      await written(own(), 'old', { value: 'v', policy: { expires_at: new Date(Date.now() + 1500).toISOString() } }, options);
      await succeeds(own(), show('old'), { secret_refs: ['old'] }, options);
      await sleep(1600);
      const { json } = await nothingRuns(own(), 'secret_expired', ['old'], {}, options);
      assert.match(json.error, /old: expired at 20/);
    });

    test('services', async () => {
      await written(own(), 'others', { value: 'v', policy: { services: ['oracle'] } }, options);
      await nothingRuns(own(), 'secret_forbidden', ['others'], {}, options);
      assert.equal((await policy('others', { services: ['oracle', 'neocompute'] })).version, 2);
      await succeeds(own(), show('others'), { secret_refs: ['others'] }, options);
    });

    test('uses, counted also when many come at once', async () => {
      await written(own(), 'few', { value: 'v', policy: { uses: 3 } }, options);
      const replies = await Promise.all(Array.from({ length: 5 }, () => run(own(), show('few'), { secret_refs: ['few'] }, options)));
      const had = replies.filter(({ json }) => json.status === 'completed'), not = replies.filter(({ json }) => json.status === 'failed');
      assert.deepEqual([had.length, ...not.map(({ json }) => json.error_code)], [3, 'secret_forbidden', 'secret_forbidden']);
      await nothingRuns(own(), 'secret_forbidden', ['few'], {}, options);
      await written(own(), 'few', { value: 'w', policy: { uses: 1 } }, options); // a new version counts anew
      await succeeds(own(), show('few'), { secret_refs: ['few'] }, options);
      await nothingRuns(own(), 'secret_forbidden', ['few'], {}, options);
    });

    test('a use is not spent on a job that does not run', async () => {
      await written(own(), 'once', { value: 'v', policy: { uses: 1 } }, options);
      await nothingRuns(own(), 'secret_not_found', ['once', 'missing'], {}, options);
      await succeeds(own(), show('once'), { secret_refs: ['once'] }, options);
    });

    test('egress-only: the script has a placeholder, the host has the value, and echoes are masked', async () => {
      const value = `token-${store.name}-0123456789`;
      await written(own(), 'token', { value, policy: { expose: 'egress-only', hosts: ['a.example'] } }, options);
      const script = `async function main(input, s) {
        const r = await fetch(input.url, { method: 'POST', headers: { authorization: 'Bearer ' + s.token }, body: 'key=' + s.token + '&twice=' + s.token });
        const echo = await r.json(), seen = {};
        for (const [name, go] of Object.entries({ url: () => fetch(input.url + '?' + s.token), host: () => fetch(input.other, { headers: { a: s.token } }), body: () => fetch(input.other, { method: 'POST', body: s.token }) }))
          try { await go(); seen[name] = 'went'; } catch (e) { seen[name] = e.code; }
        console.log(s.token); return { token: s.token, auth: echo.headers.authorization, body: echo.body, seen } }`;
      const input = { url: url('/echo'), other: url('/echo?other', 'b.example') };
      const reply = await succeeds(own(), script, { secret_refs: ['token'], input }, options);
      const { token, auth, body, seen } = reply.json.output;
      assert.match(token, /^secret_[0-9a-f]{32}$/);
      assert.deepEqual([auth, body], [`Bearer ${token}`, `key=${token}&twice=${token}`]);
      assert.equal(server.requests.at(-1).headers.authorization, `Bearer ${value}`);
      assert.deepEqual([seen.host, seen.body, count('other')], ['secret_forbidden', 'secret_forbidden', 0]);
      assert.match(seen.url, /^(secret_forbidden|fetch_forbidden|fetch_invalid)$/);
      assert.equal(reply.text.includes(value), false);
      await assertVerifies(own(), reply, { script, input });
    });

    test('egress-only: a redirect to another host does not carry it', async () => {
      const script = `async function main(input, s) { const r = await fetch(input.url, { headers: { 'x-key': s.token } }); return await r.json() }`;
      const input = { url: url(`/redirect?to=${encodeURIComponent(url('/echo', 'b.example'))}`) };
      const { json } = await succeeds(own(), script, { secret_refs: ['token'], input }, options);
      assert.equal(json.output.headers['x-key'], undefined);
      assert.equal(server.requests.at(-1).headers['x-key'], undefined);
    });
  });

  describe('refusals', () => {
    const options = { user: 'refused' };
    test('names', async () => {
      for (const name of ['a b', 'ä', 'a%2Fb', '%00', 'n'.repeat(129), 'a:b', 'a$', 'a%0Ab'])
        assertProblem(await put(own(), encodeURI(name).replaceAll('%25', '%'), 'v', options), 400, 'secret_invalid');
      for (const name of ['n'.repeat(128), '_', 'A.b-c']) assert.equal((await put(own(), name, 'v', options)).status, 200);
      for (const refs of [['a b'], [''], ['secrets:'], ['other:a'], [7], 'a', [null], ['n'.repeat(129)]]) {
        const reply = await execute(own(), { script: show('a'), secret_refs: refs }, options);
        if (reply.status === 200) assert.deepEqual([reply.json.status, reply.json.error_code], ['failed', 'secret_not_found'], reply.text);
        else assertProblem(reply, 400, reply.json.error_code);
      }
    });

    test('values and bodies', async () => {
      for (const body of [{}, { value: '' }, { value: 7 }, { value: null }, { value: ['x'] }, { value: 'x', other: 1 }, { value: 'x', policy: [] }, { value: 'x', policy: null }, '[]', '"x"', '{"value":"a","value":"b"}', '{"value":"\\ud800"}',
        { value: 'x', sealed: { enc: 'A'.repeat(43), ciphertext: 'AAAA' } }, { sealed: { enc: 'A'.repeat(43) } }]) {
        const reply = await ask(own(), 'PUT', '/secrets/bad', { body, ...options });
        assert.ok([400].includes(reply.status), `${JSON.stringify(body)}: ${reply.text}`);
        assertProblem(reply, 400, reply.json.error_code);
        assert.match(reply.json.error_code, /^(secret_invalid|bad_request|sealed_invalid|unknown_field)$/);
      }
      assertProblem(await put(own(), 'bad', 'x'.repeat(65537), options), 413, 'secret_too_large');
      assert.equal((await put(own(), 'large', 'x'.repeat(65536), options)).status, 200);
      assertProblem(await ask(own(), 'PUT', '/secrets/bad', { body: '{"value":"x"}', ...options, headers: { 'content-type': 'text/plain' } }), 415, 'unsupported_media_type');
      assertProblem(await ask(own(), 'PUT', '/secrets/bad', { body: { sealed: { enc: 'A'.repeat(43), ciphertext: 'A'.repeat(40) } }, ...options }), 400, 'sealed_invalid');
      assert.equal((await list(own(), options)).some(({ name }) => name === 'bad'), false);
    });

    test('policies', async () => {
      const hash = 'a'.repeat(64);
      for (const policy of [{ uses: 0 }, { uses: -1 }, { uses: 1.5 }, { uses: '1' }, { uses: 1e10 }, { expires_at: 'tomorrow' }, { expires_at: 0 }, { expires_at: '2026-13-01T00:00:00Z' }, { scripts: [] }, { scripts: ['short'] }, { scripts: hash }, { scripts: [1] },
        { services: [] }, { services: ['UPPER'] }, { hosts: ['a.example'] }, { expose: 'egress-only' }, { expose: 'egress-only', hosts: [] }, { expose: 'egress-only', hosts: ['https://a.example'] }, { expose: 'egress-only', hosts: ['A.example'] },
        { expose: 'all' }, { unknown: 1 }, { use: 1 }, { scripts: Array(65).fill(hash) }, { expose: 'egress-only', hosts: Array(65).fill('a.example') }]) {
        const reply = await ask(own(), 'PUT', '/secrets/bad', { body: { value: 'x', policy }, ...options });
        const { detail } = assertProblem(reply, 400, 'secret_invalid');
        assert.match(detail, /policy/, JSON.stringify(policy));
      }
      assertProblem(await ask(own(), 'PUT', '/secrets/large/policy', { body: { uses: 0 }, ...options }), 400, 'secret_invalid');
      assertProblem(await ask(own(), 'PUT', '/secrets/none/policy', { body: {}, ...options }), 404, 'secret_unknown');
    });
  });

  describe('rows that were changed behind the service', () => {
    const other = { user: 'moved-to' }, from = { user: 'moved-from' };
    before(async () => {
      await written(own(), 'a', 'secret of a', from);
      await written(own(), 'b', 'secret of b', from);
      await written(own(), 'a', 'of the other', other);
      await written(own(), 'c', 'first', from);
      await written(own(), 'counted', { value: 'v', policy: { uses: 2 } }, from);
      await succeeds(own(), show('counted'), { secret_refs: ['counted'] }, from);
      await written(own(), 'spent', { value: 'v', policy: { uses: 1 } }, from);
    });
    // What `sql` makes of the row: it must not open, and the good ones beside it must.
    const spoilt = (what, name, sql, user = from) => test(what, async () => {
      await store.edit(sql);
      const { json } = await nothingRuns(own(), 'secret_undecryptable', [name], {}, user);
      assert.match(json.error, new RegExp(`^.*${name}:`));
      assert.equal((await list(own(), user)).find((row) => row.name === name).error === undefined, /count/.test(what));
      await succeeds(own(), show('b'), { secret_refs: ['b'] }, from);
    });
    spoilt('another user\'s', 'a', `UPDATE secrets SET encrypted_value = (SELECT encrypted_value FROM secrets WHERE user_id = 'moved-from' AND name = 'a') WHERE user_id = 'moved-to' AND name = 'a';`, other);
    spoilt('another name\'s', 'a', `UPDATE secrets SET encrypted_value = (SELECT encrypted_value FROM secrets WHERE user_id = 'moved-from' AND name = 'b') WHERE user_id = 'moved-from' AND name = 'a';`);
    test('an older version under a newer label', async () => {
      const old = (await store.edit(`SELECT encrypted_value FROM secrets WHERE user_id = 'moved-from' AND name = 'c';`)).trim();
      await written(own(), 'c', 'second', from);
      await store.edit(`UPDATE secrets SET encrypted_value = '${old}' WHERE user_id = 'moved-from' AND name = 'c';`);
      await nothingRuns(own(), 'secret_undecryptable', ['c'], {}, from);
      await store.edit(`UPDATE secrets SET version = 1 WHERE user_id = 'moved-from' AND name = 'c';`); // the whole row, as it was: that much is not noticed
      assert.equal((await succeeds(own(), show('c'), { secret_refs: ['c'] }, from)).json.secrets[0].version, 1);
    });
    spoilt('one whose version is another number', 'c', `UPDATE secrets SET version = 7 WHERE user_id = 'moved-from' AND name = 'c';`);
    spoilt('text that was never sealed', 'c', `UPDATE secrets SET encrypted_value = 'bm90IHNlYWxlZCBhdCBhbGwsIGJ1dCBiYXNlNjQ=' WHERE user_id = 'moved-from' AND name = 'c';`);
    spoilt('a count that is gone', 'counted', `DELETE FROM secret_uses WHERE user_id = 'moved-from' AND name = 'counted';`);
    spoilt('a count of another secret', 'spent', `UPDATE secret_uses SET uses = 'nc1.${'A'.repeat(48)}' WHERE user_id = 'moved-from' AND name = 'spent';`);
  });
});

describe('the embedded store', () => {
  test('survives a restart with the same master key, and opens to no other', async () => {
    const state = scratch();
    let service = await serveOutside({ state });
    await written(service, 'k', 'kept');
    await service.stop();
    service = await serveOutside({ state });
    assert.equal((await succeeds(service, show('k'), { secret_refs: ['k'] })).json.output.argument, 'kept');
    await service.stop();
    assert.equal(sqlite(state, 'SELECT count(*) FROM secrets;').trim(), '1');
    service = await serveOutside({ state, env: { COMPUTE_MASTER_KEY: 'f'.repeat(64) } });
    await nothingRuns(service, 'secret_undecryptable', ['k']);
    await service.stop();
  });

  test('asynchronous jobs, idempotent ones and those of the command line get them, too', async () => {
    const service = await serveOutside();
    await written(service, 'k', 'v');
    const { json } = await execute(service, { script: show('k'), secret_refs: ['k'], async: true });
    const done = await until(async () => { const r = await ask(service, 'GET', `/jobs/${json.job_id}`); return r.json.status === 'completed' && r; }, 'its end');
    assert.deepEqual([done.json.output.argument, done.json.secrets], ['v', [{ name: 'k', version: 1 }]]);
    await assertVerifies(service, done, { script: show('k') });
    const headers = { 'idempotency-key': 'one' };
    const [a, b] = await Promise.all([0, 1].map(() => execute(service, { script: show('k'), secret_refs: ['k'] }, { headers })));
    assert.equal(a.json.job_id, b.json.job_id);
    assert.equal((await audit(service, 'k')).filter(({ action }) => action === 'read').length, 2);
    await service.stop();
  });
});

describe('PostgreSQL that is not well', () => {
  const store = postgres();
  before(() => store.start());
  after(() => store.stop());

  test('slow, stopped and back', async () => {
    const service = store.service(), database = store.database();
    await written(service, 'k', 'v');
    database.pause();
    setTimeout(() => database.resume(), 1000);
    const slow = await succeeds(service, show('k'), { secret_refs: ['k'] });
    assert.ok(slow.json.output.argument === 'v');
    database.pause();
    const { json } = await nothingRuns(service, 'secret_store_unavailable', ['k'], { timeout: 30 });
    assert.match(json.error, /k: the secret store postgres/);
    database.resume();
    await until(async () => (await run(service, show('k'), { secret_refs: ['k'] })).json.status === 'completed', 'its return');
    await database.halt();
    await nothingRuns(service, 'secret_store_unavailable', ['k']);
    assertProblem(await ask(service, 'GET', '/secrets'), 503, 'secrets_away');
    assertProblem(await put(service, 'k', 'w'), 503, 'secrets_away');
    assert.equal((await execute(service, { script: 'function main() { return {} }' })).json.status, 'completed');
    await database.boot();
    const back = await until(async () => { const r = await run(service, show('k'), { secret_refs: ['k'] }); return r.json.status === 'completed' && r; }, 'the database\'s return');
    assert.equal(back.json.output.argument, 'v');
    await assertSecretsCommitment(service, back);
  });
});

describe('strict mode', () => {
  test('needs its keys', async () => {
    const { reason, status } = await refusedStart({ env: { NEOCOMPUTE_STRICT: 'on', COMPUTE_MASTER_KEY: '' } });
    assert.ok(status !== 0 && reason !== undefined, reason);
  });

  test('gives nothing that cannot be written down', async () => {
    const database = await startPostgres({ tcp: await freePort() });
    const start = (strict) => serveOutside({ ...withTokens, args: [...(withTokens.args ?? []), ...(strict === 'on' ? ['--attest-root', gramine().root] : [])], env: { ...withTokens.env, NEOCOMPUTE_STRICT: strict, NEOCOMPUTE_SECRETS_STORES: 'postgres', NEOCOMPUTE_DATABASE_URL: database.connection } });
    const strict = await start('on'), lax = await start('off');
    await written(lax, 'k', 'v', bearer());
    await succeeds(strict, show('k'), { secret_refs: ['k'] }, bearer());
    database.sql('ALTER TABLE secret_audit_logs ADD CONSTRAINT full_ CHECK (false) NOT VALID;');
    await nothingRuns(strict, 'secret_store_unavailable', ['k'], {}, bearer());
    await succeeds(lax, show('k'), { secret_refs: ['k'] }, bearer());
    assert.ok(lax.events('secret_audit_lost').length > 0 && strict.events('secret_audit_lost').length > 0);
    await strict.stop();
    await lax.stop();
    await database.stop();
  });
});

test('stores that cannot be are refused at the start', async () => {
  for (const env of [{ NEOCOMPUTE_SECRETS_STORES: 'nowhere' }, { NEOCOMPUTE_SECRETS_STORES: 'postgres' }, { NEOCOMPUTE_SECRETS_STORES: 'supabase' }, { NEOCOMPUTE_SECRETS_STORES: 'embedded embedded' }, { NEOCOMPUTE_SECRETS_STORES: 'supabase', SUPABASE_URL: 'nonsense', SUPABASE_SERVICE_KEY: 'k' }]) {
    const { status, reason, text } = await refusedStart({ env });
    assert.ok(status !== 0 && reason, `${JSON.stringify(env)}: ${text}`);
  }
  const fine = await serve({ env: { NEOCOMPUTE_SECRETS_STORES: 'embedded' } });
  await fine.stop();
});
