// A stand-in for MarbleRun's Coordinator, on a free port of loopback. It asks for any client certificate and verifies none, has
// a root of its own, checks the quote's binding to the certificate unless it simulates, and issues what a manifest says.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import { reportData } from './gramine.mjs';
import { scratch } from './service/service.mjs';

export const { status: codes } = grpc;
// What still listens when the tests end.
const closers = [];
after(() => { for (const close of closers) close(); });

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
const proto = loader.loadSync(fileURLToPath(new URL('marble.proto', import.meta.url)), { keepCase: true, defaults: true });
const { Marble } = grpc.loadPackageDefinition(proto).rpc;

// The Coordinator's root, and its key for marbles with two certificates: under that root, and by itself (the marble root).
function authority() {
  const folder = scratch(), at = (name) => join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-nodes', '-days', '2'];
  openssl('req', '-x509', ...key, '-subj', '/CN=MarbleRun Coordinator - Root CA', '-keyout', at('root.key'), '-out', at('root.crt'));
  openssl('req', '-x509', ...key, '-subj', '/CN=MarbleRun Coordinator - Intermediate CA', '-keyout', at('marble.key'), '-out', at('marble.crt'));
  openssl('req', '-new', '-key', at('marble.key'), '-subj', '/CN=MarbleRun Coordinator - Intermediate CA', '-out', at('marble.csr'));
  writeFileSync(at('ca.ext'), 'basicConstraints=critical,CA:TRUE\n');
  openssl('x509', '-req', '-in', at('marble.csr'), '-CA', at('root.crt'), '-CAkey', at('root.key'), '-days', '2', '-extfile', at('ca.ext'), '-out', at('intermediate.crt'));
  const text = (name) => readFileSync(at(name), 'utf8');
  return { at, text, root: text('root.crt'), marbleRoot: text('marble.crt'), intermediate: text('intermediate.crt') };
}

// A new key pair and its certificate: the names are the request's, the key is not.
function issue(ca, csr, uuid, type) {
  writeFileSync(ca.at('request.der'), csr);
  openssl('ecparam', '-name', 'secp384r1', '-genkey', '-noout', '-out', ca.at('sec1.key'));
  openssl('pkcs8', '-topk8', '-nocrypt', '-in', ca.at('sec1.key'), '-out', ca.at('issued.key'));
  openssl('pkey', '-in', ca.at('issued.key'), '-pubout', '-out', ca.at('issued.pub'));
  writeFileSync(ca.at('issued.ext'), `basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\n1.3.9903.2.1=DER:${Buffer.from(type).toString('hex')}\n`);
  openssl('x509', '-req', '-inform', 'DER', '-in', ca.at('request.der'), '-force_pubkey', ca.at('issued.pub'), '-subj', `/CN=${uuid}`,
    '-copy_extensions', 'copy', '-CA', ca.at('marble.crt'), '-CAkey', ca.at('marble.key'), '-days', '2', '-extfile', ca.at('issued.ext'), '-out', ca.at('issued.crt'));
  return { cert: ca.text('issued.crt'), key: ca.text('issued.key') };
}

const refusal = (code, details) => Object.assign(new Error(details), { code, details });

function checkQuote(quote, certificate) {
  if (quote.length < 16 || quote.readUInt32LE(0) !== 1 || quote.readUInt32LE(4) !== 2 || Number(quote.readBigUInt64LE(8)) !== quote.length - 16)
    throw refusal(codes.PERMISSION_DENIED, 'marble verification failed: no quote in OpenEnclave\'s framing');
  const data = reportData(quote.subarray(16));
  const want = Buffer.concat([createHash('sha256').update(certificate).digest(), Buffer.alloc(32)]);
  if (!data.equals(want)) throw refusal(codes.PERMISSION_DENIED, 'marble verification failed: hash(cert) != report.Data');
}

// What each marble gets, as the real one sets it, on top of the manifest's.
const predefined = (ca, issued) => ({
  MARBLE_PREDEFINED_ROOT_CA: ca.marbleRoot,
  MARBLE_PREDEFINED_MARBLE_CERTIFICATE_CHAIN: issued.cert + ca.intermediate,
  MARBLE_PREDEFINED_PRIVATE_KEY: issued.key,
  MARBLE_PREDEFINED_COORDINATOR_ROOT_CA: ca.root,
});

const bytes = (texts) => Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, Buffer.from(value)]));

// `parameters(issued, ca)`: {Env, Files, Argv} of the manifest; `answers`: [code, message] for the first calls, one each;
// `marbles`: the known types; `simulation`: no quote is looked at.
export async function coordinator({ parameters = () => ({}), answers = [], simulation = false, marbles = ['neocompute'] } = {}) {
  const ca = authority();
  const calls = [];
  const activate = (call) => {
    const { socket } = (call.call.stream ?? call.call.nextCall.stream).session;
    const certificate = socket.getPeerCertificate(true).raw;
    calls.push({ ...call.request, certificate, metadata: call.metadata.getMap() });
    const [code, details] = answers.shift() ?? [codes.OK];
    if (code !== codes.OK) throw refusal(code, details);
    if (certificate === undefined) throw refusal(codes.UNAUTHENTICATED, 'couldn\'t get marble TLS certificate');
    if (!marbles.includes(call.request.MarbleType)) throw refusal(codes.PERMISSION_DENIED, 'unknown marble type requested');
    if (!simulation) checkQuote(call.request.Quote, certificate);
    const issued = issue(ca, call.request.CSR, call.request.UUID, call.request.MarbleType);
    const { Env = {}, Files = {}, Argv = [] } = parameters(issued, ca);
    return { Parameters: { Env: bytes({ ...Env, ...predefined(ca, issued) }), Files: bytes(Files), Argv } };
  };
  const server = new grpc.Server();
  server.addService(Marble.service, { Activate: (call, done) => { try { done(null, activate(call)); } catch (error) { done(error); } } });
  const credentials = grpc.ServerCredentials.createSsl(null, [{ private_key: Buffer.from(ca.text('marble.key')), cert_chain: Buffer.from(ca.marbleRoot) }], true);
  credentials._getConstructorOptions().rejectUnauthorized = false; // tls.RequireAnyClientCert
  const port = await new Promise((resolve, reject) => server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound))));
  closers.push(() => server.forceShutdown());
  return { address: `127.0.0.1:${port}`, calls, ca, ...pair(ca) };
}

// A certificate of the same root for a caller of the service.
function pair(ca) {
  const client = (name) => {
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-nodes', '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`, '-keyout', ca.at('client.key'), '-outform', 'DER', '-out', ca.at('client.csr'));
    return issue(ca, readFileSync(ca.at('client.csr')), name, 'gateway');
  };
  return { client };
}

// Something that answers as `handle(stream)` wants, over the same TLS; without `handle`, in HTTP/1.1. It hears the request out, as a
// gRPC server does: now and then libcurl 7.88 waits for ever if an answer ends before the request does.
export async function impostor(handle) {
  const ca = authority();
  const sockets = new Set();
  const tls = { key: ca.text('marble.key'), cert: ca.marbleRoot, requestCert: true, rejectUnauthorized: false };
  let calls = 0;
  const server = handle ? createSecureServer(tls) : createServer(tls, (request, response) => { calls++; response.end('hello'); });
  server.on('stream', (stream) => { calls++; stream.on('error', () => {}).on('end', () => handle(stream)).resume(); });
  server.on('connection', (socket) => { sockets.add(socket); socket.on('error', () => {}).on('close', () => sockets.delete(socket)); });
  server.on('sessionError', () => {});
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => { server.close(); for (const socket of sockets) socket.destroy(); });
  return { address: `127.0.0.1:${server.address().port}`, calls: () => calls };
}

// The one gRPC message of a response.
export function frame(message, { flag = 0, length = message.length } = {}) {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

export const encode = (parameters) => {
  const { responseSerialize } = Marble.service.Activate;
  return responseSerialize({ Parameters: parameters });
};

export const assertNames = (certificate, names) => { for (const name of names) assert.ok(certificate.subjectAltName.includes(name), `${certificate.subjectAltName}: ${name}`); };
