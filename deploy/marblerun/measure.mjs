#!/usr/bin/env node
// Puts an enclave's measurements into MarbleRun's manifest:
//   gramine-sgx-sigstruct-view --output-format json neocompute.sig | node measure.mjs manifest.json >filled.json
// By signer, product and version, as the manifest has it; with --unique by MRENCLAVE instead: then only this very build is accepted.
import { readFileSync } from 'node:fs';

const fail = (text) => { console.error(`measure: ${text}`); process.exit(1); };
const [path, ...flags] = process.argv.slice(2);
if (!path || flags.some((flag) => flag !== '--unique')) fail('usage: measure.mjs MANIFEST [--unique] <SIGSTRUCT.json');

const parse = (text, what) => { try { return JSON.parse(text); } catch { return fail(`${what} is not JSON`); } };
const manifest = parse(readFileSync(path, 'utf8'), path);
const enclave = parse(readFileSync(0, 'utf8'), 'what gramine-sgx-sigstruct-view says');
const measurement = (name) => (/^[0-9a-f]{64}$/.test(enclave[name]) && !/^0+$/.test(enclave[name]) ? enclave[name] : fail(`${name} is no measurement`));
const number = (name) => (Number.isInteger(enclave[name]) && enclave[name] >= 0 && enclave[name] < 65536 ? enclave[name] : fail(`${name} is no number`));
if (enclave.debug_enclave !== false) fail('this is a debug enclave, or nobody says that it is none: its memory is the host\'s to read');

const { AcceptedTCBStatuses, ...rest } = manifest.Packages?.neocompute ?? fail(`${path} has no package neocompute`);
if (rest.Debug !== false) fail('the package is for debug enclaves');
manifest.Packages.neocompute = flags.length > 0
  ? { UniqueID: measurement('mr_enclave'), Debug: false, AcceptedTCBStatuses }
  : { SignerID: measurement('mr_signer'), ProductID: number('isv_prod_id'), SecurityVersion: number('isv_svn'), Debug: false, AcceptedTCBStatuses };
console.log(JSON.stringify(manifest, null, 2));
