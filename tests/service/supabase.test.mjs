// Secrets of the reference's store, Supabase, through the real binaries; and whether the server of these tests speaks the dialect
// of the client that Supabase publishes.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { PostgrestClient } from '@supabase/postgrest-js';
import { Agent, fetch as undici } from 'undici';
import { origin } from '../origin.mjs';
import { freePort, startPostgres } from '../postgres.mjs';
import { SECRETS_KEY, SERVICE_KEY, sealed, supabase } from '../supabase.mjs';
import { gramine } from './gramine.mjs';
import { assertVerifies, bearer, ca, calling, fails, serveOutside, succeeds, tls, withTokens } from './outside.mjs';
import { ask, assertProblem, execute, sleep } from './service.mjs';

let store, server;
before(async () => { store = await supabase({ tls }); server = await origin({ tls }); });
after(() => { store.close(); server.close(); });
const settings = (more = {}) => ({ NEOCOMPUTE_SECRETS_STORES: 'supabase', SUPABASE_URL: store.url(), SUPABASE_SERVICE_KEY: SERVICE_KEY, SECRETS_MASTER_KEY: SECRETS_KEY, ...more });
const show = (name) => `function main(input, s) { return { value: s[${JSON.stringify(name)}] } }`;
const run = (name) => ({ secret_refs: [name] });
const count = (part) => server.requests.filter(({ url }) => url.includes(part)).length;
let marks = 0;
async function nothingRuns(service, code, refs, options) {
  const mark = `/echo?never-${++marks}`;
  const reply = await fails(service, code, calling(`https://a.example:${server.port}${mark}`), { secret_refs: refs }, options);
  assert.deepEqual([count(mark), reply.json.usage.steps, reply.json.secrets], [0, 0, []], reply.text);
  return reply;
}

describe('the server of these tests, asked by the client that Supabase publishes', () => {
  let client;
  before(() => {
    const dispatcher = new Agent({ connect: { ca: readFileSync(ca.file), servername: 'store.example' } });
    client = new PostgrestClient(`https://127.0.0.1:${store.port}/rest/v1`, {
      headers: { apikey: SERVICE_KEY, authorization: `Bearer ${SERVICE_KEY}` }, fetch: (url, init) => undici(url, { ...init, dispatcher }) });
    store.add('client', 'one', 'first');
    store.add('client', 'two', 'second', { services: ['neocompute', 'oracle'] });
  });

  test('rows by filter, order and number', async () => {
    const all = await client.from('secrets').select('*').eq('user_id', 'client').order('name', { ascending: false });
    assert.deepEqual([all.status, all.error, all.data.map(({ name }) => name)], [200, null, ['two', 'one']]);
    const one = await client.from('secrets').select('name,version').eq('user_id', 'client').eq('name', 'one').limit(1);
    assert.deepEqual(one.data, [{ name: 'one', version: 1 }]);
    assert.deepEqual((await client.from('secrets').select('*').eq('user_id', 'no&body=eq.x').limit(1)).data, []);
    assert.deepEqual((await client.from('secret_policies').select('service_id').eq('secret_name', 'two')).data, [{ service_id: 'neocompute' }, { service_id: 'oracle' }]);
  });

  test('one row, or none that would be one', async () => {
    assert.equal((await client.from('secrets').select('*').eq('name', 'one').single()).data.user_id, 'client');
    const none = await client.from('secrets').select('*').eq('name', 'zero').single();
    assert.deepEqual([none.status, none.error.code], [406, 'PGRST116']);
    assert.equal((await client.from('secrets').select('*').eq('name', 'zero').maybeSingle()).data, null);
  });

  test('a row that is added, with and without its representation; conflicts; refusals', async () => {
    const row = { user_id: 'client', secret_name: 'one', action: 'read', service_id: 'x', success: true };
    const quiet = await client.from('secret_audit_logs').insert(row);
    assert.deepEqual([quiet.status, quiet.error, quiet.data], [201, null, null]);
    const loud = await client.from('secret_audit_logs').insert(row).select();
    assert.deepEqual([loud.status, loud.data[0].secret_name], [201, 'one']);
    assert.equal((await client.from('secrets').insert({ user_id: 'client', name: 'one', encrypted_value: '' })).error.code, '23505');
    assert.equal((await client.from('secrets').select('*').eq('no_such_column', '1')).status, 400);
    assert.equal((await client.from('secret_audit_logs').delete().eq('user_id', 'client')).status, 204);
    assert.deepEqual((await client.from('secret_audit_logs').select('*').eq('user_id', 'client')).data, []);
    const stranger = new PostgrestClient(`https://127.0.0.1:${store.port}/rest/v1`, { headers: { apikey: 'x' }, fetch: client.fetch });
    assert.equal((await stranger.from('secrets').select('*')).status, 401);
  });
});

describe('the reference\'s secrets', () => {
  let service;
  before(async () => { service = await serveOutside({ env: settings() }); });
  after(() => service.stop());

  test('what the reference wrote is had, and the receipt says in which format', async () => {
    store.add('alice', 'api_key', 'the value €', { services: ['neocompute'], version: 4 });
    const reply = await succeeds(service, show('api_key'), run('api_key'));
    assert.deepEqual([reply.json.output, reply.json.secrets], [{ value: 'the value €' }, [{ name: 'api_key', version: 4, format: 'reference' }]]);
    await assertVerifies(service, reply, { script: show('api_key') });
    assert.equal((await succeeds(service, show('api_key'), run('secrets:api_key'))).json.output.value, 'the value €');
  });

  test('what is asked is what the reference asks', () => {
    const { method, url, headers } = store.requests.find(({ url: u }) => u.includes('name=eq.api_key'));
    assert.deepEqual([method, url], ['GET', '/rest/v1/secrets?user_id=eq.alice&name=eq.api_key&limit=1']);
    assert.deepEqual([headers.apikey, headers.authorization, headers.accept], [SERVICE_KEY, `Bearer ${SERVICE_KEY}`, 'application/json']);
  });

  test('names and users that would be another question are none', async () => {
    store.add('a&user_id=eq.alice', 'k', 'of the odd one', { services: ['neocompute'] });
    assert.equal((await succeeds(service, show('k'), run('k'), { user: 'a&user_id=eq.alice' })).json.output.value, 'of the odd one');
    await nothingRuns(service, 'secret_not_found', ['api_key'], { user: 'a&user_id=eq.alice' });
  });

  test('policies: a row for us allows, rows for others forbid, none allows', async () => {
    store.add('alice', 'theirs', 'v', { services: ['oracle', 'vrf'] });
    store.add('alice', 'everybody', 'v');
    store.add('alice', 'both', 'v', { services: ['oracle', 'neocompute'] });
    assert.match((await nothingRuns(service, 'secret_forbidden', ['theirs'])).json.error, /theirs/);
    for (const name of ['everybody', 'both']) await succeeds(service, show(name), run(name));
  });

  test('every access is a row of the audit table, with the job and the trace', async () => {
    store.tables.secret_audit_logs.length = 0;
    const headers = { 'x-trace-id': 'trace-in-supabase' };
    const had = await succeeds(service, show('both'), run('both'), { headers });
    const not = await nothingRuns(service, 'secret_forbidden', ['theirs'], { headers });
    await nothingRuns(service, 'secret_not_found', ['missing'], { headers });
    const rows = store.tables.secret_audit_logs;
    assert.deepEqual(rows.map(({ user_id, secret_name, action, service_id, success }) => [user_id, secret_name, action, service_id, success]),
      [['alice', 'both', 'read', 'neocompute', true], ['alice', 'theirs', 'read', 'neocompute', false], ['alice', 'missing', 'read', 'neocompute', false]]);
    assert.ok(rows[0].user_agent.includes(had.json.job_id) && rows[1].user_agent.includes(not.json.job_id));
    for (const row of rows) assert.match(row.user_agent, /trace=trace-in-supabase/);
    for (let i = 0; i < 3; i++) { await sleep(5); await succeeds(service, show('both'), run('both')); }
    const { json: all } = await ask(service, 'GET', '/secrets/both/audit');
    assert.deepEqual(all.audit.map(({ action, success, service: by }) => [action, success, by]), Array(4).fill(['read', true, 'neocompute']));
    assert.ok(all.audit.at(-1).agent.includes(had.json.job_id));
    const { json: page } = await ask(service, 'GET', '/secrets/both/audit?limit=2');
    const { json: next } = await ask(service, 'GET', `/secrets/both/audit?before=${page.next}`);
    assert.deepEqual([...page.audit, ...next.audit], all.audit);
    store.tables.secret_audit_logs.forEach((row) => { row.created_at = '2026-11-01T12:00:00.5+00:00'; }); // all at once
    assert.equal((await ask(service, 'GET', '/secrets/both/audit')).json.audit.length, 4);
  });

  test('the list says where they are; nothing can be written there', async () => {
    const { json, text } = await ask(service, 'GET', '/secrets');
    assert.deepEqual(json.secrets.find(({ name }) => name === 'api_key'), { name: 'api_key', version: 4, store: 'supabase', format: 'reference', created_at: '2026-11-01T12:00:00Z', updated_at: '2026-11-01T12:00:00Z' });
    assert.doesNotMatch(text, /the value/);
    assertProblem(await ask(service, 'PUT', '/secrets/new', { body: { value: 'v' } }), 405, 'method_not_allowed');
    assert.ok([404, 405].includes((await ask(service, 'DELETE', '/secrets/api_key')).status));
  });

  test('ciphertexts that do not open', async () => {
    const good = sealed('v');
    for (const [name, encrypted] of [['other-key', sealed('v', 'a'.repeat(64))], ['flipped', good.slice(0, 20) + (good[20] === 'A' ? 'B' : 'A') + good.slice(21)], ['short', 'AAAA'], ['empty', ''], ['not-base64', '***'], ['ours', `nc1.${good}`]]) {
      store.add('alice', name, 'v', { services: ['neocompute'], encrypted });
      await nothingRuns(service, 'secret_undecryptable', [name]);
    }
  });
});

describe('a store that is not well', () => {
  let service;
  before(async () => { service = await serveOutside({ env: settings() }); store.add('ill', 'k', 'v', { services: ['neocompute'] }); });
  after(() => service.stop());
  const options = { user: 'ill' };
  const answer = (status, text, type = 'application/json') => (request, response) => { response.writeHead(status, { 'content-type': type }).end(text); return true; };
  const row = { user_id: 'ill', name: 'k', version: 1, encrypted_value: sealed('v') };
  const faults = {
    'HTML with 200': answer(200, '<!doctype html><title>Please wait</title>', 'text/html'),
    'HTML with 503': answer(503, '<html></html>', 'text/html'),
    'a JSON object': answer(200, '{"message":"no"}'),
    'no JSON': answer(200, '[{'),
    'an empty body': answer(200, ''),
    'rows that are none': answer(200, '[1]'),
    'another user\'s row': answer(200, JSON.stringify([{ ...row, user_id: 'alice' }])),
    'another name\'s row': answer(200, JSON.stringify([{ ...row, name: 'other' }])),
    'two rows of one secret': answer(200, JSON.stringify([row, row])),
    'members that come twice': answer(200, JSON.stringify([row]).replace('{', '{"user_id":"ill",')),
    'a refusal': answer(401, '{"message":"Invalid API key"}'),
    'a redirect': (request, response) => { response.writeHead(302, { location: 'https://a.example/' }).end(); return true; },
    'an end of the connection': (request) => { request.socket.destroy(); return true; },
    'rubbish': (request) => { request.socket.end('SSH-2.0-x\r\n'); return true; },
    'five million bytes': answer(200, `["${'x'.repeat(5_000_000)}"]`),
  };
  for (const [what, fault] of Object.entries(faults)) test(what, async () => {
    store.break(fault);
    try {
      const { json } = await nothingRuns(service, 'secret_store_unavailable', ['k'], options);
      assert.match(json.error, /k: the secret store supabase/);
      // A list asks for no name, and gives no value.
      if (!/^(another name|two rows)/.test(what)) assertProblem(await ask(service, 'GET', '/secrets', options), 503, 'secrets_away');
    } finally { store.break(null); }
    await succeeds(service, show('k'), run('k'), options);
  });

  test('slow is waited for, and what does not answer is not', async () => {
    store.break(async () => { await sleep(1500); return false; });
    await succeeds(service, show('k'), run('k'), options);
    store.break(async () => { await sleep(20_000); return false; });
    const began = Date.now();
    await nothingRuns(service, 'secret_store_unavailable', ['k'], options);
    assert.ok(Date.now() - began < 15_000);
    store.break(null);
    await succeeds(service, show('k'), run('k'), options);
  });

  test('not there at all, or with a certificate that is not its own', async () => {
    for (const url of ['https://store.example:1', `https://wrong.example:${store.port}`, 'https://nowhere.example']) {
      const away = await serveOutside({ env: settings({ SUPABASE_URL: url }) });
      await nothingRuns(away, 'secret_store_unavailable', ['k'], options);
      assert.equal((await execute(away, { script: 'function main() { return {} }' })).json.status, 'completed');
      await away.stop();
    }
  });
});

describe('strict mode', () => {
  test('a secret without a policy row is forbidden, and none is had that cannot be written down', async () => {
    const service = await serveOutside({ ...withTokens, args: [...(withTokens.args ?? []), '--attest-root', gramine().root], env: { ...withTokens.env, ...settings({ NEOCOMPUTE_STRICT: 'on' }) } }), me = bearer('careful');
    store.add('careful', 'open', 'v');
    store.add('careful', 'ours', 'v', { services: ['neocompute'] });
    await nothingRuns(service, 'secret_forbidden', ['open'], me);
    await succeeds(service, show('ours'), run('ours'), me);
    store.break((request, response) => request.method === 'POST' && (response.writeHead(500).end(), true));
    await nothingRuns(service, 'secret_store_unavailable', ['ours'], me);
    store.break(null);
    await succeeds(service, show('ours'), run('ours'), me);
    await service.stop();
  });
});

describe('several stores', () => {
  test('are asked in their order; one that is away hides nothing behind it', async () => {
    const database = await startPostgres({ tcp: await freePort() });
    const service = await serveOutside({ env: settings({ NEOCOMPUTE_SECRETS_STORES: 'postgres supabase embedded', NEOCOMPUTE_DATABASE_URL: database.connection }) });
    const user = 'many', options = { user };
    store.add(user, 'both', 'of supabase', { services: ['neocompute'] });
    store.add(user, 'theirs', 'only there', { services: ['neocompute'] });
    await ask(service, 'PUT', '/secrets/both', { body: { value: 'of postgres' }, ...options });
    const script = 'function main(i, s) { return { ...s } }';
    const reply = await succeeds(service, script, { secret_refs: ['theirs', 'both'] }, options);
    assert.deepEqual(reply.json.output, { both: 'of postgres', theirs: 'only there' });
    assert.deepEqual(reply.json.secrets, [{ name: 'theirs', version: 1, format: 'reference' }, { name: 'both', version: 1 }]);
    await assertVerifies(service, reply, { script });
    const { secrets } = (await ask(service, 'GET', '/secrets', options)).json;
    assert.deepEqual(secrets.map(({ name, store: where }) => [name, where]), [['both', 'postgres'], ['both', 'supabase'], ['theirs', 'supabase']]);
    store.break((request) => { request.socket.destroy(); return true; });
    await nothingRuns(service, 'secret_store_unavailable', ['theirs'], options);
    await succeeds(service, show('both'), run('both'), options); // it is in the first
    store.break(null);
    await database.halt();
    await nothingRuns(service, 'secret_store_unavailable', ['theirs'], options); // the first may have one of that name
    await service.stop();
    await database.boot();
    await database.stop();
  });

  test('a master key of another store opens nothing', async () => {
    const service = await serveOutside({ env: settings({ SECRETS_MASTER_KEY: randomBytes(32).toString('hex') }) });
    await nothingRuns(service, 'secret_undecryptable', ['api_key']);
    await service.stop();
  });
});
