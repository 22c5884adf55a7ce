// Measures one peer, named by its argument, in a process of its own that serves all cases: for every {job, seconds} it
// hears, it answers {repeat} as `neocompute run --repeat` would, or {error}.
import { isDeepStrictEqual } from 'node:util';
import { cpuMs } from './noise.mjs';
import { peers } from './peers.mjs';

const FEWEST = 3; // samples, however long they take

const peer = peers.find((one) => one.name === process.argv[2]);

/** A sample is `batch` executions: a round trip to another process shall not count as execution. */
async function measure(world, { script, input, expected, unit }, seconds) {
  const batch = world.pid && unit === 'per_second' ? 10 : 1;
  const json = JSON.stringify(input);
  const sample = async () => {
    const start = performance.now();
    const answer = await world.run(script, json, batch);
    const us = ((performance.now() - start) * 1000) / batch;
    if (!isDeepStrictEqual(JSON.parse(answer), expected)) throw new Error(`wrong answer: ${answer.slice(0, 200)}`);
    return us;
  };
  await sample();
  const times = [];
  const cpu = cpuMs(world.pid ?? 'self');
  const start = performance.now();
  while (performance.now() - start < seconds * 1000 || times.length < FEWEST) times.push(await sample());
  const us = times.reduce((sum, time) => sum + time, 0) * batch;
  const count = times.length * batch;
  times.sort((a, b) => a - b);
  const at = (part) => times[Math.ceil(times.length * part) - 1];
  return {
    count, per_second: (count * 1e6) / us, p50_us: at(0.5), p90_us: at(0.9), p99_us: at(0.99), max_us: at(1),
    cpu_us_mean: ((cpuMs(world.pid ?? 'self') - cpu) * 1000) / count,
  };
}

const world = await peer.open();
process.on('message', async ({ job, seconds }) => {
  try {
    process.send({ repeat: await measure(world, job, seconds) });
  } catch (error) {
    process.send({ error: error.message });
  }
});
process.on('disconnect', async () => {
  await world.close();
  process.exit(0);
});
process.send({ pid: world.pid });
