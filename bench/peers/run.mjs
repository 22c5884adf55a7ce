// Runs NeoCompute and its npm peers side by side on the cases of bench/cases and prints medians, spread and ratios.
// node bench/peers/run.mjs [--rounds N] [--seconds S] [--case NAME] [--budget S]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadCases } from '../cases/cases.mjs';
import { contenders } from './contenders.mjs';
import { install } from './install.mjs';
import { machine, othersSince } from './noise.mjs';
import { printCase } from './table.mjs';

const NOISY = 0.05; // share of the CPU used by others above which a run counts as disturbed

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' }, // after one more round to warm up, which is not counted
    seconds: { type: 'string', default: '0.8' }, // a run: one contender on one case
    case: { type: 'string' },
    budget: { type: 'string', default: '165' }, // seconds after which no run is started
  },
});

/** Every round goes through all cases and contenders. `results` becomes a Map "case/contender" -> {samples, errors}. */
async function measureAll(jobs, list, results, pids) {
  const end = performance.now() + Number(options.budget) * 1000;
  const noise = [];
  for (let round = 0; round <= Number(options.rounds); round++) {
    for (const job of jobs) {
      for (let i = 0; i < list.length; i++) {
        if (performance.now() > end) {
          console.log(`stopped in round ${round} of ${options.rounds}: the budget of ${options.budget} s is used up`);
          return noise;
        }
        const one = list[(i + round) % list.length]; // nobody always comes first
        const result = results.get(`${job.name}/${one.name}`);
        if (result.errors.length > 1) continue;
        const others = othersSince(pids);
        try {
          const repeat = await one.measure(job, Number(options.seconds) / (round ? 1 : 2));
          if (round === 0) continue;
          result.samples.push(repeat);
          noise.push(others());
        } catch (error) {
          result.errors.push(error.message);
        }
      }
    }
  }
  return noise;
}

const percent = (share) => `${(share * 100).toFixed(1)} %`;
const scratch = mkdtempSync(join(tmpdir(), 'bench-cases-'));
const pids = new Set();
let list = [];
try {
  const jobs = loadCases(scratch).filter((job) => !options.case || job.name === options.case);
  if (jobs.length === 0) throw new Error(`no case is named ${options.case}`);
  install();
  list = contenders(pids);
  const keys = jobs.flatMap((job) => list.map((one) => `${job.name}/${one.name}`));
  const results = new Map(keys.map((key) => [key, { samples: [], errors: [] }]));
  const others = othersSince(pids);
  const start = performance.now();
  console.log(`before: ${machine()}`);
  const noise = await measureAll(jobs, list, results, pids);
  console.log(`after:  ${machine()}`);
  const disturbed = `over ${percent(NOISY)} in ${noise.filter((n) => n > NOISY).length} of ${noise.length} runs`;
  const worst = percent(Math.max(0, ...noise));
  console.log(`noise:  others used ${percent(others())} of the CPU; ${disturbed}, worst ${worst}`);
  const took = ((performance.now() - start) / 1000).toFixed(0);
  console.log(`${options.rounds} interleaved rounds, ${options.seconds} s a run, ${took} s in all\n`);
  for (const job of jobs) printCase(job, list, results);
} finally {
  for (const one of list) one.close();
  rmSync(scratch, { recursive: true, force: true });
}
