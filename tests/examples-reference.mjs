// What the examples must print, computed without NeoCompute: node:vm, the guest's globals, and RFC 8785 once more.
//   node tests/examples-reference.mjs            compares examples/*.expected.json, exit status 1 if one differs
//   node tests/examples-reference.mjs --write    writes them
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes, randomUUID, webcrypto } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync, existsSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

const folder = new URL('../examples/', import.meta.url);
const read = (name) => readFileSync(new URL(name, folder), 'utf8');

// RFC 8785. The result is JSON already, so there are no cycles, holes or non-finite numbers left to refuse.
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
}

function guestGlobals(input, secrets) {
  const quiet = () => {};
  return {
    input,
    secrets,
    console: { log: quiet, info: quiet, warn: quiet, error: quiet, debug: quiet },
    crypto: {
      sha256: (x) => createHash('sha256').update(String(x), 'utf8').digest('hex'),
      randomBytes: (n) => randomBytes(n).toString('hex'),
      getRandomValues: (array) => webcrypto.getRandomValues(array),
      randomUUID,
    },
    performance: { now: () => performance.now() },
    atob, btoa, structuredClone, queueMicrotask, TextEncoder, TextDecoder, URL, URLSearchParams,
  };
}

// A classic script if it compiles as one, otherwise a module.
async function entryOf(code, filename, context) {
  let script;
  try {
    script = new vm.Script(code, { filename });
  } catch {
    const module = new vm.SourceTextModule(code, { identifier: filename, context });
    await module.link(() => { throw new Error('an example imports nothing'); });
    await module.evaluate();
    return module.namespace.default;
  }
  script.runInContext(context);
  return vm.runInContext('main', context);
}

async function outputOf(stem) {
  const secretsFile = `${stem}.secrets.json`;
  const inputText = read(`${stem}.input.json`);
  const secretsText = existsSync(new URL(secretsFile, folder)) ? read(secretsFile) : '{}';
  const context = vm.createContext(guestGlobals());
  // Parsed inside, so that the script's values are of its own world.
  context.input = vm.runInContext('JSON.parse', context)(inputText);
  context.secrets = vm.runInContext('JSON.parse', context)(secretsText);
  const main = await entryOf(read(`${stem}.js`), `${stem}.js`, context);
  const result = JSON.parse(JSON.stringify(await main(context.input, context.secrets)));
  const isObject = typeof result === 'object' && result !== null && !Array.isArray(result);
  return `${canonical(isObject ? result : { result })}\n`;
}

async function run(write) {
  const stems = readdirSync(folder).filter((name) => name.endsWith('.js')).map((name) => name.slice(0, -3));
  for (const stem of stems) {
    const output = await outputOf(stem);
    const file = new URL(`${stem}.expected.json`, folder);
    if (write) writeFileSync(file, output);
    const same = existsSync(file) && readFileSync(file, 'utf8') === output;
    if (!same) process.exitCode = 1;
    process.stdout.write(`${same ? 'ok  ' : 'DIFF'} ${stem}\n`);
  }
  if (stems.length === 0) throw new Error('no examples found');
}

// node:vm offers modules only behind a flag.
if (vm.SourceTextModule) {
  await run(process.argv.includes('--write'));
} else {
  const args = ['--no-warnings', '--experimental-vm-modules', fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
}
