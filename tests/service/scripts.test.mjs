// Scripts by name through the real binaries: an app's manifest and its files at an origin on loopback.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { origin } from '../origin.mjs';
import { readReceipt } from '../receipts.mjs';
import { assertVerifies, fails as failsWith, serveOutside, sha, succeeds, tls } from './outside.mjs';
import { ask, assertProblem, execute, serve } from './service.mjs';

const HELLO = 'function main(input) { return { hello: input.name } }\nfunction other() { return { other: true } }';
let server, service, app = 0;

// Every test has an app of its own: nothing is left of another's in the service's memory.
const name = () => `app-${app}`;
const path = (file) => `/apps/${name()}/${file}`;
function publish(file, body, headers = {}) {
  server.more[path(file)] = (request, response) => {
    const etag = headers.etag;
    if (etag && request.headers['if-none-match'] === etag) return response.writeHead(304, headers).end();
    return response.writeHead(headers.status ?? 200, headers).end(body);
  };
}
const manifest = (scripts, headers) => publish('manifest.json', typeof scripts === 'string' ? scripts : JSON.stringify({ name: 'an app', tee_scripts: scripts }), headers);
const asked = (file) => server.requests.filter(({ url }) => url === path(file)).length;
const call = (more) => ({ script: undefined, app_id: name(), script_name: 'hello', ...more });
const works = async (more) => succeeds(service, undefined, call(more));
const refused = async (code, more) => {
  const reply = await failsWith(service, code, undefined, call(more));
  assert.deepEqual([reply.json.usage.steps, reply.json.logs, reply.json.output], [0, [], undefined]);
  return reply;
};

before(async () => {
  server = await origin({ tls });
  service = await serveOutside({ env: { NEOCOMPUTE_SCRIPTS_URL: `https://scripts.example:${server.port}` } });
});
after(async () => { server.close(); await service.stop(); });
beforeEach(() => { app++; });

describe('what runs', () => {
  test('the file that the manifest names, and the receipt has its hash', async () => {
    manifest({ hello: { file: 'scripts/hello.js', description: 'greets' } });
    publish('scripts/hello.js', HELLO);
    const input = { name: 'ada' };
    const reply = await works({ input });
    assert.deepEqual([reply.json.output, reply.json.gas_used], [{ hello: 'ada' }, 10 * HELLO.length]);
    await assertVerifies(service, reply, { script: HELLO, input });
    const { cnf } = JSON.parse(Buffer.from((await ask(service, 'GET', '/attestation')).json.document, 'base64url'));
    assert.equal(Buffer.from(readReceipt(reply.json.receipt, cnf.jwks[0]).payload.script, 'base64url').toString('hex'), sha(HELLO));
    assert.equal(reply.json.network, undefined); // it is the operator's doing, not the script's
  });

  test('entry points: the manifest\'s, and the request\'s in its place', async () => {
    manifest({ hello: { file: 'hello.js', entry_point: 'other' } });
    publish('hello.js', HELLO);
    assert.deepEqual((await works()).json.output, { other: true });
    assert.deepEqual((await works({ entry_point: 'main', input: { name: 1 } })).json.output, { hello: 1 });
    const { json } = await failsWith(service, 'entry_not_found', undefined, call({ entry_point: 'nothing' }));
    assert.match(json.error, /nothing/);
  });

  test('with secrets, whose policy knows the file\'s hash', async () => {
    const script = 'function main(i, s) { return { k: s.k } }';
    manifest({ hello: { file: 'a.js' }, another: { file: 'b.js' } });
    publish('a.js', script);
    publish('b.js', `${script} `);
    await ask(service, 'PUT', '/secrets/k', { body: { value: 'v', policy: { scripts: [sha(script)] } } });
    assert.deepEqual((await works({ secret_refs: ['k'] })).json.output, { k: 'v' });
    await refused('secret_forbidden', { script_name: 'another', secret_refs: ['k'] });
  });

  test('pins: the file that was meant, and no other', async () => {
    manifest({ hello: { file: 'hello.js', sha256: sha(HELLO) }, wrong: { file: 'wrong.js', sha256: sha(HELLO) } });
    publish('hello.js', HELLO);
    publish('wrong.js', `${HELLO}\n`);
    await works();
    const { json } = await refused('script_changed', { script_name: 'wrong' });
    assert.match(json.error, /wrong/);
  });
});

describe('what does not', () => {
  test('script beside script_name, and one without the other', async () => {
    manifest({ hello: { file: 'hello.js' } });
    publish('hello.js', HELLO);
    for (const body of [{ script: HELLO, app_id: name(), script_name: 'hello' }, { script: HELLO, script_name: 'hello' }, { script_name: 'hello' }, { app_id: name() }]) {
      const reply = await execute(service, body);
      assertProblem(reply, 400, reply.json.error_code);
      assert.match(reply.json.error_code, /^(bad_request|script_required)$/, JSON.stringify(body));
    }
    assert.equal(asked('hello.js'), 0);
  });

  test('an app, a script or a file that is not there', async () => {
    await refused('script_not_found', { app_id: 'no-such-app' });
    manifest({ hello: { file: 'gone.js' } });
    await refused('script_not_found', { script_name: 'unknown' });
    await refused('script_not_found');
  });

  test('files outside of the app', async () => {
    const bad = { up: '../secret.js', deep: 'a/../../b.js', absolute: '/etc/passwd', url: 'https://evil.example/x.js', encoded: '%2e%2e/x.js', query: 'a.js?x', back: 'a\\b.js', dot: './a.js', twice: 'a//b.js', empty: '', nul: 'a\0b' };
    manifest(Object.fromEntries(Object.entries(bad).map(([key, file]) => [key, { file }])));
    const before_ = server.requests.length;
    for (const key of Object.keys(bad)) await refused('script_store_invalid', { script_name: key });
    assert.deepEqual(server.requests.slice(before_).map(({ url }) => url).filter((url) => url !== path('manifest.json')), []);
    for (const id of ['..', '.', 'a/b', '%2e%2e', '']) {
      const reply = await execute(service, { app_id: id, script_name: 'hello' });
      if (reply.status === 200) assert.equal(reply.json.error_code, 'script_not_found', id);
      else assertProblem(reply, 400, reply.json.error_code);
    }
  });

  for (const [what, body] of Object.entries({ 'no JSON': '{', 'a list': '[]', 'tee_scripts that is a list': '{"tee_scripts":[]}', 'an entry without a file': '{"tee_scripts":{"hello":{}}}', 'a pin that is none': '{"tee_scripts":{"hello":{"file":"a.js","sha256":"short"}}}',
    'members that come twice': '{"tee_scripts":{"hello":{"file":"a.js"},"hello":{"file":"b.js"}}}', 'too much': ' '.repeat(3_000_000) }))
    test(`a manifest that is ${what}`, async () => { manifest(body); await refused('script_store_invalid'); });

  test('HTML in place of either', async () => {
    manifest('<!doctype html><p>please log in', { 'content-type': 'text/html' });
    await refused('script_store_invalid');
    app++;
    manifest({ hello: { file: 'hello.js' } });
    publish('hello.js', '<!DOCTYPE html><html></html>', { 'content-type': 'text/html; charset=utf-8' });
    await refused('script_store_invalid');
  });

  test('files that are no script', async () => {
    manifest({ large: { file: 'large.js' }, bytes: { file: 'bytes.js' }, hello: { file: 'broken.js' } });
    publish('large.js', '/'.repeat(102401));
    publish('bytes.js', Buffer.from([0xff, 0xfe]));
    publish('broken.js', 'function (');
    await refused('script_too_large', { script_name: 'large' });
    await refused('script_invalid', { script_name: 'bytes' });
    await failsWith(service, 'syntax_error', undefined, call());
  });

  test('a store that is away, or says 500, is asked a second time and then is away', async () => {
    manifest('', { status: 500 });
    await refused('script_store_unavailable');
    assert.equal(asked('manifest.json'), 2);
    const away = await serveOutside({ env: { NEOCOMPUTE_SCRIPTS_URL: 'https://scripts.example:1' } });
    await failsWith(away, 'script_store_unavailable', undefined, call());
    assert.equal((await execute(away, { script: HELLO })).json.status, 'completed');
    await away.stop();
    const none = await serve();
    await failsWith(none, 'script_store_unavailable', undefined, call());
    await none.stop();
  });
});

describe('what is kept', () => {
  test('by validators: what has not changed is not sent again', async () => {
    manifest({ hello: { file: 'hello.js' } }, { etag: '"m1"', 'cache-control': 'no-cache' });
    publish('hello.js', HELLO, { etag: '"f1"', 'cache-control': 'no-cache' });
    for (let i = 0; i < 3; i++) await works();
    for (const file of ['manifest.json', 'hello.js']) {
      const seen = server.requests.filter(({ url }) => url === path(file)).map(({ headers }) => headers['if-none-match']);
      const etag = file === 'hello.js' ? '"f1"' : '"m1"';
      assert.deepEqual(seen, [undefined, etag, etag], file);
    }
    publish('hello.js', HELLO.replace('hello:', 'changed:'), { etag: '"f2"', 'cache-control': 'no-cache' });
    assert.deepEqual((await works({ input: { name: 1 } })).json.output, { changed: 1 });
  });

  test('for as long as the store says, and many who want it at once ask once', async () => {
    manifest({ hello: { file: 'hello.js' } }, { 'cache-control': 'max-age=30' });
    publish('hello.js', HELLO, { 'cache-control': 'max-age=30' });
    await Promise.all(Array.from({ length: 5 }, () => works()));
    await works();
    assert.deepEqual([asked('manifest.json'), asked('hello.js')], [1, 1]);
  });
});
