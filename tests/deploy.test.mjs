// deploy/: each file parses and keeps the rules of who reads it, as far as a table of ours says them; with twins that break each rule.
// (Of systemd's unit see supervisor.test.mjs, of the dashboard dashboard.test.mjs.)
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { parse as parseToml } from 'smol-toml';
import { parseAllDocuments } from 'yaml';
import { coordinator } from './coordinator.mjs';
import { gramine } from './gramine.mjs';
import { binary, root } from './lib.mjs';
import { ask, completed, freePort, scratch, serve } from './service/service.mjs';

const { DockerfileParser } = createRequire(import.meta.url)('dockerfile-ast');
const read = (...path) => readFileSync(join(root, 'deploy', ...path), 'utf8');
const clone = (value) => structuredClone(value);

// Every twin is the good one with one change that the rules must see.
function twins(check, good, changes) {
  test('as it is', () => assert.deepEqual(check(clone(good)), []));
  for (const [name, change] of Object.entries(changes)) {
    test(`not with ${name}`, () => {
      const twin = clone(good);
      change(twin);
      assert.notDeepEqual(check(twin), [], 'nothing was found');
    });
  }
}

// Collects complaints: `must(condition, text)`.
const collector = () => { const said = []; return { said, must: (condition, text) => { if (!condition) said.push(text); } }; };

// ---- Gramine ----

const gramineText = read('gramine', 'neocompute.manifest.template')
  .replaceAll('{{ arch_libdir }}', '/lib/x86_64-linux-gnu').replaceAll('{{ gramine.runtimedir() }}', '/usr/lib/gramine/runtime/glibc')
  .replaceAll('{{ gramine.libos }}', '/usr/lib/gramine/libsysdb.so').replaceAll('{{ bindir }}', '/build');
const ARGV0 = '/usr/local/bin/neocompute-marble';
// The keys that manifest-syntax.rst has and that this file may use.
const GRAMINE = {
  libos: ['entrypoint'], loader: ['argv', 'env', 'gid', 'log_level', 'uid'], fs: ['mounts'],
  sys: ['disallow_subprocesses', 'enable_extra_runtime_domain_names_conf', 'enable_sigterm_injection', 'experimental__enable_flock'],
  sgx: ['allowed_files', 'debug', 'edmm_enable', 'enclave_size', 'isvprodid', 'isvsvn', 'max_threads', 'remote_attestation', 'trusted_files'],
};

function checkGramine(m) {
  const { said, must } = collector();
  for (const [section, table] of Object.entries(m)) {
    const keys = GRAMINE[section] ?? [];
    for (const key of Object.keys(table)) must(keys.includes(key), `${section}.${key} is not in the table`);
  }
  const { mounts } = m.fs, env = m.loader.env;
  for (const mount of mounts) {
    must(mount.path?.startsWith('/'), `mount ${mount.path}`);
    must(mount.type === 'tmpfs' ? mount.uri === undefined : mount.uri?.startsWith('file:'), `uri of ${mount.path}`);
    must((mount.type === 'encrypted') === ('key_name' in mount), `key of ${mount.path}`);
  }
  const measured = [...m.sgx.trusted_files, ...m.sgx.allowed_files];
  const covered = (uri) => measured.some((file) => file === uri || file === `${uri}/` || (file.endsWith('/') && uri.startsWith(file)));
  for (const mount of mounts.filter(({ type }) => type === undefined)) must(covered(mount.uri), `${mount.uri} is neither trusted nor allowed`);
  must(m.libos.entrypoint === ARGV0 && mounts.some(({ path }) => path === ARGV0), 'the entrypoint is not mounted');
  const program = m.loader.argv[m.loader.argv.indexOf('--') + 1];
  must(mounts.some(({ path, uri }) => path === program && m.sgx.trusted_files.includes(uri)), 'PROGRAM is not trusted');
  must(m.sgx.allowed_files.every((file) => file === 'file:uuid/'), 'an unmeasured file');
  must(Object.entries(env).every(([name, value]) => typeof value === 'string' || (value.passthrough === true && /^EDG_MARBLE_/.test(name))), 'the host sets a variable');
  must(env.OE_SIMULATION === '0', 'simulation');
  must(m.sgx.debug === false && m.sgx.remote_attestation === 'dcap', 'debug, or no quote');
  must(m.loader.log_level === 'error', 'the log may leak data');
  must(/^\d+[MG]$/.test(m.sgx.enclave_size) && Number.isInteger(Math.log2(parseInt(m.sgx.enclave_size, 10))), 'the size is no power of two');
  must(Number.isInteger(m.sgx.isvsvn) && Number.isInteger(m.sgx.isvprodid), 'versions');
  return said;
}

describe('deploy/gramine', () => {
  test('nothing is left to fill in', () => assert.doesNotMatch(gramineText, /\{\{|\{%/));
  twins(checkGramine, parseToml(gramineText), {
    debug: (m) => { m.sgx.debug = true; },
    'insecure arguments': (m) => { m.loader.insecure__use_cmdline_argv = true; },
    'a file policy': (m) => { m.sgx.file_check_policy = 'allow_all_but_log'; },
    'a program that is not measured': (m) => { m.sgx.trusted_files = m.sgx.trusted_files.filter((f) => !f.endsWith('/neocompute-thread')); },
    'an allowed library': (m) => { m.sgx.allowed_files.push('file:/build/evil.so'); },
    'a variable of the host': (m) => { m.loader.env.LD_PRELOAD = { passthrough: true }; },
    'simulation of the host\'s choice': (m) => { m.loader.env.OE_SIMULATION = { passthrough: true }; },
    'no quotes': (m) => { m.sgx.remote_attestation = 'none'; },
    'an odd size': (m) => { m.sgx.enclave_size = '3G'; },
    'a mount without key': (m) => { delete m.fs.mounts.at(-1).key_name; },
    'a talkative log': (m) => { m.loader.log_level = 'debug'; },
  });
  test('its bounds are explicit', () => assert.match(gramineText, /-DENGINE_BOUNDS=explicit/));
});

// ---- MarbleRun ----

const manifest = JSON.parse(read('marblerun', 'manifest.json'));
const FUNCTIONS = { Env: ['hex', 'base64', 'pem', 'string'], Files: ['hex', 'base64', 'pem', 'raw'] };
const RESERVED = ['RootCA.Cert', 'MarbleCert.Cert', 'MarbleCert.Private', 'CoordinatorRoot.Cert'];
const MAY_SET = /^(COMPUTE_MASTER_KEY|SECRETS_MASTER_KEY|COORDINATOR_ROOT_CA|PORT|(MARBLE|NEOCOMPUTE|SUPABASE)_\w+)$/; // src/marble/process.c

function checkPackage(must, name, p) {
  const product = ['SignerID', 'ProductID', 'SecurityVersion'].filter((key) => key in p).length;
  must(p.Debug === false, `${name} is for debug enclaves`);
  must('UniqueID' in p ? product === 0 : product === 3, `${name}: either UniqueID or all of SignerID, ProductID and SecurityVersion`);
  for (const id of ['UniqueID', 'SignerID']) must(!(id in p) || /^[0-9a-f]{64}$/.test(p[id]), `${name}.${id}`);
  for (const key of Object.keys(p)) must(['UniqueID', 'SignerID', 'ProductID', 'SecurityVersion', 'Debug', 'AcceptedTCBStatuses'].includes(key), `${name}.${key}`);
}

function checkTemplates(must, m, where, values) {
  for (const [name, value] of Object.entries(values ?? {})) {
    must(typeof value === 'string', `${where} ${name} is no string`);
    for (const [, body] of String(value).matchAll(/\{\{(.*?)\}\}/g)) {
      const [, how, what, of] = body.match(/^ (\w+) \.(Secrets|MarbleRun)\.([\w.]+) $/) ?? [];
      must(FUNCTIONS[where].includes(how), `${where} ${name}: ${body}`);
      if (what === 'MarbleRun') { must(RESERVED.includes(of), `${where} ${name}: ${of}`); continue; }
      const secret = m.Secrets[of?.split('.')[0]];
      must(secret !== undefined, `${where} ${name}: no secret ${of}`);
      must(how !== 'string' || secret?.Type === 'plain', `${where} ${name}: string is for plain secrets`);
    }
  }
}

function checkSecret(must, name, s) {
  const known = ['symmetric-key', 'plain', 'cert-rsa', 'cert-ed25519', 'cert-ecdsa'];
  must(known.includes(s.Type), `${name}.Type`);
  if (s.Type === 'symmetric-key') must(Number.isInteger(s.Size) && s.Size > 0 && s.Size % 8 === 0, `${name}.Size is in bits`);
}

function checkManifest(m) {
  const { said, must } = collector();
  for (const key of Object.keys(m)) must(['Packages', 'Marbles', 'Secrets', 'TLS', 'Config', 'Users', 'Roles', 'RecoveryKeys'].includes(key), key);
  for (const [name, p] of Object.entries(m.Packages)) checkPackage(must, name, p);
  for (const [name, s] of Object.entries(m.Secrets)) checkSecret(must, name, s);
  for (const [name, marble] of Object.entries(m.Marbles)) {
    must(marble.Package in m.Packages, `${name}: package`);
    for (const tag of marble.TLS ?? []) must(tag in m.TLS, `${name}: no TLS ${tag}`);
    const { Env, Files, Argv, ...more } = marble.Parameters;
    must(Object.keys(more).length === 0, `${name}: ${Object.keys(more)}`);
    must(Argv.every((word) => typeof word === 'string' && !word.includes('{{')), `${name}: Argv has no templates`);
    checkTemplates(must, m, 'Env', Env);
    checkTemplates(must, m, 'Files', Files);
    for (const variable of Object.keys(Env)) must(MAY_SET.test(variable) && variable !== 'NEOCOMPUTE_WORKER', `${variable} is refused by neocompute-marble`);
    for (const path of Object.keys(Files)) must(/^\/(secrets|dev\/attestation\/keys)\/[\w.-]+$/.test(path), `${path} is refused by neocompute-marble`);
    for (const [path, value] of Object.entries(Files).filter(([p]) => p.startsWith('/dev/attestation/'))) {
      must(m.Secrets[value.match(/^\{\{ raw \.Secrets\.(\w+) \}\}$/)?.[1]]?.Size === 128, `${path}: Gramine's keys have 16 raw bytes`);
    }
  }
  for (const [tag, { Incoming = [], Outgoing = [] }] of Object.entries(m.TLS)) {
    for (const entry of Incoming) {
      must(typeof entry.Port === 'string' && /^\d+$/.test(entry.Port), `${tag}: Port is a string of digits`);
      must(('Cert' in entry) === (entry.DisableClientAuth === true), `${tag}: Cert needs DisableClientAuth, and the reverse`);
    }
    must(Outgoing.length === 0, `${tag}: the service does not heed Outgoing`);
  }
  const { NEOCOMPUTE_LISTEN } = m.Marbles.neocompute.Parameters.Env;
  must(m.TLS.api.Incoming.some(({ Port }) => NEOCOMPUTE_LISTEN.endsWith(`:${Port}`)), 'TLS is for another port');
  return said;
}

describe('deploy/marblerun', () => {
  const of = (m) => m.Marbles.neocompute.Parameters;
  twins(checkManifest, manifest, {
    'both identities': (m) => { m.Packages.neocompute.UniqueID = 'ab'.repeat(32); },
    'no version': (m) => { delete m.Packages.neocompute.SecurityVersion; },
    debug: (m) => { m.Packages.neocompute.Debug = true; },
    'raw in a variable': (m) => { of(m).Env.COMPUTE_MASTER_KEY = '{{ raw .Secrets.COMPUTE_MASTER_KEY }}'; },
    'string of a key': (m) => { of(m).Env.COMPUTE_MASTER_KEY = '{{ string .Secrets.COMPUTE_MASTER_KEY }}'; },
    'an unknown secret': (m) => { of(m).Env.COMPUTE_MASTER_KEY = '{{ hex .Secrets.NONE }}'; },
    'an unknown reserved one': (m) => { of(m).Env.MARBLE_ROOT_CA = '{{ pem .MarbleRun.Root.Cert }}'; },
    'a template in Argv': (m) => { of(m).Argv.push('{{ hex .Secrets.COMPUTE_MASTER_KEY }}'); },
    'a size in bytes': (m) => { m.Secrets.COMPUTE_MASTER_KEY.Size = 33; },
    'a long file key': (m) => { m.Secrets.DATA_KEY.Size = 256; },
    'a hexadecimal file key': (m) => { of(m).Files['/dev/attestation/keys/default'] = '{{ hex .Secrets.DATA_KEY }}'; },
    'a port that is a number': (m) => { m.TLS.api.Incoming[0].Port = 8443; },
    'a certificate with client authentication': (m) => { m.TLS.api.Incoming[0].Cert = 'X'; },
    'no client authentication and no certificate': (m) => { m.TLS.api.Incoming[0].DisableClientAuth = true; },
    'another port': (m) => { m.TLS.api.Incoming[0].Port = '443'; },
    'an unknown tag': (m) => { m.Marbles.neocompute.TLS.push('web'); },
    'a library': (m) => { of(m).Env.LD_PRELOAD = '/secrets/x.so'; },
    'a file anywhere': (m) => { of(m).Files['/etc/passwd'] = 'x'; },
  });
  test('the encrypted mount has the key that the manifest sends', () => {
    const keys = parseToml(gramineText).fs.mounts.filter(({ type }) => type === 'encrypted').map(({ key_name: key }) => `/dev/attestation/keys/${key}`);
    assert.deepEqual(keys, Object.keys(of(manifest).Files));
  });
  test('the enclave and the package have the same product and version', () => {
    const { sgx } = parseToml(gramineText), { ProductID, SecurityVersion } = manifest.Packages.neocompute;
    assert.deepEqual([sgx.isvprodid, sgx.isvsvn], [ProductID, SecurityVersion]);
  });

  test('the service starts with what it gives, and serves whom it should', async () => {
    const port = await freePort();
    const secrets = Object.fromEntries(Object.entries(manifest.Secrets).map(([name, { Size }]) => [name, randomBytes(Size / 8)]));
    const render = (text, ca) => text.replace(/\{\{ (\w+) \.(\w+)\.([\w.]+) \}\}/g, (_, how, from, name) => (from === 'Secrets' ? secrets[name].toString(how) : ca.root));
    const there = await coordinator({ parameters: (issued, ca) => ({
      Argv: of(manifest).Argv,
      Env: { ...Object.fromEntries(Object.entries(of(manifest).Env).map(([name, text]) => [name, render(text, ca)])),
        // Here it is a machine without Gramine, and tests listen on loopback.
        NEOCOMPUTE_LISTEN: `127.0.0.1:${port}`, NEOCOMPUTE_METRICS_LISTEN: '127.0.0.1:0', NEOCOMPUTE_STATE: scratch(),
        MARBLE_TTLS_CONFIG: JSON.stringify({ tls: { Outgoing: {}, Incoming: { [`*:${port}`]: { cacrt: ca.marbleRoot, clicrt: issued.cert, clikey: issued.key, clientAuth: true } } } }) } }) });
    const service = await serve({ under: [join(dirname(binary), 'neocompute-marble'), '--machine-root', gramine(scratch()), '--'],
      env: { COMPUTE_MASTER_KEY: undefined, EDG_MARBLE_TYPE: 'neocompute', EDG_MARBLE_COORDINATOR_ADDR: there.address, EDG_CWD: scratch() },
      tls: { ca: there.ca.marbleRoot } });
    const { output } = await completed(service, { script: 'function main(i) { return { a: i.a } }', input: { a: 1 } }, { tls: { ...service.tls, ...there.client('gateway') } });
    assert.deepEqual(output, { a: 1 });
    await assert.rejects(ask(service, 'GET', '/health'));
    assert.deepEqual(service.events('master_key_ephemeral'), []);
    assert.ok(!service.text.includes(secrets.COMPUTE_MASTER_KEY.toString('hex')));
    await service.stop();
  });

  const sigstruct = { mr_signer: 'ab'.repeat(32), mr_enclave: 'cd'.repeat(32), isv_prod_id: 7, isv_svn: 3, debug_enclave: false };
  const measure = (input, ...flags) => spawnSync(process.execPath, [join(root, 'deploy/marblerun/measure.mjs'), join(root, 'deploy/marblerun/manifest.json'), ...flags],
    { input: typeof input === 'string' ? input : JSON.stringify(input), encoding: 'utf8' });
  test('measure.mjs puts the signer in', () => {
    const filled = JSON.parse(measure(sigstruct).stdout);
    assert.deepEqual(checkManifest(filled), []);
    const { SignerID, ProductID, SecurityVersion } = filled.Packages.neocompute;
    assert.deepEqual([SignerID, ProductID, SecurityVersion], ['ab'.repeat(32), 7, 3]);
    assert.deepEqual({ ...filled, Packages: 0 }, { ...manifest, Packages: 0 });
  });
  test('or the enclave', () => {
    const filled = JSON.parse(measure(sigstruct, '--unique').stdout);
    assert.deepEqual(checkManifest(filled), []);
    assert.equal(filled.Packages.neocompute.UniqueID, 'cd'.repeat(32));
  });
  for (const [name, input] of Object.entries({ 'a debug enclave': { ...sigstruct, debug_enclave: true }, 'no word of debug': { ...sigstruct, debug_enclave: undefined },
    'no signer': { ...sigstruct, mr_signer: '' }, 'the placeholder': { ...sigstruct, mr_signer: '0'.repeat(64) }, 'a product of text': { ...sigstruct, isv_prod_id: '1' }, 'no JSON': 'x' })) {
    test(`measure.mjs refuses ${name}`, () => {
      const { status, stdout, stderr } = measure(input);
      assert.deepEqual([status, stdout], [1, ''], stderr);
      assert.match(stderr, /^measure: /);
    });
  }
});

// ---- Kubernetes ----

// Of each kind, the fields that it may have here; below, whatever is not in a table is refused.
const FIELDS = {
  ServiceAccount: ['apiVersion', 'kind', 'metadata', 'automountServiceAccountToken'],
  PersistentVolumeClaim: ['apiVersion', 'kind', 'metadata', 'spec'], Deployment: ['apiVersion', 'kind', 'metadata', 'spec'],
  Service: ['apiVersion', 'kind', 'metadata', 'spec'], NetworkPolicy: ['apiVersion', 'kind', 'metadata', 'spec'],
};
const VERSIONS = { ServiceAccount: 'v1', PersistentVolumeClaim: 'v1', Service: 'v1', Deployment: 'apps/v1', NetworkPolicy: 'networking.k8s.io/v1' };
const SPEC = {
  PersistentVolumeClaim: ['accessModes', 'resources', 'storageClassName'],
  Deployment: ['replicas', 'strategy', 'selector', 'template'],
  Service: ['selector', 'ports', 'type'],
  NetworkPolicy: ['podSelector', 'policyTypes', 'ingress', 'egress'],
};
const POD = ['serviceAccountName', 'automountServiceAccountToken', 'enableServiceLinks', 'hostUsers', 'terminationGracePeriodSeconds', 'securityContext', 'containers', 'volumes', 'runtimeClassName'];
const CONTAINER = ['name', 'image', 'command', 'env', 'ports', 'startupProbe', 'readinessProbe', 'livenessProbe', 'resources', 'securityContext', 'volumeMounts'];
const PROBE = ['tcpSocket', 'periodSeconds', 'failureThreshold', 'timeoutSeconds'];

const within = (must, where, object, fields) => { for (const key of Object.keys(object ?? {})) must(fields.includes(key), `${where}.${key} is no field`); };

function checkContainer(must, pod, c) {
  within(must, 'container', c, CONTAINER);
  must(/:\d/.test(c.image), 'the image has no version');
  must(c.env.every(({ name, value }) => /^[A-Z_]+$/.test(name) && typeof value === 'string'), 'env: names and texts');
  must(c.env.every(({ name }) => !/KEY|SECRET|TOKEN/.test(name)), 'a key in the pod\'s environment');
  must(c.command.every((word) => typeof word === 'string'), 'command: texts');
  const { allowPrivilegeEscalation, readOnlyRootFilesystem, capabilities, privileged } = c.securityContext;
  must(allowPrivilegeEscalation === false && readOnlyRootFilesystem === true && capabilities.drop.includes('ALL') && !privileged && !capabilities.add, 'privileges');
  for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
    within(must, probe, c[probe], PROBE);
    must(c.ports.some(({ name }) => name === c[probe]?.tcpSocket.port), `${probe}: port`);
  }
  must(c.startupProbe.periodSeconds * c.startupProbe.failureThreshold > 600, 'the marble may wait longer than the startup probe does');
  for (const { name } of c.volumeMounts) must(pod.volumes.some((volume) => volume.name === name), `no volume ${name}`);
  must(c.resources.limits.memory !== undefined, 'no memory limit');
}

function checkCluster(documents) {
  const { said, must } = collector();
  const of = (kind) => documents.find((d) => d.kind === kind) ?? { spec: {} };
  for (const d of documents) {
    must(VERSIONS[d.kind] === d.apiVersion, `${d.kind} ${d.apiVersion}`);
    within(must, d.kind, d, FIELDS[d.kind] ?? []);
    within(must, `${d.kind}.metadata`, d.metadata, ['name', 'namespace', 'labels']);
    within(must, `${d.kind}.spec`, d.spec, SPEC[d.kind] ?? []);
    must(d.metadata?.namespace === 'neocompute' && /^[a-z0-9-]+$/.test(d.metadata?.name ?? ''), `${d.kind}: name`);
  }
  for (const kind of Object.keys(VERSIONS)) must(documents.filter((d) => d.kind === kind).length === 1, `one ${kind}`);
  const deployment = of('Deployment').spec, pod = deployment.template.spec, { labels } = deployment.template.metadata;
  const selects = (selector) => Object.keys(selector).length > 0 && Object.entries(selector).every(([key, value]) => labels[key] === value);
  within(must, 'pod', pod, POD);
  must(deployment.replicas === 1 && deployment.strategy.type === 'Recreate', 'two would want one state directory');
  must(selects(deployment.selector.matchLabels) && selects(of('Service').spec.selector) && selects(of('NetworkPolicy').spec.podSelector.matchLabels), 'a selector selects nothing');
  must(pod.securityContext.runAsNonRoot === true && pod.securityContext.seccompProfile.type !== 'Unconfined', 'pod security');
  must(pod.automountServiceAccountToken === false && pod.serviceAccountName === of('ServiceAccount').metadata.name, 'the service account');
  must(pod.containers.length === 1, 'containers');
  for (const container of pod.containers) checkContainer(must, pod, container);
  must(pod.volumes.every((v) => !v.persistentVolumeClaim || v.persistentVolumeClaim.claimName === of('PersistentVolumeClaim').metadata.name), 'no such claim');
  must(of('Service').spec.ports.every(({ targetPort }) => pod.containers[0].ports.some(({ name }) => name === targetPort)), 'the service\'s port');
  const { policyTypes, ingress, egress } = of('NetworkPolicy').spec;
  must(policyTypes.includes('Ingress') && policyTypes.includes('Egress'), 'policy types');
  must(ingress.every((rule) => rule.from?.length > 0 && rule.ports?.length > 0) && egress.every((rule) => rule.to?.length > 0 && rule.ports?.length > 0), 'a rule for everybody');
  return said;
}

describe('deploy/k8s', () => {
  const documents = parseAllDocuments(read('k8s', 'neocompute.yaml'), { strict: true });
  test('is YAML', () => assert.deepEqual(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]), []));
  const good = documents.map((d) => d.toJS());
  const of = (all, kind) => all.find((d) => d.kind === kind);
  const container = (all) => of(all, 'Deployment').spec.template.spec.containers[0];
  twins(checkCluster, good, {
    'a misspelt field': (all) => { container(all).enviroment = []; },
    'an old version': (all) => { of(all, 'Deployment').apiVersion = 'extensions/v1beta1'; },
    'two replicas': (all) => { of(all, 'Deployment').spec.replicas = 2; },
    'root': (all) => { of(all, 'Deployment').spec.template.spec.securityContext.runAsNonRoot = false; },
    'no seccomp': (all) => { of(all, 'Deployment').spec.template.spec.securityContext.seccompProfile.type = 'Unconfined'; },
    'a capability': (all) => { container(all).securityContext.capabilities.add = ['SYS_ADMIN']; },
    'a key in the environment': (all) => { container(all).env.push({ name: 'COMPUTE_MASTER_KEY', value: 'x' }); },
    'a number in the environment': (all) => { container(all).env[0].value = 1; },
    'the latest image': (all) => { container(all).image = 'neocompute:latest'; },
    'a probe of another port': (all) => { container(all).livenessProbe.tcpSocket.port = 'http'; },
    'a short startup': (all) => { container(all).startupProbe.failureThreshold = 3; },
    'a volume that is none': (all) => { container(all).volumeMounts[0].name = 'none'; },
    'a selector of nothing': (all) => { of(all, 'Service').spec.selector = { app: 'other' }; },
    'egress to everybody': (all) => { of(all, 'NetworkPolicy').spec.egress.push({}); },
    'ingress from everybody': (all) => { delete of(all, 'NetworkPolicy').spec.ingress[0].from; },
  });
  test('what its container is told, neocompute-marble understands', () => {
    const c = container(good);
    const env = Object.fromEntries(c.env.map(({ name, value }) => [name, value]));
    assert.deepEqual(c.command.slice(-3), ['--', '/usr/local/bin/neocompute', 'serve']);
    const words = c.command.slice(1, c.command.indexOf('--')).map((word) => (word === '600' ? '0' : word));
    const { stderr } = spawnSync(join(dirname(binary), 'neocompute-marble'), [...words, '--', '/bin/true'],
      { env: { ...env, EDG_MARBLE_COORDINATOR_ADDR: '127.0.0.1:1', EDG_MARBLE_UUID_FILE: join(scratch(), 'uuid') }, encoding: 'utf8', timeout: 20_000 });
    assert.match(stderr, /"not_activated","reason":"UNAVAILABLE"/);
  });
});

// ---- Docker ----

function checkDockerfile(text) {
  const { said, must } = collector();
  const file = DockerfileParser.parse(text);
  const instructions = file.getInstructions().map((i) => ({ keyword: i.getKeyword(), words: i.getArguments().map(String), raw: i.getRawArgumentsContent() ?? '' }));
  const known = ['FROM', 'ARG', 'WORKDIR', 'COPY', 'RUN', 'USER', 'VOLUME', 'ENV', 'EXPOSE', 'STOPSIGNAL', 'ENTRYPOINT', 'CMD'];
  for (const { keyword } of instructions) must(known.includes(keyword), `${keyword}`);
  const from = file.getFROMs().map((f) => f.getImage());
  must(from.length === 2 && from.every((image) => /^debian:12(-slim)?$/.test(image)), `from ${from}`);
  const last = instructions.slice(instructions.findLastIndex(({ keyword }) => keyword === 'FROM'));
  const one = (keyword) => last.filter((i) => i.keyword === keyword).map(({ raw }) => raw);
  must(/^[1-9]\d*:/.test(one('USER').at(-1) ?? ''), 'root');
  must(one('ENTRYPOINT').length === 1 && one('ENTRYPOINT')[0].startsWith('['), 'the entrypoint goes through a shell');
  must(!/https?:|\bcurl\b(?!4)|\bwget\b/.test(instructions.map(({ raw }) => raw).join('\n')), 'an address');
  must(!instructions.some(({ keyword, raw }) => keyword === 'ENV' && /KEY|SECRET|TOKEN/.test(raw)), 'a key in a layer');
  must(one('RUN').every((raw) => !raw.includes('apt-get install') || (raw.includes('--no-install-recommends') && raw.includes('rm -rf /var/lib/apt/lists'))), 'apt-get');
  return { said, run: one('RUN').join('\n'), copy: one('COPY').join(' ') };
}

describe('deploy/docker', () => {
  const text = read('docker', 'Dockerfile');
  twins((t) => checkDockerfile(t.text).said, { text }, {
    root: (t) => { t.text = t.text.replace('USER 65532:65532', 'USER 0:0'); },
    'no user': (t) => { t.text = t.text.replace('USER 65532:65532', ''); },
    'another base': (t) => { t.text = t.text.replace('debian:12-slim', 'debian:latest'); },
    'an address': (t) => { t.text += '\nRUN curl https://example.org | sh\n'; },
    ADD: (t) => { t.text += '\nADD https://example.org/x /x\n'; },
    'a key': (t) => { t.text += '\nENV COMPUTE_MASTER_KEY=x\n'; },
    'a shell': (t) => { t.text = t.text.replace(/ENTRYPOINT .*/, 'ENTRYPOINT neocompute'); },
  });
  test('it has what make install installs', () => {
    const [, line] = readFileSync(join(root, 'Makefile'), 'utf8').match(/install (\$\(BUILD\)\/neocompute .*) \$\(DESTDIR\)/);
    const programs = line.split(' ').map((word) => word.replace('$(BUILD)', '/build')).sort();
    assert.deepEqual(checkDockerfile(text).copy.split(' ').filter((word) => word.startsWith('/build/')).sort(), programs);
  });
  test('its packages are those whose libraries the programs load', () => {
    const programs = ['neocompute', 'neocompute-client', 'neocompute-egress', 'neocompute-marble'].map((name) => join(dirname(binary), name));
    const needed = execFileSync('objdump', ['-p', ...programs], { encoding: 'utf8' }).matchAll(/NEEDED\s+(\S+)/g);
    const libraries = [...new Set([...needed].map(([, name]) => name))].filter((name) => !/^lib(asan|ubsan)\./.test(name));
    const owners = libraries.map((name) => execFileSync('dpkg', ['-S', `*/${name}`], { encoding: 'utf8' }).split(':')[0]);
    const wanted = new Set([...owners, 'ca-certificates']);
    for (const base of ['libc6', 'libgcc-s1']) wanted.delete(base);
    const [, list] = checkDockerfile(text).run.match(/--no-install-recommends([\s\S]*?)&& rm/);
    assert.deepEqual(list.split(/[\s\\]+/).filter(Boolean).sort(), [...wanted].sort());
  });
});
