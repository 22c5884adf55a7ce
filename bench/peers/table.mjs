// Prints one case: median and range over the rounds (runs per second, or a round's median time), the CPU time of a
// run and how many times faster NeoCompute is (below 1: slower).

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

const show = (n) => (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n >= 0.1 ? n.toFixed(2) : n.toFixed(3));

function printLine(name, middle, range, cpu, ratio, world) {
  const numbers = `${middle.padStart(8)}  ${range.padEnd(18)}${cpu.padStart(8)}${ratio.padStart(9)}`;
  console.log(`  ${name.padEnd(20)}${numbers}   ${world}`);
}

export function printCase(job, list, results) {
  const perSecond = job.unit === 'per_second';
  const valueOf = ({ per_second, p50_us }) => (perSecond ? per_second : p50_us / 1000);
  const own = results.get(`${job.name}/NeoCompute`)?.samples.map(valueOf) ?? [];
  console.log(`${job.name}: ${job.title}`);
  printLine('', perSecond ? 'runs/s' : 'ms/run', '(range)', 'CPU ms', 'ratio', 'world of each run');
  for (const one of list) {
    const { samples, errors } = results.get(`${job.name}/${one.name}`);
    if (samples.length === 0) {
      console.log(`  ${one.name.padEnd(20)}left out: ${errors[0] ?? 'no time left'}`);
      continue;
    }
    const values = samples.map(valueOf);
    const ratio = perSecond ? median(own) / median(values) : median(values) / median(own);
    const range = `(${show(Math.min(...values))}-${show(Math.max(...values))})`;
    const cpu = median(samples.map((sample) => sample.cpu_us_mean / 1000));
    printLine(one.name, show(median(values)), range, show(cpu), own.length ? `${show(ratio)}x` : '-', one.world);
    if (errors.length) console.log(`  ${''.padEnd(20)}failed in ${errors.length} further rounds: ${errors[0]}`);
  }
  console.log();
}
