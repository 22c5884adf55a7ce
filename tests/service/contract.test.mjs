// Live replies of every operation, and of every refusal that a caller can bring about, against docs/openapi.yaml.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { api, assertIs, checkReply, operationOf } from '../contract.mjs';
import { ask, assertProblem, scratch, serve, until } from './service.mjs';

const fine = 'function main() { return { ok: true } }';
const endless = 'function main() { for (;;); }';
const state = scratch();
let service;
before(async () => { service = await serve({ state, args: ['--jobs-workers', '6'] }); });
after(() => service.stop());

// The operations that answered, and with what: at the end all of the contract's must have.
const seen = new Set();

// Asks, and holds the reply against the contract.
async function checked(where, method, path, options) {
  const reply = await ask(where, method, path, options);
  const headers = new Headers(Object.entries(reply.headers).map(([name, value]) => [name, String(value)]));
  checkReply(method, path, { status: reply.status, headers, body: reply.text });
  seen.add(`${operationOf(method, path)?.operationId} ${reply.status}`);
  return reply;
}
const post = (body, options) => checked(service, 'POST', '/execute', { body, ...options });
const get = (path, options) => checked(service, 'GET', path, options);
const refused = async (status, code, promise) => assertProblem(await promise, status, code);

describe('POST /execute', () => {
  for (const [name, body, status = 'completed', code] of [
    ['completed', { script: fine, nonce: 'n' }],
    ['completed, with everything', { script: 'async function go(i) { console.log("a\\u2028", i); return [i] }', entry_point: 'go', input: { a: 1.5, b: ['ü', null] },
      timeout: 5, limits: { memory_mb: 32, steps: 1e6, hosts: ['api.example.com'] }, deterministic: true, nonce: 'order 4711', app_id: 'shop', secret_refs: [] }],
    ['nothing', { script: 'function main() {}' }],
    ['syntax_error', { script: 'function (' }, 'failed', 'syntax_error'],
    ['script_error', { script: 'throw 1' }, 'failed', 'script_error'],
    ['execution_error', { script: 'function main() {\n null.x }' }, 'failed', 'execution_error'],
    ['a thrown undefined', { script: 'function main() { throw undefined }' }, 'failed', 'execution_error'],
    ['a thrown object that lies', { script: 'function main() { throw { name: 5, message: {}, stack: [] } }' }, 'failed', 'execution_error'],
    ['entry_not_found', { script: '1' }, 'failed', 'entry_not_found'],
    ['unsettled', { script: 'function main() { return new Promise(() => {}) }' }, 'failed', 'unsettled'],
    ['output_invalid', { script: 'function main() { return 1n }' }, 'failed', 'output_invalid'],
    ['output_too_large', { script: 'function main() { return "x".repeat(2e6) }' }, 'failed', 'output_too_large'],
    ['timeout', { script: endless, timeout: 1 }, 'failed', 'timeout'],
    ['out_of_memory', { script: 'const a = []; for (;;) a.push(new Array(1000).fill(1))', limits: { memory_mb: 16 } }, 'failed', 'out_of_memory'],
    ['out_of_steps', { script: endless, limits: { steps: 5000 } }, 'failed', 'out_of_steps'],
    ['secret_not_found', { script: fine, secret_refs: ['api_key'] }, 'failed', 'secret_not_found'],
  ]) {
    test(name, async () => {
      const { status: http, json } = await post(body);
      assert.deepEqual([http, json.status, json.error_code], [200, status, code]);
      const { json: again } = await get(`/jobs/${json.job_id}`);
      assert.deepEqual(again, json);
    });
  }

  test('encrypted', async () => {
    const reply = await checked(service, 'POST', '/execute?encrypted=1', { body: { script: fine } });
    assert.ok(reply.json.encrypted_output && !reply.json.output);
  });

  test('encrypted in a way that is not known', async () => {
    for (const value of ['', 'true', 'yes', '2', '%31%', '1'.repeat(100)])
      await refused(400, 'bad_request', checked(service, 'POST', `/execute?encrypted=${value}`, { body: { script: fine } }));
  });

  test('taken', async () => {
    const reply = await post({ script: fine, async: true });
    assert.equal(reply.status, 202);
    assert.ok(reply.json.status);
    await until(async () => (await get(`/jobs/${reply.json.job_id}`)).json.status === 'completed', 'its end');
  });

  for (const [name, status, code, body, options] of [
    ['no JSON', 400, 'bad_request', 'x'], ['an unknown field', 400, 'unknown_field', { script: fine, a: 1 }],
    ['no script', 400, 'script_required', {}], ['a script that is not UTF-8 in JSON', 400, 'script_invalid', '{"script":"\\ud800"}'],
    ['input of another kind', 400, 'input_invalid', { script: fine, input: 1 }], ['an entry point of another kind', 400, 'entry_invalid', { script: fine, entry_point: '-' }],
    ['a limit of another size', 400, 'limit_invalid', { script: fine, limits: { memory_mb: 1 } }],
    ['too many secrets', 400, 'too_many_secret_refs', { script: fine, secret_refs: Array(11).fill('a') }],
    ['nobody', 401, 'unauthorized', { script: fine }, { user: null }],
    ['a long script', 413, 'script_too_large', { script: ' '.repeat(102401) }],
    ['a large input', 413, 'input_too_large', { script: fine, input: { a: 'x'.repeat(1048576) } }],
    ['a large body', 413, 'body_too_large', ' '.repeat(1310721)],
    ['another media type', 415, 'unsupported_media_type', 'a=b', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
  ]) test(`refused: ${name}`, () => refused(status, code, post(body, options)));

  test('refused: too many jobs, another body of the same key', async () => {
    const user = 'crowd';
    const ids = (await Promise.all(Array.from({ length: 5 }, () => post({ script: endless, async: true }, { user })))).map(({ json }) => json.job_id);
    const reply = await post({ script: fine }, { user });
    assertProblem(reply, 429, 'too_many_jobs');
    assert.match(reply.headers['retry-after'], /^[1-9]\d*$/);
    assert.equal((await get('/jobs?status=running', { user })).json.length, 5);
    for (const id of ids) assert.equal((await checked(service, 'DELETE', `/jobs/${id}`, { user })).status, 204);
    const headers = { 'idempotency-key': 'k' };
    await post({ script: fine }, { headers });
    await refused(422, 'idempotency_mismatch', post({ script: `${fine} ` }, { headers }));
  });
});

describe('jobs', () => {
  test('read, listed, followed, deleted', async () => {
    const user = 'owner', { json: { job_id: id } } = await post({ script: 'function main() { console.log("x") }' }, { user });
    await post({ script: fine }, { user });
    assert.equal((await get(`/jobs/${id}`, { user })).status, 200);
    assert.match((await get('/jobs?limit=1', { user })).headers.link, /^<\/jobs\?.*before=.*>; rel="next"$/);
    assert.equal((await get(`/jobs/${id}/events`, { user })).headers['content-type'], 'text/event-stream');
    assert.equal((await checked(service, 'DELETE', `/jobs/${id}`, { user })).status, 204);
    for (const path of [`/jobs/${id}`, `/jobs/${id}/events`]) await refused(404, 'job_not_found', get(path, { user }));
    await refused(404, 'job_not_found', checked(service, 'DELETE', `/jobs/${id}`, { user }));
    for (const query of ['limit=x', 'limit=', 'limit=5%', `limit=${'0'.repeat(200)}5`, 'status=%00', `before=${id}0`, `before=${'a'.repeat(500)}`])
      await refused(400, 'bad_request', get(`/jobs?${query}`));
    for (const path of ['/jobs', `/jobs/${id}`, `/jobs/${id}/events`]) await refused(401, 'unauthorized', get(path, { user: null }));
    await refused(401, 'unauthorized', checked(service, 'DELETE', `/jobs/${id}`, { user: null }));
  });
});

describe('attestation', () => {
  const sha = (algorithm, ...parts) => parts.reduce((hash, part) => hash.update(part), createHash(algorithm));
  const open = ({ document, document_sha256: hash, evidence }) => {
    const bytes = Buffer.from(document, 'base64url');
    assert.equal(sha('sha256', bytes).digest('hex'), hash);
    const bound = sha('sha512', 'neocompute-key-binding-v1\0', bytes).digest('base64url');
    assert.equal(JSON.parse(Buffer.from(evidence.raw, 'base64url')).report_data, bound);
    return JSON.parse(bytes);
  };

  test('the current one is that of receipts', async () => {
    const reply = await get('/attestation', { user: null });
    open(reply.json);
    assert.match(reply.headers.age, /^\d+$/);
    assert.equal((await post({ script: fine })).json.attestation, reply.json.document_sha256);
    assert.equal((await get('/info')).json.attestation, reply.json.document_sha256);
    assert.deepEqual((await get(`/attestation/${reply.json.document_sha256}`)).json, reply.json);
  });

  test('with a nonce: made anew, for the same keys', async () => {
    const current = open((await get('/attestation')).json);
    for (const bytes of [16, 32, 64]) {
      const nonce = Buffer.alloc(bytes, bytes).toString('base64url');
      const fresh = open((await get(`/attestation?nonce=${nonce}`, { user: `asks ${bytes}` })).json);
      assert.equal(fresh.eat_nonce, nonce);
      assert.deepEqual(fresh.cnf, current.cnf);
    }
  });

  test('once a second for each caller', async () => {
    const path = `/attestation?nonce=${'A'.repeat(22)}`, replies = [];
    for (const user of ['eager', 'eager', 'other', null, null]) replies.push(await get(path, { user }));
    // As long as a second has not passed in between.
    assert.deepEqual(replies.map(({ status }) => status), [200, 429, 200, 200, 429]);
    const [, again] = replies;
    assert.deepEqual([again.json.error_code, again.headers['retry-after']], ['too_many_requests', '1']);
    assert.equal((await get('/attestation', { user: 'eager' })).status, 200);
  });

  test('with a job', async () => {
    const { json: made } = await post({ script: fine });
    const { json: job } = await get(`/jobs/${made.job_id}?attestation=1`);
    assert.deepEqual(job.attestation_reply, (await get(`/attestation/${made.attestation}`)).json);
    const { attestation_reply: reply, ...rest } = job;
    assert.ok(reply);
    assert.deepEqual(rest, (await get(`/jobs/${made.job_id}`)).json);
    assert.deepEqual(rest, (await get(`/jobs/${made.job_id}?attestation=0`)).json);
    const { json: sly } = await post({ script: 'function main() { return { attestation: "0".repeat(64) } }' });
    assert.deepEqual((await get(`/jobs/${sly.job_id}?attestation=1`)).json.attestation_reply, reply);
  });

  test('refused', async () => {
    for (const nonce of ['', 'AAAA', 'A'.repeat(20), 'A'.repeat(88), `${'A'.repeat(22)}%3D%3D`, `${'A'.repeat(21)}%2B`, 'A'.repeat(4000)])
      await refused(400, 'bad_request', get(`/attestation?nonce=${nonce}`));
    for (const hash of ['0'.repeat(64), 'x', 'A'.repeat(64)]) await refused(404, 'not_found', get(`/attestation/${hash}`));
  });
});

describe('operations', () => {
  test('health and ready', async () => {
    for (const path of ['/health', '/ready']) {
      const { status, json } = await get(path, { user: null });
      assert.deepEqual([status, json.status, json.service, json.enclave], [200, 'healthy', 'NeoCompute Service', false]);
      assert.ok(Math.abs(Date.parse(json.timestamp) - Date.now()) < 60_000);
    }
  });

  test('info: the limits that hold, and the reference\'s statistics', async () => {
    const { json } = await get('/info', { user: null });
    assert.deepEqual(json.secrets, [{ store: 'embedded', format: 'sealed-v1' }]);
    assert.deepEqual(json.limits, {
      script_bytes: 102400, input_bytes: 1048576, request_bytes: 1310720, secret_refs: 10, secret_bytes: 65536, secrets_per_user: 1000, secrets_bytes_per_user: 4194304, hosts: 32, output_bytes: 1048576, log_entries: 100,
      log_entry_bytes: 4096, jobs_per_user: 5, jobs_waiting: 256, jobs_running: 6, wait_ms: 10000, timeout_ms: 30000, timeout_ms_max: 120000,
      memory_bytes: 134217728, memory_bytes_max: 1073741824, stack_bytes: 1048576, nonce_bytes: 128, retention_ms: 86400000 });
    assert.deepEqual([json.statistics.result_ttl, json.statistics.cleanup_interval], ['24h0m0s', '1m0s']);
    const { json: { job_id: id } } = await post({ script: endless, async: true }, { user: 'counted' });
    const during = (await get('/info')).json.statistics;
    assert.equal(during.running_jobs, 1);
    await checked(service, 'DELETE', `/jobs/${id}`, { user: 'counted' });
    const later = (await get('/info')).json.statistics;
    assert.equal(later.running_jobs, 0);
    assert.equal(later.total_jobs, json.statistics.total_jobs + 1);
  });

  test('info: settings are told as they were set', async () => {
    const own = await serve({ args: ['--jobs-per-user', '7', '--jobs-waiting', '3', '--jobs-workers', '2', '--jobs-result-ttl', '90m', '--jobs-cleanup-interval', '1500ms'] });
    const { limits, statistics } = (await checked(own, 'GET', '/info')).json;
    assert.deepEqual([limits.jobs_per_user, limits.jobs_waiting, limits.jobs_running, limits.retention_ms], [7, 3, 2, 5400000]);
    assert.deepEqual([statistics.result_ttl, statistics.cleanup_interval], ['1h30m0s', '1.5s']);
    await own.stop();
  });

  test('the contract itself, once', async () => {
    const first = await get('/openapi.json', { user: null });
    assert.deepEqual(first.json, api);
    for (const match of [first.headers.etag, `W/${first.headers.etag}`, `"x", ${first.headers.etag}`, '*']) {
      const { status, text, headers } = await get('/openapi.json', { headers: { 'if-none-match': match } });
      assert.deepEqual([status, text, headers.etag], [304, '', first.headers.etag], match);
    }
    assert.equal((await get('/openapi.json', { headers: { 'if-none-match': '"x"' } })).status, 200);
  });

  test('a page', async () => {
    const page = await ask(service, 'GET', '/', { user: null });
    assert.equal(page.status, 200);
    assert.match(page.headers['content-type'], /^text\/html/);
    assert.match(page.headers['content-security-policy'], /default-src/);
    assert.equal((await ask(service, 'GET', '/', { headers: { 'if-none-match': page.headers.etag } })).status, 304);
    const head = await ask(service, 'HEAD', '/');
    assert.deepEqual([head.status, head.text, head.headers['content-length']], [200, '', page.headers['content-length']]);
  });

  test('what is not there, or not so', async () => {
    for (const path of ['/metrics', '/secret', '/index.htm', '/web/index.html', '/%00', '/jobs/', '/health/']) await refused(404, 'not_found', get(path));
    for (const [method, path, allow] of [['GET', '/execute', 'POST'], ['PUT', '/jobs', 'GET, HEAD'], ['POST', '/jobs/x', 'GET, HEAD, DELETE'], ['DELETE', '/health', 'GET, HEAD']]) {
      const reply = await checked(service, method, path);
      assertProblem(reply, 405, 'method_not_allowed');
      assert.equal(reply.headers.allow, allow);
    }
    assert.ok([404, 405].includes((await checked(service, 'POST', '/')).status));
  });
});

describe('secrets', () => {
  const put = (path, body, options) => checked(service, 'PUT', path, { body, ...options });
  const remove = (path, options) => checked(service, 'DELETE', path, options);

  test('stored, had by a script, replaced, deleted, and all of it written down', async () => {
    const user = 'owner';
    assert.deepEqual((await put('/secrets/api_key', { value: 's3cr3t' }, { user })).json, { name: 'api_key', version: 1, created: true });
    const { json: job } = await post({ script: 'function main(input, secrets) { return { length: secrets.api_key.length } }', secret_refs: ['secrets:api_key'] }, { user });
    assert.deepEqual([job.status, job.output, job.secrets], ['completed', { length: 6 }, [{ name: 'api_key', version: 1 }]]);
    assert.deepEqual((await put('/secrets/api_key/policy', { uses: 1, services: ['neocompute'] }, { user })).json, { name: 'api_key', version: 2, created: false });
    const { json: { secrets: [listed, ...rest] } } = await get('/secrets', { user });
    assert.deepEqual([listed.name, listed.version, listed.policy, rest], ['api_key', 2, { uses: 1, services: ['neocompute'] }, []]);
    assert.equal((await post({ script: fine, secret_refs: ['api_key'] }, { user })).json.status, 'completed');
    assert.equal((await post({ script: fine, secret_refs: ['api_key'] }, { user })).json.error_code, 'secret_forbidden');
    assert.deepEqual((await put('/secrets/api_key', { value: 'other', policy: { expires_at: '2020-01-01T00:00:00Z' } }, { user })).json, { name: 'api_key', version: 3, created: false });
    assert.equal((await post({ script: fine, secret_refs: ['api_key'] }, { user })).json.error_code, 'secret_expired');
    assert.equal((await remove('/secrets/api_key', { user })).status, 204);
    await refused(404, 'secret_unknown', remove('/secrets/api_key', { user }));
    assert.equal((await post({ script: fine, secret_refs: ['api_key'] }, { user })).json.error_code, 'secret_not_found');
    const { json: { audit } } = await get('/secrets/api_key/audit?limit=1000', { user });
    assert.deepEqual(audit.filter(({ action, success }) => action !== 'read' && success).map(({ action }) => action), ['delete', 'write', 'policy', 'write']);
    const page = await get('/secrets/api_key/audit?limit=2', { user });
    assert.deepEqual(page.json.audit, audit.slice(0, 2));
    assert.deepEqual((await get(`/secrets/api_key/audit?limit=2&before=${page.json.next}`, { user })).json.audit, audit.slice(2, 4));
    assert.deepEqual((await get('/secrets', { user: 'other' })).json, { secrets: [] });
  });

  test('refusals', async () => {
    for (const [status, code, path, body] of [
      [400, 'secret_invalid', '/secrets/a%20b', { value: 'x' }],
      [400, 'secret_invalid', '/secrets/a', {}],
      [400, 'secret_invalid', '/secrets/a', { value: '' }],
      [400, 'secret_invalid', '/secrets/a', { value: 'x', policy: { hosts: ['a.example'] } }],
      [400, 'secret_invalid', '/secrets/a', { value: 'x', policy: { expires_at: 'soon' } }],
      [400, 'unknown_field', '/secrets/a', { value: 'x', polcy: {} }],
      [400, 'bad_request', '/secrets/a', 'x'],
      [400, 'sealed_invalid', '/secrets/a', { sealed: { enc: 'A'.repeat(42) + 'E', ciphertext: 'A'.repeat(40) } }],
      [404, 'secret_unknown', '/secrets/a/policy', {}],
      [413, 'secret_too_large', '/secrets/a', { value: 'x'.repeat(65537) }],
      [413, 'body_too_large', '/secrets/a', { value: 'x'.repeat(204800) }],
    ]) await refused(status, code, put(path, body, { user: 'refused' }));
    await refused(415, 'unsupported_media_type', put('/secrets/a', '{}', { headers: { 'content-type': 'text/plain' } }));
    await refused(401, 'unauthorized', get('/secrets', { user: null }));
    assert.deepEqual((await get('/secrets', { user: 'refused' })).json, { secrets: [] });
  });
});

// Prometheus' text: [{name, labels, value}], each with a type and a sentence.
function samples(text) {
  const types = new Map(), helps = new Set(), all = [];
  for (const line of text.split('\n').slice(0, -1)) {
    const [, kind, about, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (kind === 'TYPE') types.set(about, rest);
    else if (kind === 'HELP') helps.add(about);
    else {
      const [, name, labels = '', value] = /^([a-zA-Z_:][\w:]*)(?:\{((?:[a-z_]+="[^"\\\n]*",?)+)\})? (-?[\d.e+-]+|\+Inf|NaN)$/.exec(line) ?? assert.fail(line);
      const family = types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
      assert.ok(types.has(family) && helps.has(family), line);
      if (types.get(family) === 'counter') assert.match(name, /_total$/);
      all.push({ name, labels, value: Number(value.replace('+Inf', 'Infinity')) });
    }
  }
  assert.equal(new Set(all.map(({ name, labels }) => `${name}{${labels}}`)).size, all.length);
  return all;
}

describe('metrics', () => {
  const scrape = async () => {
    const reply = await checked(service, 'GET', '/metrics', { url: service.metricsUrl, user: null });
    assert.match(reply.headers['content-type'], /^text\/plain; version=0\.0\.4/);
    return samples(reply.text);
  };
  const value = (all, name, labels = '') => all.find((sample) => sample.name === name && sample.labels === labels)?.value;
  const total = (all, name) => all.filter((sample) => sample.name === name).reduce((sum, sample) => sum + sample.value, 0);

  test('count what was done', async () => {
    const before_ = await scrape();
    await Promise.all(Array.from({ length: 100 }, (_, i) => post({ script: fine }, { user: `load-${i % 25}` })));
    await until(async () => total(await scrape(), 'neocompute_receipts_total') - total(before_, 'neocompute_receipts_total') >= 100, 'the receipts');
    const after_ = await scrape(), done = (name, labels) => value(after_, name, labels) - (value(before_, name, labels) ?? 0);
    assert.equal(done('neocompute_jobs_total', 'result="ok"'), 100, JSON.stringify(after_.filter(({ name }) => name === 'neocompute_jobs_total')));
    assert.equal(done('neocompute_job_duration_seconds_count'), 100);
    assert.deepEqual([value(after_, 'neocompute_jobs_running'), value(after_, 'neocompute_jobs_waiting')], [0, 0]);
    const buckets = after_.filter(({ name }) => name === 'neocompute_job_duration_seconds_bucket').map((sample) => sample.value);
    assert.deepEqual(buckets, [...buckets].sort((a, b) => a - b));
    assert.equal(buckets.at(-1), value(after_, 'neocompute_job_duration_seconds_count'));
  });

  test('labels are bounded, whatever callers send', async () => {
    const names = async () => (await scrape()).map(({ name, labels }) => `${name}{${labels}}`);
    const odd = () => Promise.all(Array.from({ length: 60 }, (_, i) => Promise.all([
      ask(service, 'GET', `/canary-${Math.random()}`, { user: `canary-${i}` }), ask(service, `CANARY${i}`, '/execute').catch(() => {}),
      ask(service, 'POST', '/execute', { body: { script: fine, [`canary${i}`]: 1 } }), ask(service, 'GET', `/jobs/canary${i}`)])));
    await odd();
    const first = await names();
    await odd();
    assert.deepEqual(await names(), first);
    assert.ok(first.length < 500, String(first.length));
    assert.doesNotMatch(first.join(), /canary/i);
  });

  test('have their own listener', async () => {
    assert.equal((await ask(service, 'POST', '/execute', { url: service.metricsUrl, body: { script: fine } })).status, 404);
    assert.equal((await ask(service, 'GET', '/health', { url: service.metricsUrl })).status, 200);
  });
});

test('every operation of the contract has answered', () => {
  const all = Object.values(api.paths).flatMap((path) => Object.values(path)).map(({ operationId: id }) => id).filter(Boolean);
  const answered = new Set([...seen].filter((entry) => /2\d\d$/.test(entry)).map((entry) => entry.split(' ')[0]));
  assert.deepEqual(all.filter((id) => !answered.has(id)), []);
});

test('after a restart: jobs and earlier attestations are still there', async () => {
  const { json: job } = await post({ script: fine }, { user: 'keeper' });
  const { json: document } = await get(`/attestation/${job.attestation}`);
  assert.deepEqual(await service.stop(), { status: 0, signal: null });
  service = await serve({ state, args: ['--jobs-workers', '6'] });
  assert.deepEqual((await get(`/jobs/${job.job_id}`, { user: 'keeper' })).json, job);
  assert.deepEqual((await get(`/attestation/${job.attestation}`)).json, document);
  const now = (await get('/attestation')).json;
  assert.notEqual(now.document_sha256, job.attestation);
  assertIs('Attestation', now);
});

test('ready says when it is not', async () => {
  const own = await serve({ args: ['--stop-grace', '3s'] });
  const held = ask(own, 'POST', '/execute', { body: { script: 'function main() { const t = Date.now() + 800; while (Date.now() < t); }' } });
  await until(async () => (await ask(own, 'GET', '/jobs?status=running')).json.length === 1, 'the held job');
  own.child.kill('SIGTERM');
  await until(() => own.events('stopping').length, 'stopping');
  const { status, json } = await checked(own, 'GET', '/ready', { url: own.metricsUrl });
  assert.deepEqual([status, json.status], [503, 'unhealthy']);
  assert.equal((await held).status, 200);
  assert.deepEqual(await own.ended, { status: 0, signal: null });
});
