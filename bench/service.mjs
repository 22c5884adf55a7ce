// The whole service measured over loopback, load generator on the same machine.
// node bench/service.mjs build/neocompute [--short] [--only NAME[,NAME]] [--rounds N] [--soak MINUTES]
// Cases: trivial, peers, fairness, memory, soak, million, secrets, fetch; profiles, if asked for, of a build with explicit bounds.
// Each prints a table and which goals it met.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { loadCases } from './cases/cases.mjs';
import { machine } from './peers/noise.mjs';
import { descriptorsOf, memoryOf, processesOf, rssOf, serve, servePeer, sleep, stop } from './service/host.mjs';
import { authority, origin } from '../tests/origin.mjs';
import { bodyFile, CALLERS, load } from './service/load.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { short: { type: 'boolean' }, only: { type: 'string' }, rounds: { type: 'string' }, soak: { type: 'string' } },
});
const HERE = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const binary = resolve(positionals[0] ?? join(HERE, '../build/neocompute'));
const ROUNDS = Number(options.rounds ?? (options.short ? 2 : 5));
const SECONDS = options.short ? 2 : 5; // of one measurement
const SOAK_SECONDS = options.soak ? Number(options.soak) * 60 : options.short ? 20 : 600;
const STORED = options.short ? 100_000 : 1_000_000;
const scratch = mkdtempSync(join(process.env.BENCH_TMP ?? tmpdir(), 'bench-service-')); // on a disk, not in memory
chmodSync(scratch, 0o755); // the service's processes are other users

// ---- what is printed ----

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const show = (list, digits = 0) => `${median(list).toFixed(digits)} (${Math.min(...list).toFixed(digits)}-${Math.max(...list).toFixed(digits)})`;
const percent = (share) => `${(share * 100).toFixed(0)} %`;
const of = (runs, pick) => runs.map(pick);

const verdicts = [];
function goal(text, met) {
  verdicts.push({ text, met });
  console.log(`goal: ${text}: ${met ? 'met' : 'MISSED'}`);
}

function table(head, rows) {
  console.log([head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n'));
}

function noise(runs) {
  const errors = runs.reduce((sum, run) => sum + run.errors, 0);
  console.log(`others used ${show(of(runs, (run) => run.others * 100))} % of the CPU, by round: ${of(runs, (run) => percent(run.others)).join(', ')}; answers other than 200: ${errors}`);
  if (errors > 0) goal('every request is answered 200', false);
}

const ROLES = ['supervisor', 'broker', 'keeper', 'egress', 'workers'];
const latency = (runs) => [show(of(runs, (r) => r.rate)), show(of(runs, (r) => r.p50), 2), show(of(runs, (r) => r.p99), 2)];
const cpu = (runs) => [show(of(runs, (r) => r.total)), ...ROLES.map((role) => show(of(runs, (r) => r.cpu[role] ?? 0))), show(of(runs, (r) => r.wrk))];

/** Measures each of `jobs` ({name, service, …}) in every round, after a short run to warm up: Map name -> runs. */
async function interleaved(jobs, rounds = ROUNDS) {
  const results = new Map(jobs.map((job) => [job.name, []]));
  for (const job of jobs) await load(job.service, { ...job, seconds: 1 });
  for (let round = 0; round < rounds; round++)
    for (let i = 0; i < jobs.length; i++) {
      const job = jobs[(i + round) % jobs.length]; // nobody always comes first
      results.get(job.name).push(await load(job.service, { seconds: SECONDS, ...job }));
    }
  return results;
}

// ---- the cases ----

const [trivialCase] = loadCases(scratch);
const trivial = bodyFile(scratch, 'trivial', { script: trivialCase.script, input: trivialCase.input });
let peak = 0; // requests a second at 16 connections

async function measureTrivial() {
  console.log('each request is a job with its receipt and its stored record (file store, WAL, synchronous=NORMAL); access log into a file');
  const service = await serve(binary, scratch, 'trivial');
  const jobs = [1, 16, 64].map((connections) => ({ name: connections, service, body: trivial, connections }));
  const results = await interleaved(jobs);
  await stop(service);
  table(['connections', 'requests/s', 'p50 ms', 'p99 ms', 'CPU us/request', ...ROLES, 'wrk (apart)'],
    [...results].map(([name, runs]) => [name, ...latency(runs), ...cpu(runs)]));
  noise([...results.values()].flat());
  peak = median(of(results.get(16), (run) => run.rate));
  const us = median(of(results.get(16), (run) => run.total)), p50 = median(of(results.get(1), (run) => run.p50));
  goal(`CPU per request at 16 connections at most 150 us (aim 80): ${us.toFixed(0)}`, us <= 150);
  goal(`p50 at 1 connection at most 1.5 ms: ${p50.toFixed(2)}`, p50 <= 1.5);
}

/** The same service with threads instead of processes, which only a build with explicit bounds has. */
async function measureProfiles() {
  const services = [await serve(binary, scratch, 'process'), await serve(`${binary}-thread`, scratch, 'thread')];
  const results = await interleaved([1, 16].flatMap((connections) =>
    services.map((service) => ({ name: `${service.name}, ${connections}`, service, body: trivial, connections }))));
  for (const service of services) await stop(service);
  table(['profile, connections', 'requests/s', 'p50 ms', 'p99 ms', 'CPU us/request', 'wrk (apart)'],
    [...results].map(([name, runs]) => [name, ...latency(runs), show(of(runs, (r) => r.total)), show(of(runs, (r) => r.wrk))]));
  noise([...results.values()].flat());
  const total = (name) => of(results.get(name), (run) => run.total);
  const ratios = total('thread, 16').map((us, i) => us / total('process, 16')[i]); // of the same round
  goal(`CPU per request of threads at most 1.3 times that of processes: ${show(ratios, 2)}`, median(ratios) <= 1.3);
}

async function measurePeers() {
  console.log('16 connections, the same script and input; the peers behind node:http neither sign nor store anything');
  const wanted = [['isolated-vm', 10], ['quickjs-emscripten', 3]];
  const peer = join(HERE, 'service', 'peer.mjs');
  const services = [await serve(binary, scratch, 'NeoCompute')];
  for (const [name] of wanted) services.push(await servePeer(peer, scratch, name));
  const results = await interleaved(services.map((service) => ({ name: service.name, service, body: trivial, connections: 16 })));
  for (const service of services) await stop(service);
  const rates = (name) => of(results.get(name), (run) => run.rate);
  const ratio = (name) => rates('NeoCompute').map((rate, i) => rate / rates(name)[i]); // of the same round
  table(['service', 'requests/s', 'p50 ms', 'p99 ms', 'CPU us/request', 'NeoCompute is'],
    [...results].map(([name, runs]) => [name, ...latency(runs), show(of(runs, (r) => r.total)), name === 'NeoCompute' ? '' : `${show(ratio(name), 1)} times faster`]));
  noise([...results.values()].flat());
  for (const [name, least] of wanted) goal(`at least ${least} times ${name}: ${median(ratio(name)).toFixed(1)}`, median(ratio(name)) >= least);
}

async function measureFairness() {
  console.log('one user runs 5 endless loops; another sends trivial requests on 1 connection');
  const service = await serve(binary, scratch, 'fairness');
  const stopLoops = new AbortController();
  const body = JSON.stringify({ script: 'function main() { for (;;); }', timeout: 120 });
  const headers = { 'content-type': 'application/json', 'x-user-id': 'looper' };
  const one = { name: 'alone', service, body: trivial, connections: 1, callers: 1 };
  const alone = await interleaved([one], 2);
  const loops = [1, 2, 3, 4, 5].map(() => fetch(`${service.url}/execute`, { method: 'POST', headers, body, signal: stopLoops.signal }).catch(() => {}));
  await sleep(1500); // until their priority is the lowest
  const beside = await interleaved([{ ...one, name: 'beside 5 loops' }], ROUNDS);
  stopLoops.abort();
  await Promise.all(loops);
  await stop(service);
  const rows = [...alone, ...beside];
  table(['', 'requests/s', 'p50 ms', 'p99 ms', 'max ms'], rows.map(([name, runs]) => [name, ...latency(runs), show(of(runs, (r) => r.max), 1)]));
  noise([...beside.values()].flat());
  const p99 = median(of(beside.get('beside 5 loops'), (run) => run.p99));
  goal(`p99 beside 5 endless loops at most 60 ms: ${p99.toFixed(1)}`, p99 <= 60);
}

const mb = (kb) => (kb / 1024).toFixed(1);

function printMemory(memory) {
  const sum = (what) => Object.values(memory).reduce((total, one) => total + one[what], 0);
  table(['', 'processes', 'RSS MB', 'PSS MB'], [...ROLES.filter((role) => memory[role]).map((role) =>
    [role, memory[role].processes, mb(memory[role].rss), mb(memory[role].pss)]), ['together', sum('processes'), mb(sum('rss')), mb(sum('pss'))]]);
}

/** `count` requests over HTTP/2 that nobody answers: 16 endless loops and those that wait for their turn. */
async function hold(service, count) {
  const body = JSON.stringify({ script: 'function main() { for (;;); }', timeout: 120 });
  const sessions = [], ends = [];
  for (let i = 0; i < count; i++) {
    if (i % 50 === 0) sessions.push(http2.connect(service.url));
    const stream = sessions.at(-1).request({ ':method': 'POST', ':path': '/execute', 'content-type': 'application/json', 'x-user-id': `held-${i}` });
    stream.on('error', () => {}).on('response', () => ends.push(i)).end(body);
  }
  for (const session of sessions) session.on('error', () => {});
  return { answered: () => ends.length, let_go: () => sessions.forEach((session) => session.destroy()) };
}

async function measureMemory() {
  const service = await serve(binary, scratch, 'memory', ['--jobs-waiting', '2000']);
  await sleep(3000);
  const idle = memoryOf(service);
  console.log('idle, as started:');
  printMemory(idle);
  const all = rssOf(idle, ROLES);
  goal(`idle broker, keeper, supervisor and ${idle.workers?.processes} workers at most 30 MB RSS: ${mb(all)}`, all <= 30 * 1024);

  const held = options.short ? 500 : 1000;
  const outside = () => rssOf(memoryOf(service), ['broker', 'keeper']);
  const before = outside();
  const holding = await hold(service, held);
  await sleep(5000); // less than the 10 s that a job waits at most
  const after = outside(), answered = holding.answered(), live = processesOf(service).length;
  holding.let_go();
  await sleep(2000);
  const each = (after - before) / held;
  console.log(`${held} held HTTP/2 requests on ${held / 50} connections: broker and keeper ${mb(before)} -> ${mb(after)} MB, after they left ${mb(outside())} MB; answered meanwhile ${answered}, processes ${live}`);
  goal(`a held HTTP/2 request costs at most 4 kB outside the workers: ${each.toFixed(1)}`, answered === 0 && each <= 4);
  await stop(service);
}

async function measureSoak() {
  const service = await serve(binary, scratch, 'soak');
  if (peak === 0) peak = (await load(service, { body: trivial, connections: 16, seconds: 3 })).rate;
  // wrk sends when a connection's pause is over: 64 connections, so that the pause is the most of a turn
  const pause = Math.max(1, Math.round((64 / (peak / 2)) * 1000 - 1));
  const run = load(service, { body: trivial, connections: 64, seconds: SOAK_SECONDS, pause });
  const samples = [], step = Math.max(500, (SOAK_SECONDS * 1000) / 80), start = performance.now();
  let result;
  run.then((value) => (result = value), (error) => (result = error));
  await sleep(1000); // until all connections are there
  while (result === undefined && performance.now() - start < SOAK_SECONDS * 1000 - 2 * step) {
    samples.push({ memory: memoryOf(service), descriptors: descriptorsOf(service) });
    await sleep(step);
  }
  result = await run;
  await stop(service);
  const after = samples.slice(Math.floor(samples.length / 4)), first = after[0], last = after.at(-1);
  const all = (sample) => rssOf(sample.memory, ROLES), outside = (sample) => rssOf(sample.memory, ['supervisor', 'broker', 'keeper']);
  const workers = (sample) => sample.memory.workers?.processes ?? 0, worker = (sample) => (sample.memory.workers?.rss ?? 0) / Math.max(1, workers(sample));
  // Workers come and go with the load: what grows is compared at as many of them as there are at the end.
  const growth = outside(last) - outside(first) + (worker(last) - worker(first)) * workers(last);
  const open = (sample) => Object.values(sample.descriptors).reduce((sum, n) => sum + n, 0);
  const spread = Math.max(...[...new Set(after.map(workers))].map((count) => {
    const counts = after.filter((sample) => workers(sample) === count).map(open);
    return Math.max(...counts) - Math.min(...counts);
  }));
  table(['seconds', 'jobs', 'requests/s', 'p50 ms', 'p99 ms', '', 'workers', 'RSS MB', 'without workers', 'each worker', 'descriptors'],
    [['after a quarter', first], ['at the end', last]].map(([when, sample], i) => [...(i === 0 ? [SOAK_SECONDS, result.requests, result.rate.toFixed(0), result.p50.toFixed(2), result.p99.toFixed(2)] : ['', '', '', '', '']),
      when, workers(sample), mb(all(sample)), mb(outside(sample)), mb(worker(sample)), open(sample)]));
  console.log(`peak ${peak.toFixed(0)} requests/s, so the load was ${percent(result.rate / peak)} of it; largest RSS seen ${mb(Math.max(...after.map(all)))} MB; descriptors at the end: ${JSON.stringify(last.descriptors)}`);
  noise([result]);
  console.log(`RSS in all grew by ${mb(all(last) - all(first))} MB, with ${workers(last) - workers(first)} workers more`);
  goal(`RSS grows by less than 2 MB after the first quarter, at an equal number of workers: ${mb(growth)}`, growth < 2048);
  goal(`open descriptors constant while the number of workers is: ${spread} apart`, spread <= 1);
}

async function measureMillion() {
  const first = await serve(binary, scratch, 'full'); // makes the directory and the file as they have to be
  await stop(first);
  const began = performance.now();
  execFileSync(join(dirname(binary), 'bench', 'store_fill'), [join(first.state, 'jobs.sqlite'), STORED, CALLERS].map(String));
  const [empty, full] = [await serve(binary, scratch, 'empty'), await serve(binary, scratch, 'full')];
  console.log(`${STORED} stored jobs of ${CALLERS} users, 2 kB each, written in ${((performance.now() - began) / 1000).toFixed(0)} s; beside it an empty store`);
  const jobs = [empty, full].flatMap((service) => [
    { name: `POST /execute, ${service.name}`, service, body: trivial, connections: 16 },
    { name: `GET /jobs?limit=20, ${service.name}`, service, body: trivial, connections: 16, method: 'GET', path: '/jobs?limit=20' }]);
  // POST first: then every caller has jobs to list. Short rounds, so that what others do meets both.
  const results = await interleaved([0, 2, 1, 3].map((i) => ({ ...jobs[i], seconds: 2 })), 2 * ROUNDS);
  await stop(empty);
  await stop(full);
  table(['', 'requests/s', 'p50 ms', 'p99 ms', 'CPU us/request', ...ROLES, 'wrk (apart)'], [...results].map(([name, runs]) => [name, ...latency(runs), ...cpu(runs)]));
  noise([...results.values()].flat());
  for (const what of ['POST /execute', 'GET /jobs?limit=20']) {
    const [without, with_] = ['empty', 'full'].map((name) => of(results.get(`${what}, ${name}`), (run) => run.rate));
    const ratio = median(without.map((rate, i) => rate / with_[i]));
    const [us, usWith] = ['empty', 'full'].map((name) => median(of(results.get(`${what}, ${name}`), (run) => run.total)));
    goal(`${what} with ${STORED} jobs takes at most 1.2 times as long: ${ratio.toFixed(2)} (CPU ${(usWith / us).toFixed(2)})`, ratio <= 1.2);
  }
}

async function measureSecrets() {
  console.log('16 connections, 64 callers, each with ten secrets in the embedded store; what they add to the same script');
  const service = await serve(binary, scratch, 'secrets');
  const names = Array.from({ length: 10 }, (_, i) => `key_${i}`);
  for (let i = 1; i <= CALLERS; i++)
    await Promise.all(names.map((name) => fetch(`${service.url}/secrets/${name}`, { method: 'PUT', headers: { 'content-type': 'application/json', 'x-user-id': `bench-${i}` }, body: '{"value":"a value of thirty-two characters"}' })));
  const jobs = [0, 1, 10].map((count) => ({ name: count, service, connections: 16, body: bodyFile(scratch, `secrets-${count}`, { script: trivialCase.script, input: trivialCase.input, secret_refs: names.slice(0, count) }) }));
  const results = await interleaved(jobs);
  await stop(service);
  table(['secrets', 'requests/s', 'p50 ms', 'p99 ms', 'CPU us/request', ...ROLES, 'wrk (apart)'], [...results].map(([name, runs]) => [name, ...latency(runs), ...cpu(runs)]));
  noise([...results.values()].flat());
  const added = (count) => median(results.get(count).map((run, i) => run.total - results.get(0)[i].total));
  for (const [count, most] of [[1, 60], [10, 200]]) goal(`CPU added by ${count} secrets at most ${most} us: ${added(count).toFixed(0)}`, added(count) <= most);
}

/** Jobs that wait for `url`, all of them at once: their statuses, when they have ended. */
function waitingJobs(service, url, count, users) {
  const body = JSON.stringify({ script: 'async function main(i) { await (await fetch(i.url)).text(); return {} }', input: { url }, timeout: 60 });
  const agent = new http.Agent({ maxSockets: Infinity });
  return Promise.all(Array.from({ length: count }, (_, i) => new Promise((done) => {
    const headers = { 'content-type': 'application/json', 'x-user-id': `waits-${i % users}` };
    const request = http.request(`${service.url}/execute`, { method: 'POST', agent, headers }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part)).on('end', () => {
        const json = JSON.parse(Buffer.concat(parts));
        done(json.error_code ?? json.status);
      });
    });
    request.on('error', (error) => done(error.code)).end(body);
  })));
}

async function measureFetch() {
  const ca = authority(), names = join(ca.folder, 'names');
  writeFileSync(names, '127.0.0.1 a.example\n');
  chmodSync(ca.folder, 0o755);
  const server = await origin({ tls: ca.leaf(['a.example']) });
  const url = (path) => `https://a.example:${server.port}${path}`;
  const start = (name, args = []) => serve(binary, scratch, name, args, { NEOCOMPUTE_EGRESS_CA: ca.file, NEOCOMPUTE_EGRESS_NAMES: names, NEOCOMPUTE_EGRESS_PRIVATE: '127.0.0.0/8' });
  const service = await start('fetch');
  const script = (line) => `async function main(i) { ${line}; return {} }`;
  const one = { service, connections: 1, callers: 1 };
  const results = await interleaved([{ ...one, name: 'nothing asked', body: bodyFile(scratch, 'asks-nothing', { script: script('await null'), input: { url: url('/echo') } }) },
    { ...one, name: 'one fetch', body: bodyFile(scratch, 'asks', { script: script('await (await fetch(i.url)).text()'), input: { url: url('/echo') } }) }]);
  console.log('one connection, a warm TLS connection to an origin in Node on loopback');
  table(['', 'requests/s', 'p50 ms', 'p99 ms', 'CPU us/request', ...ROLES, 'wrk (apart)'], [...results].map(([name, runs]) => [name, ...latency(runs), ...cpu(runs)]));
  noise([...results.values()].flat());
  const added = median(results.get('one fetch').map((run, i) => run.p50 - results.get('nothing asked')[i].p50));
  goal(`p50 added by a fetch at most 0.7 ms: ${added.toFixed(2)}`, added <= 0.7);

  const alone = await interleaved([{ ...one, name: 'alone', body: trivial }], 2);
  const waiting = waitingJobs(service, url('/slow?ms=9000'), 64, 64);
  await sleep(1500);
  const beside = await load(service, { body: trivial, connections: 1, callers: 1, seconds: 5 });
  const ends = await waiting, before = median(of(alone.get('alone'), (run) => run.p50));
  console.log(`64 jobs wait for the network, jobs.workers at its default: a trivial job takes ${beside.p50.toFixed(2)} ms (p99 ${beside.p99.toFixed(2)}), alone ${before.toFixed(2)}; errors ${beside.errors}; ends ${JSON.stringify(count(ends))}`);
  goal('64 jobs that wait do not delay a 65th', beside.errors === 0 && beside.p50 < 2 * before && ends.every((end) => end === 'completed'));
  await stop(service);

  const many = await start('many', ['--jobs-workers', '1000', '--jobs-per-user', '1000', '--jobs-waiting', '2000']);
  const idle = memoryOf(many), held = options.short ? 300 : 1000;
  const holding = waitingJobs(many, url('/slow?ms=15000'), held, 20);
  await sleep(10_000);
  const during = memoryOf(many);
  const ended = await holding;
  console.log(`${held} waiting fetches:`);
  printMemory(during);
  console.log(`idle: ${mb(rssOf(idle, ['broker', 'keeper', 'egress']))} MB RSS without workers; ends ${JSON.stringify(count(ended))}; the origin held ${server.requests.filter(({ url: u }) => u.includes('15000')).length}`);
  goal(`${held} concurrent waiting fetches complete`, ended.every((end) => end === 'completed'));
  await stop(many);
  server.close();
}

const count = (list) => Object.fromEntries([...new Set(list)].map((one) => [one, list.filter((other) => other === one).length]));

const cases = { trivial: measureTrivial, peers: measurePeers, fairness: measureFairness, memory: measureMemory, soak: measureSoak, million: measureMillion, secrets: measureSecrets, fetch: measureFetch, profiles: measureProfiles };

console.log(`# the whole service: ${machine()}; ${ROUNDS} interleaved rounds of ${SECONDS} s, median (range)`);
try {
  const names = options.only?.split(',') ?? Object.keys(cases).filter((name) => name !== 'profiles'); // of another build
  for (const name of names) {
    if (!cases[name]) throw new Error(`no case is named ${name}`);
    console.log(`\n## ${name}`);
    await cases[name]();
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
const missed = verdicts.filter(({ met }) => !met);
console.log(`\n${verdicts.length - missed.length} of ${verdicts.length} goals met${missed.map(({ text }) => `\nmissed: ${text}`).join('')}`);
console.log(`after: ${machine()}`);
