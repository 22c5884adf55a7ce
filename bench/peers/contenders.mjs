// Those who are measured: each has a name, the world it makes for each run, measure(job, seconds) and close().
import { execFile, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual, promisify } from 'node:util';
import { peers } from './peers.mjs';

const HERE = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const LONGEST_MS = 30_000;

/** NeoCompute's own program measures itself: it counts executions where the peers count seconds. */
class NeoCompute {
  name = 'NeoCompute';
  world = 'snapshot restored in a sandboxed process';
  #lastUs = new Map(); // case -> µs per execution: tells how many fit

  constructor(binary) {
    this.binary = binary;
  }

  async #run(job, times) {
    const args = ['run', job.path, '--input', JSON.stringify(job.input), '--repeat', String(times), '--json'];
    const { stdout } = await promisify(execFile)(this.binary, args, { timeout: LONGEST_MS }).catch((error) => {
      throw new Error(error.stderr?.trim().split('\n')[0] || error.message.split('\n')[0]);
    });
    const { output, repeat, error } = JSON.parse(stdout);
    if (!isDeepStrictEqual(output, job.expected)) throw new Error(`wrong answer: ${JSON.stringify(error ?? output)}`);
    if (!repeat) throw new Error('its answer has no "repeat"');
    this.#lastUs.set(job.name, Math.max(1, repeat.p50_us));
    return repeat;
  }

  async measure(job, seconds) {
    if (!this.#lastUs.has(job.name)) await this.#run(job, 3);
    return this.#run(job, Math.max(3, Math.round((seconds * 1e6) / this.#lastUs.get(job.name))));
  }

  close() {}
}

/** A peer lives in a process of its own (peer.mjs), started when needed, and again should it die. */
class Peer {
  #child;

  constructor({ name, world }, pids) {
    Object.assign(this, { name, world });
    this.pids = pids;
  }

  /** The child's next message; an error if it ends or stays silent instead. */
  #hear() {
    const child = this.#child;
    const timer = setTimeout(() => child.kill('SIGKILL'), LONGEST_MS);
    return new Promise((done, fail) => {
      child.once('message', done);
      child.once('close', (code, signal) => {
        fail(new Error(`ended with ${signal ?? code}: ${this.stderr.match(/^.*Error.*$/m)?.[0] ?? 'no reason given'}`));
      });
    }).finally(() => {
      clearTimeout(timer);
      child.removeAllListeners('message').removeAllListeners('close');
    });
  }

  async #start() {
    this.stderr = '';
    // isolated-vm needs --no-node-snapshot from Node 20 on
    const options = { execArgv: ['--no-node-snapshot'], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] };
    this.#child = fork(join(HERE, 'peer.mjs'), [this.name], options);
    this.#child.stderr.setEncoding('utf8').on('data', (text) => (this.stderr += text));
    this.pids.add(this.#child.pid);
    const { pid } = await this.#hear();
    if (pid) this.pids.add(pid);
  }

  async measure({ script, input, expected, unit }, seconds) {
    if (!this.#child?.connected) await this.#start();
    this.#child.send({ job: { script, input, expected, unit }, seconds });
    const { repeat, error } = await this.#hear();
    if (error) throw new Error(error);
    return repeat;
  }

  close() {
    if (this.#child?.connected) this.#child.disconnect();
  }
}

/** `pids` receives the processes that live through the run. */
export function contenders(pids) {
  const binary = resolve(process.env.NEOCOMPUTE ?? join(HERE, '../../build/neocompute'));
  const list = peers.map((peer) => new Peer(peer, pids));
  if (existsSync(binary)) return [new NeoCompute(binary), ...list];
  console.log(`NeoCompute is left out: no binary at ${binary} (build it, or set NEOCOMPUTE=path)\n`);
  return list;
}
