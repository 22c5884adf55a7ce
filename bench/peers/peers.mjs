// One adapter a peer. open() gives {run, close, pid?}: run(script, json, times) executes the script `times` times, each
// time in a world of its own, and gives the last answer. Every peer gets and gives JSON text, as a service would.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const MEMORY_MB = 128;
const TIMEOUT_MS = 10_000;
const CALL = '\n;(json => JSON.stringify(main(JSON.parse(json))))';

/** For the peers that run in this process. */
function inProcess(execute) {
  const run = (script, json, times) => {
    let answer;
    for (let i = 0; i < times; i++) answer = execute(script + CALL, json);
    return answer;
  };
  return { run, close() {} };
}

async function isolatedVm() {
  const { default: ivm } = await import('isolated-vm');
  return inProcess((script, json) => {
    const isolate = new ivm.Isolate({ memoryLimit: MEMORY_MB });
    try {
      const context = isolate.createContextSync();
      const call = isolate.compileScriptSync(script).runSync(context, { timeout: TIMEOUT_MS, reference: true });
      return call.applySync(undefined, [json], { timeout: TIMEOUT_MS });
    } finally {
      isolate.dispose();
    }
  });
}

async function quickjsEmscripten() {
  const { newQuickJSWASMModuleFromVariant, shouldInterruptAfterDeadline } = await import('quickjs-emscripten');
  const { default: variant } = await import('@jitl/quickjs-ng-wasmfile-release-sync');
  const quickjs = await newQuickJSWASMModuleFromVariant(variant);
  return inProcess((script, json) => {
    const runtime = quickjs.newRuntime();
    runtime.setMemoryLimit(MEMORY_MB * 1024 * 1024);
    runtime.setMaxStackSize(512 * 1024);
    runtime.setInterruptHandler(shouldInterruptAfterDeadline(Date.now() + TIMEOUT_MS));
    const context = runtime.newContext();
    try {
      const call = context.unwrapResult(context.evalCode(script));
      const input = context.newString(json);
      const answer = context.unwrapResult(context.callFunction(call, context.undefined, input));
      const text = context.getString(answer);
      for (const handle of [answer, input, call]) handle.dispose();
      return text;
    } finally {
      context.dispose();
      runtime.dispose();
    }
  });
}

async function nodeVm() {
  const { default: vm } = await import('node:vm');
  return inProcess((script, json) => vm.runInNewContext(script)(json));
}

const WORKERD_CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [(name = "loop.js", esModule = embed "loop.js")],
    bindings = [(name = "LOADER", workerLoader = ())],
    compatibilityDate = "2026-01-01",
    compatibilityFlags = ["experimental"]))],
  sockets = [(name = "http", address = "unix:SOCKET", http = (), service = "main")]);
`;

// Runs inside workerd: each execution loads a Worker that nobody has seen before, so it gets an isolate of its own.
const WORKERD_LOOP = `export default {
  async fetch(request, env) {
    const { script, json, times } = await request.json();
    let answer;
    for (let i = 0; i < times; i++) {
      const worker = env.LOADER.load({
        compatibilityDate: '2026-01-01', mainModule: 'main.js', modules: { 'main.js': script }, globalOutbound: null });
      answer = await (await worker.getEntrypoint().fetch('http://x/', { method: 'POST', body: json })).text();
    }
    return new Response(answer);
  }
};`;

const WORKERD_CALL = '\n;export default { async fetch(request) {' +
  ' return new Response(JSON.stringify(main(JSON.parse(await request.text())))); } };';

function post(agent, socketPath, body) {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ agent, socketPath, method: 'POST', path: '/' }, async (response) => {
      let text = '';
      for await (const piece of response.setEncoding('utf8')) text += piece;
      if (response.statusCode === 200) resolve(text);
      else reject(new Error(`workerd answered ${response.statusCode}: ${text.slice(0, 200)}`));
    });
    request.on('error', reject).end(body);
  });
}

function workerdBinary() {
  const machine = process.arch === 'x64' ? '64' : process.arch;
  return createRequire(import.meta.url).resolve(`@cloudflare/workerd-linux-${machine}/bin/workerd`);
}

async function workerd() {
  const folder = mkdtempSync(join(tmpdir(), 'bench-workerd-'));
  const socket = join(folder, 'socket');
  writeFileSync(join(folder, 'config.capnp'), WORKERD_CONFIG.replace('SOCKET', socket));
  writeFileSync(join(folder, 'loop.js'), WORKERD_LOOP);
  const args = ['serve', '--experimental', join(folder, 'config.capnp')];
  const child = spawn(workerdBinary(), args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const gone = once(child, 'exit');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const run = (script, json, times) =>
    post(agent, socket, JSON.stringify({ script: script + WORKERD_CALL, json, times }));
  const close = async () => {
    agent.destroy();
    child.kill('SIGKILL');
    await gone;
    rmSync(folder, { recursive: true, force: true });
  };
  for (let tries = 0; tries < 500 && child.exitCode === null; tries++) {
    await sleep(20);
    if (existsSync(socket)) return { run, close, pid: child.pid };
  }
  await close();
  throw new Error('workerd did not start');
}

export const peers = [
  { name: 'isolated-vm', world: 'new isolate and context, 128 MB', open: isolatedVm },
  { name: 'quickjs-emscripten', world: 'new runtime and context, 128 MB', open: quickjsEmscripten },
  { name: 'workerd', world: 'Worker Loader: new isolate, no limits', open: workerd },
  { name: 'node:vm', world: 'new context; no isolation at all', open: nodeVm },
];
