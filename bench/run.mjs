// `make bench`: node bench/run.mjs build/neocompute [--quick] [--no-peers]
// The engine's figures, each build variant side by side in interleaved rounds, then the npm peers. Medians, with the range.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadCases } from './cases/cases.mjs';
import { machine, othersSince } from './peers/noise.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, 'no-peers': { type: 'boolean' } },
});
const root = join(dirname(new URL(import.meta.url).pathname), '..');
const program = positionals[0] ?? join(root, 'build', 'neocompute');
const ROUNDS = options.quick ? 3 : 9;

// Native QuickJS on this kind of machine, ms, from the measurements this project started from (2 shared cores, -O2; ranges where
// runs differed; the ratio below is to the upper end). No native QuickJS can be had from the registries here, so the cases are
// written to cost what those of that table cost in an engine of plain wasm2c output (24, 175-230, 147, 37-54, 19-24, 6-12 ms).
const NATIVE = { fib: [18, 22], bitmix: [110, 147], sort: [106, 150], strings: [22, 22], json: [13, 13], bigscript: [4.7, 4.7] };

const sorted = (list) => [...list].sort((a, b) => a - b);
const median = (list) => sorted(list)[Math.floor(list.length / 2)];
const geomean = (list) => Math.exp(list.reduce((sum, x) => sum + Math.log(x), 0) / list.length);
const show = (list, digits = 1) => `${median(list).toFixed(digits)} (${Math.min(...list).toFixed(digits)}-${Math.max(...list).toFixed(digits)})`;

function build(directory, ...flags) {
  const run = (...args) => spawnSync('cmake', args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  run('-S', '.', '-B', directory, '-G', 'Ninja', ...flags);
  run('--build', directory, '--target', 'neocompute', 'neocompute-worker');
  const built = join(root, directory, 'neocompute');
  if (!existsSync(built)) throw new Error(`${directory} did not build`);
  return built;
}

function measure(binary, job, repeat) {
  const out = execFileSync(binary, ['run', job.path, '--input', JSON.stringify(job.input), '--timeout', '120', '--json', '--repeat', String(repeat)],
    { stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 26 });
  const record = JSON.parse(out);
  if (record.status !== 'completed') throw new Error(`${job.name}: ${record.error}`);
  return record;
}

const scratch = mkdtempSync(join(tmpdir(), 'bench-'));
const others = othersSince(new Set());
try {
  console.log(`# ${machine()}`);
  const cases = loadCases(scratch);
  const variants = { metered: program, unmetered: build('build-nometer', '-DENGINE_METERING=OFF') };
  if (existsSync(join(root, 'build-explicit', 'neocompute'))) variants['explicit bounds'] = join(root, 'build-explicit', 'neocompute');
  const wall = {}, cpu = {}, steps = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const job of cases) {
      for (const [name, binary] of Object.entries(variants)) {
        const repeat = job.name === 'trivial' ? 20000 : job.name === 'bigscript' ? 40 : 5;
        const record = measure(binary, job, repeat);
        ((wall[job.name] ??= {})[name] ??= []).push(record.repeat.p50_us / 1000);
        ((cpu[job.name] ??= {})[name] ??= []).push(record.repeat.cpu_us_mean / 1000);
        if (name === 'metered') steps[job.name] = record.usage.steps;
      }
    }
  }

  const trivial = cpu.trivial.metered;
  console.log(`\n## Fresh executions of the trivial script, one worker (--repeat 20000, ${ROUNDS} rounds)`);
  console.log(`per second of CPU: ${show(trivial.map((ms) => 1000 / ms), 0)}; CPU us each: ${show(trivial.map((ms) => ms * 1000))}; p50 wall us: ${show(wall.trivial.metered.map((ms) => ms * 1000))}; steps ${steps.trivial}`);

  console.log(`\n## CPU-bound suite, ms of wall time, p50 of 5 in each of ${ROUNDS} rounds: median (range); best of all rounds is the steadiest on a shared machine`);
  console.log('| case | metered | best | unmetered best | metering | explicit bounds best | native QuickJS | best / native |');
  console.log('|---|---|---|---|---|---|---|---|');
  const ratios = [], costs = [];
  for (const job of cases.filter((one) => one.name in NATIVE)) {
    const best = (variant) => (wall[job.name][variant] ? Math.min(...wall[job.name][variant]) : NaN);
    const native = NATIVE[job.name];
    const ratio = best('metered') / native[1], cost = best('metered') / best('unmetered');
    ratios.push(ratio);
    costs.push(cost);
    console.log(`| ${job.name} | ${show(wall[job.name].metered)} | ${best('metered').toFixed(1)} | ${best('unmetered').toFixed(1)} | ${((cost - 1) * 100).toFixed(0)} % | ${best('explicit bounds').toFixed(1)} | ${native.join('-')} | ${ratio.toFixed(2)} |`);
  }
  console.log(`geometric mean of best / native: ${geomean(ratios).toFixed(2)}; metering: ${((geomean(costs) - 1) * 100).toFixed(1)} %`);

  console.log('\n## Workers');
  const workers = JSON.parse(execFileSync(join(dirname(program), 'bench', 'worker_bench'), [`${program}-worker`]));
  const us = (t) => `p50 ${(t.p50_us / 1000).toFixed(2)} ms (${(t.min_us / 1000).toFixed(2)}-${(t.max_us / 1000).toFixed(2)}, ${t.count} times)`;
  console.log(`from exec to ready, fences included: ${us(workers.start)}`);
  const m = workers.memory;
  console.log(`${m.workers} idle workers, kB each: RSS ${m.rss_kb_each}, PSS ${m.pss_kb_each}, private dirty ${m.private_dirty_kb_each}; RSS after a job ${m.rss_kb_each_after_a_job}`);
  for (const [name, t] of Object.entries(workers.late)) if (t.count) console.log(`stopped after its time-out of ${workers.late.timeout_ms} ms, ${name}: ${us(t)} late`);

  console.log(`\nCPU used by others meanwhile: ${(others() * 100).toFixed(0)} %`);
} finally {
  rmSync(scratch, { recursive: true });
}
if (!options['no-peers']) {
  console.log('\n## npm peers');
  process.exitCode = spawnSync(process.execPath, [join(root, 'bench', 'peers', 'run.mjs')], { stdio: 'inherit', env: { ...process.env, NEOCOMPUTE: program } }).status;
}
