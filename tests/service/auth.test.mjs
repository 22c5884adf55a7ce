// Who is calling: the modes of API.md against the running service, its certificates, and how they change.
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import { authority } from './certificates.mjs';
import { ask, assertProblem, completed, execute, refusedStart, scratch, serve, until } from './service.mjs';

const fine = 'function main() { return { ok: true } }';
const folder = scratch();
const put = (name, text) => { const path = join(folder, name); writeFileSync(path, text); return path; };

const ca = authority('test CA'), other = authority('other CA');
const server = ca.server(), gateway = ca.client('gateway.mesh.internal'), stranger = other.client('gateway.mesh.internal');
const withCertificate = (pair = gateway) => ({ ca: ca.cert, cert: pair.cert, key: pair.key });
const without = { ca: ca.cert };
const tlsArgs = ['--tls-cert', server.certFile, '--tls-key', server.keyFile, '--tls-client-ca', ca.certFile];

const allowed = async (service, options) => {
  const reply = await execute(service, { script: fine }, options);
  assert.equal(reply.status, 200, reply.text);
};
// Refused, and why stands in the log alone.
async function refused(service, reason, options) {
  const seen = service.events('refused_caller').length;
  const problem = assertProblem(await execute(service, { script: fine }, options), 401, 'unauthorized');
  assert.deepEqual([problem.message, problem.detail], ['unauthorized', undefined]);
  const line = await until(() => service.events('refused_caller')[seen], 'the line in the log');
  assert.match(line.reason, reason);
  assert.equal(line.trace_id, problem.trace_id);
}
// The handshake fails, or the connection ends before a reply.
const noConnection = (service, tlsOptions) => assert.rejects(ask(service, 'GET', '/health', { tls: tlsOptions }));

describe('dev', () => {
  test('does not listen beyond loopback', async () => {
    for (const listen of ['0.0.0.0:0', '[::]:0']) {
      const { status, reason } = await refusedStart({ base: ['--listen', listen, '--state', 'memory', '--metrics-listen', ''] });
      assert.equal(status, 1);
      assert.match(reason, /^auth\.mode dev believes any caller, so it listens on loopback only; beyond it, configure /);
    }
  });

  test('believes X-User-ID, once', async () => {
    const service = await serve();
    await allowed(service, { user: 'ä'.repeat(3) });
    await refused(service, /no X-User-ID/, { user: null });
    await refused(service, /not a name/, { user: 'x'.repeat(256) });
    for (const names of [['alice', 'bob'], ['alice', 'alice']])
      assertProblem(await execute(service, { script: fine }, { user: null, headers: { 'x-user-id': names } }), 400, 'bad_http');
    await refused(service, /without a verified client certificate/, { headers: { 'x-service-token': 'a.b.c' } });
    await service.stop();
  });
});

describe('mtls', () => {
  let service;
  before(async () => { service = await serve({ args: tlsArgs, tls: withCertificate() }); });
  after(() => service.stop());

  test('X-User-ID is believed over a certificate of the CA', async () => {
    await allowed(service);
    await refused(service, /no X-User-ID/, { user: null });
  });
  test('and not without one, which still may ask for what is open', async () => {
    await refused(service, /no verified client certificate/, { tls: without });
    for (const path of ['/health', '/info', '/attestation']) assert.equal((await ask(service, 'GET', path, { tls: without })).status, 200);
  });
  test('a certificate of another CA, and one for servers, get no connection', async () => {
    await noConnection(service, withCertificate(stranger));
    await noConnection(service, withCertificate(server));
  });
  test('TLS 1.2 gets no connection', async () => {
    await noConnection(service, { ...withCertificate(), maxVersion: 'TLSv1.2' });
  });
  test('plain HTTP gets no answer', async () => {
    await assert.rejects(ask(service, 'GET', '/health', { url: service.url.replace('https:', 'http:') }));
  });
  test('no session is resumed', async () => {
    const agent = new https.Agent({ keepAlive: false, maxCachedSessions: 10 });
    for (let i = 0; i < 2; i++) assert.equal((await ask(service, 'GET', '/health', { agent, tls: { ...withCertificate(), agent } })).status, 200);
    const socket = tls.connect({ ...withCertificate(), port: service.port, host: '127.0.0.1' });
    await new Promise((resolve) => { socket.on('secureConnect', resolve); });
    assert.equal(socket.getProtocol(), 'TLSv1.3');
    assert.equal(socket.isSessionReused(), false);
    socket.destroy();
  });
  test('a required certificate', async () => {
    const strict = await serve({ args: [...tlsArgs, '--tls-client', 'required'], tls: withCertificate() });
    await allowed(strict);
    await noConnection(strict, without);
    await strict.stop();
  });
  test('needs a CA, a key, and files that are there', async () => {
    for (const [args, reason] of [
      [tlsArgs.slice(0, 4), /needs tls\.client_ca/],
      [tlsArgs.slice(0, 2), /belong together/],
      [['--auth-mode', 'mtls'], /needs tls\.cert/],
      [[...tlsArgs.slice(0, 4), '--tls-client-ca', join(folder, 'none')], /tls\.client_ca .*No such file/],
      [[...tlsArgs, '--auth-mode', 'dev'], /with a certificate it is mtls or jwt/],
      [[...tlsArgs, '--tls-client', 'maybe'], /optional or required/],
    ]) {
      const { status, reason: said } = await refusedStart({ args });
      assert.equal(status, 1);
      assert.match(said, reason);
    }
  });
  test('a key of another certificate', async () => {
    const { status, text } = await refusedStart({ args: ['--tls-cert', server.certFile, '--tls-key', gateway.keyFile, '--tls-client-ca', ca.certFile] });
    assert.equal(status, 1);
    assert.match(text, /the private key does not belong to the certificate/);
  });
});

describe('MarbleRun', () => {
  const marble = { MARBLE_CERT: server.cert, MARBLE_KEY: server.key, MARBLE_ROOT_CA: ca.cert };

  test('certificates by environment: required of callers, and gone from it', async () => {
    const service = await serve({ env: marble, tls: withCertificate() });
    await allowed(service);
    await noConnection(service, without);
    await noConnection(service, withCertificate(stranger));
    await service.stop();
  });
  test('MARBLE_EXTRA_CLIENT_CA', async () => {
    const service = await serve({ env: { ...marble, MARBLE_EXTRA_CLIENT_CA: other.cert }, tls: withCertificate() });
    await allowed(service);
    await allowed(service, { tls: withCertificate(stranger) });
    await service.stop();
  });
  test('is strict: without a master key there is no start', async () => {
    assert.match((await refusedStart({ env: { ...marble, COMPUTE_MASTER_KEY: undefined } })).reason, /COMPUTE_MASTER_KEY is missing/);
  });
  test('a certificate without a root CA is a start error', async () => {
    const { status, reason } = await refusedStart({ env: { ...marble, MARBLE_ROOT_CA: undefined } });
    assert.equal(status, 1);
    assert.match(reason, /MARBLE_CERT needs MARBLE_ROOT_CA/);
  });
});

const b64 = (value) => Buffer.from(typeof value === 'object' && !Buffer.isBuffer(value) ? JSON.stringify(value) : value).toString('base64url');
function token(header, claims, signer) {
  const input = `${b64({ typ: 'JWT', ...header })}.${b64(claims)}`;
  return `${input}.${b64(signer(input))}`;
}
const hmac = (key) => (input) => createHmac('sha256', key).update(input).digest();
const rsa = (key) => (input) => sign('sha256', Buffer.from(input), key);
const ecdsa = (key) => (input) => sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
const jwk = ({ publicKey }, more) => ({ ...publicKey.export({ format: 'jwk' }), ...more });
const pem = ({ publicKey }) => publicKey.export({ format: 'pem', type: 'spki' });

describe('jwt', () => {
  const secret = 'a secret that only the issuer and we know 0123456789';
  const es = generateKeyPairSync('ec', { namedCurve: 'P-256' }), rs = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwks = put('jwks.json', JSON.stringify({ keys: [jwk(es, { kid: 'es', alg: 'ES256', use: 'sig' }), jwk(rs, { kid: 'rs', alg: 'RS256', use: 'sig' })] }));
  const now = () => Math.floor(Date.now() / 1000);
  const claims = (more) => ({ iss: 'https://issuer.example', aud: 'authenticated', sub: 'user-1', iat: now(), exp: now() + 600, ...more });
  const args = ['--auth-mode', 'jwt', '--auth-jwt-issuer', 'https://issuer.example', '--auth-jwt-audience', 'authenticated'];
  const bearer = (text) => ({ user: null, headers: { authorization: `Bearer ${text}` } });
  const hs = (more, key = secret) => token({ alg: 'HS256' }, claims(more), hmac(key));
  let symmetric, asymmetric;
  before(async () => {
    [symmetric, asymmetric] = await Promise.all([
      serve({ args, env: { NEOCOMPUTE_JWT_SECRET: secret } }), serve({ args: [...args, '--auth-jwt-jwks', jwks] })]);
  });
  after(() => Promise.all([symmetric.stop(), asymmetric.stop()]));

  test('HS256 with the secret; the user is sub', async () => {
    await completed(symmetric, { script: fine }, bearer(hs()));
    assert.equal((await ask(symmetric, 'GET', '/jobs', bearer(hs()))).json.length, 1);
    assert.equal((await ask(symmetric, 'GET', '/jobs', bearer(hs({ sub: 'user-2' })))).json.length, 0);
    // A name beside the token is not believed.
    assert.equal((await ask(symmetric, 'GET', '/jobs', { headers: bearer(hs()).headers, user: 'user-2' })).json.length, 1);
  });
  test('ES256 and RS256 by JWKS', async () => {
    await allowed(asymmetric, bearer(token({ alg: 'ES256', kid: 'es' }, claims(), ecdsa(es.privateKey))));
    await allowed(asymmetric, bearer(token({ alg: 'RS256', kid: 'rs' }, claims(), rsa(rs.privateKey))));
  });
  test('the reference\'s name of the secret', async () => {
    const service = await serve({ args, env: { SUPABASE_JWT_SECRET: secret } });
    await allowed(service, bearer(hs()));
    await service.stop();
  });

  test('nobody, and other schemes', async () => {
    await refused(symmetric, /no Authorization/, { user: 'alice' });
    await refused(symmetric, /not a bearer token/, { user: null, headers: { authorization: 'Basic YTpi' } });
    await refused(symmetric, /three parts/, bearer('nonsense'));
    const twice = [`Bearer ${hs()}`, `Bearer ${hs()}`];
    assert.equal((await execute(symmetric, { script: fine }, { user: null, headers: { authorization: twice } })).status, 400);
  });
  test('forgeries', async () => {
    const none = `${b64({ alg: 'none' })}.${b64(claims())}.`;
    for (const service of [symmetric, asymmetric]) await refused(service, /^token: /, bearer(none));
    for (const key of [pem(rs), pem(rs).trim(), JSON.stringify(jwk(rs))]) {
      await refused(asymmetric, /^token: /, bearer(token({ alg: 'HS256', kid: 'rs' }, claims(), hmac(key))));
      await refused(asymmetric, /^token: /, bearer(token({ alg: 'HS256' }, claims(), hmac(key))));
    }
    await refused(symmetric, /signature/, bearer(hs({}, 'another secret that only strangers know 0123456')));
    await refused(asymmetric, /^token: /, bearer(token({ alg: 'RS256', kid: 'es' }, claims(), rsa(rs.privateKey))));
    await refused(asymmetric, /^token: /, bearer(token({ alg: 'ES256', kid: '../../../../dev/null' }, claims(), ecdsa(es.privateKey))));
    await refused(symmetric, /^token: /, bearer(token({ alg: 'HS256', jwk: jwk(es) }, claims(), hmac(secret))));
    const [head, , tail] = hs().split('.');
    await refused(symmetric, /signature/, bearer(`${head}.${b64(claims({ sub: 'admin' }))}.${tail}`));
  });
  test('claims', async () => {
    for (const [more, reason] of [
      [{ exp: now() - 1 }, /expired/], [{ exp: undefined }, /no exp/], [{ exp: 'tomorrow' }, /exp/], [{ nbf: now() + 600 }, /not yet valid/],
      [{ iat: now() + 600 }, /future/], [{ aud: 'others' }, /audience/], [{ aud: undefined }, /audience/], [{ aud: ['a', 'b'] }, /audience/],
      [{ iss: 'https://issuer.example/' }, /issuer/], [{ iss: undefined }, /issuer/], [{ sub: undefined }, /sub/], [{ sub: '' }, /sub/], [{ sub: 5 }, /sub/],
    ]) await refused(symmetric, reason, bearer(hs(more)));
    await allowed(symmetric, bearer(hs({ aud: ['others', 'authenticated'] })));
    const twice = `${b64({ alg: 'HS256' })}.${b64(JSON.stringify(claims()).replace('{', '{"sub":"admin",'))}`;
    await refused(symmetric, /twice/, bearer(`${twice}.${b64(hmac(secret)(twice))}`));
  });

  test('needs a key and an issuer', async () => {
    assert.match((await refusedStart({ args })).reason, /NEOCOMPUTE_JWT_SECRET or auth\.jwt_jwks/);
    const { status, text } = await refusedStart({ args: ['--auth-mode', 'jwt'], env: { NEOCOMPUTE_JWT_SECRET: secret } });
    assert.equal(status, 1);
    assert.match(text, /auth\.mode jwt needs auth\.jwt_issuer/);
    assert.doesNotMatch(text, new RegExp(secret));
    const bad = put('bad.json', '{"keys":[{"kty":"oct","k":"AAAA","alg":"HS256"}]}');
    assert.equal((await refusedStart({ args: [...args, '--auth-jwt-jwks', bad] })).status, 1);
  });
});

describe('a service token', () => {
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }), wrong = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keyFile = put('service.pem', pem(key));
  const claims = (more) => ({ iss: 'service-layer', service_id: 'gateway', sub: 'gateway', exp: Math.floor(Date.now() / 1000) + 60, ...more });
  const sent = (text) => ({ headers: { 'x-service-token': text } });
  const make = (more, pair = key, header = { alg: 'RS256' }) => token(header, claims(more), rsa(pair.privateKey));
  let service;
  before(async () => { service = await serve({ args: [...tlsArgs, '--auth-service-key', keyFile], tls: withCertificate() }); });
  after(() => service.stop());

  test('with a certificate', () => allowed(service, sent(make())));
  test('not without one', () => refused(service, /without a verified client certificate|no verified/, { ...sent(make()), tls: without }));
  test('forged, expired, of another issuer or service', async () => {
    await refused(service, /signature/, sent(make({}, wrong)));
    await refused(service, /expired/, sent(make({ exp: 1 })));
    await refused(service, /issuer/, sent(make({ iss: 'me' })));
    await refused(service, /sub is not its service_id/, sent(make({ sub: 'other' })));
    await refused(service, /^token: /, sent(token({ alg: 'HS256' }, claims(), hmac(pem(key)))));
    await refused(service, /./, sent('a.b.c'));
  });
  test('is not taken where no key is set', async () => {
    const plain = await serve({ args: tlsArgs, tls: withCertificate() });
    await refused(plain, /auth\.service_key is not set/, sent(make()));
    await plain.stop();
  });
});

describe('SIGHUP', () => {
  const shown = (service) => new Promise((resolve, reject) => {
    const socket = tls.connect({ ...withCertificate(), port: service.port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subject.CN);
      socket.destroy();
    }).on('error', reject);
  });

  test('new certificates for new connections; what is of no use is not taken', async () => {
    const [cert, key, clientCa] = [put('live.crt', server.cert), put('live.key', server.key), put('live-ca.crt', ca.cert)];
    const service = await serve({ args: ['--tls-cert', cert, '--tls-key', key, '--tls-client-ca', clientCa], tls: withCertificate() });
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ...withCertificate() });
    assert.equal((await ask(service, 'GET', '/health', { agent })).status, 200);
    const reload = async (event, count) => {
      service.child.kill('SIGHUP');
      return until(() => service.events(event)[count - 1], `${event} ${count}`);
    };
    assert.equal(await shown(service), 'neocompute');

    const next = ca.server('renewed');
    writeFileSync(cert, next.cert);
    writeFileSync(key, next.key);
    writeFileSync(clientCa, ca.cert + other.cert);
    await reload('certificates_reloaded', 1);
    assert.equal(await shown(service), 'renewed');
    await allowed(service, { tls: withCertificate(stranger) });
    assert.equal((await ask(service, 'GET', '/health', { agent })).status, 200); // the old connection goes on

    // No PEM at all: the supervisor sees it. PEM with another certificate's key, or with rubbish in it: the broker does.
    writeFileSync(cert, 'rubbish');
    assert.match((await reload('certificates_kept', 1)).reason, /not PEM/);
    writeFileSync(cert, server.cert);
    assert.match((await reload('certificates_refused', 1)).problem, /private key does not belong/);
    writeFileSync(cert, '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n');
    assert.match((await reload('certificates_refused', 2)).problem, /certificate/);
    assert.equal(await shown(service), 'renewed');
    await allowed(service, { tls: withCertificate(stranger) });

    // And then good ones again; a CA that is taken away is.
    writeFileSync(cert, server.cert);
    writeFileSync(key, server.key);
    writeFileSync(clientCa, ca.cert);
    await reload('certificates_reloaded', 2);
    assert.equal(await shown(service), 'neocompute');
    await noConnection(service, withCertificate(stranger));
    agent.destroy();
    assert.deepEqual(await service.stop(), { status: 0, signal: null });
  });
});
