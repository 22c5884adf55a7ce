// Puts the pinned peers into node_modules when they are missing. Nothing but the npm registry is asked: install scripts
// stay off (isolated-vm's would try a download from elsewhere), isolated-vm is compiled with the headers of this Node.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

const HERE = import.meta.dirname ?? new URL('.', import.meta.url).pathname;

function npm(...args) {
  return spawnSync('npm', args, { cwd: HERE, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
}

function headersPrefix() {
  const prefixes = [dirname(dirname(process.execPath)), '/usr', '/usr/local'];
  return prefixes.find((prefix) => existsSync(join(prefix, 'include/node/node.h')));
}

export function install() {
  if (!existsSync(join(HERE, 'node_modules'))) {
    console.error('installing the peers (npm ci)');
    if (!npm('ci', '--ignore-scripts')) throw new Error('npm ci failed in bench/peers');
  }
  if (existsSync(join(HERE, 'node_modules/isolated-vm/out/isolated_vm.node'))) return;
  const prefix = headersPrefix();
  if (!prefix) return console.error('no Node headers found (Debian: libnode-dev): isolated-vm is left out');
  console.error(`compiling isolated-vm with the headers in ${prefix}/include/node (about a minute)`);
  const built = npm('run', '--silent', 'build-isolated-vm', '--', `--nodedir=${prefix}`);
  if (!built) console.error('isolated-vm did not compile and is left out');
}
