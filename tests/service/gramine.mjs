// Gramine's /dev/attestation, as files that a test makes: for a service with `--attest-root`. Who waits for the service without
// letting this process run (spawnSync) waits for a quote that does not come.
import { execFileSync } from 'node:child_process';
import { constants, mkdirSync, openSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { scratch } from './service.mjs';

const mkfifo = (path) => execFileSync('mkfifo', [path]);

// A quote of the right kind over these report data, which nobody signed: the service takes it, a verifier would not.
const unsigned = (reportData) => Buffer.concat([Buffer.from([3, 0, 2, 0]), Buffer.alloc(364), reportData, Buffer.alloc(4000)]);

// A tree with Gramine's /dev/attestation, of which the quote is what `quote(reportData)` answers: made when it is opened.
export function gramine(quote = unsigned) {
  const root = scratch(), dir = join(root, 'dev', 'attestation'), at = (name) => join(dir, name);
  mkdirSync(dir, { recursive: true });
  writeFileSync(at('attestation_type'), 'dcap');
  writeFileSync(at('user_report_data'), Buffer.alloc(64));
  mkfifo(at('quote'));
  const tree = { root, made: [], over: false };
  const loop = async () => {
    while (!tree.over) {
      const file = await open(at('quote'), 'w'); // waits for a reader
      unlinkSync(at('quote')); // the next one is the next reader's
      mkfifo(at('quote'));
      const made = tree.over ? null : await quote(readFileSync(at('user_report_data')), tree);
      if (made) await file.write(made);
      await file.close();
    }
  };
  tree.done = loop();
  tree.close = async () => {
    tree.over = true;
    openSync(at('quote'), constants.O_RDONLY | constants.O_NONBLOCK);
    await tree.done;
  };
  after(tree.close);
  return tree;
}
