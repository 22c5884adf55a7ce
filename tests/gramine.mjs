// A stand-in for Gramine's /dev/attestation: a tree with FIFOs, behind which a process of its own makes a quote of whatever
// was written to user_report_data. Run as `node gramine.mjs FOLDER`; imported, `gramine(kind)` starts it and returns the tree.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

const self = fileURLToPath(import.meta.url);
// It may wait in open(2), whoever else has ended.
const killers = [];
const REPORT_DATA = 48 + 320; // in a version 3 quote

function serve(folder, kind) {
  for (;;) {
    const data = readFileSync(join(folder, 'user_report_data'));
    const quote = Buffer.alloc(4600);
    quote.writeUInt16LE(3, 0);
    quote.writeUInt16LE(2, 2);
    (kind === 'other' ? Buffer.alloc(64, 0xee) : data).copy(quote, REPORT_DATA);
    writeFileSync(join(folder, 'quote'), quote);
  }
}

// `kind`: undefined, or `other`, whose quotes are over other report data.
export function gramine(root, kind = '') {
  const folder = join(root, 'dev', 'attestation');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'attestation_type'), 'dcap');
  execFileSync('mkfifo', [join(folder, 'user_report_data'), join(folder, 'quote')]);
  const child = spawn(process.execPath, [self, folder, kind], { stdio: ['ignore', 'ignore', 'inherit'] });
  const kill = () => child.kill('SIGKILL');
  killers.push(kill);
  process.on('exit', kill);
  return root;
}

export const reportData = (quote) => quote.subarray(REPORT_DATA, REPORT_DATA + 64);

if (process.argv[1] !== self) after(() => { for (const kill of killers) kill(); });
else serve(process.argv[2], process.argv[3]);
