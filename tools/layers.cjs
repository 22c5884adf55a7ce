#!/usr/bin/env node
// Who may include whom (DESIGN.md, "The source tree"): exits 1 and names each include that the table does not allow.
const fs = require('node:fs'), path = require('node:path');

const MAY = {
  base: [],
  wire: ['base'],
  sandbox: ['base'],
  crypto: ['base'],
  engine: ['base'],
  store: ['base'],
  http: ['base'],
  jose: ['base'],
  receipt: ['base', 'crypto'],
  attest: ['base', 'crypto'],
  evidence: ['base', 'crypto'],
  worker: ['base', 'wire', 'sandbox', 'engine'],
  dispatch: ['base', 'wire', 'sandbox'],
  marble: ['base', 'crypto', 'attest'],
  keeper: ['base', 'wire', 'sandbox', 'crypto', 'receipt', 'attest', 'dispatch'],
  egress: ['base', 'wire', 'sandbox'],
  broker: ['base', 'wire', 'sandbox', 'http', 'store', 'jose'],
  supervisor: ['base', 'wire', 'sandbox', 'crypto', 'attest', 'broker', 'keeper', 'egress'],
  thread: ['base', 'wire', 'sandbox', 'engine', 'worker', 'keeper', 'broker', 'egress', 'supervisor'],
  cli: ['base', 'wire', 'sandbox', 'crypto', 'receipt', 'evidence', 'dispatch', 'supervisor'],
};
// What only one folder may include of the system.
const ONLY = { 'seccomp.h': ['sandbox'], 'sha256.h': ['base'], 'openssl/': ['crypto', 'egress', 'evidence', 'http', 'jose', 'marble'], 'cjose/': ['jose'], 'nghttp2/': ['http'], 'sqlite3.h': ['store'], 'curl/': ['cli', 'egress', 'marble'], 'linux/landlock.h': ['sandbox'], 'cbor.h': ['attest', 'evidence'], 'libpq-fe.h': ['egress'] };

const root = path.join(__dirname, '..', 'src');
let wrong = 0, seen = 0;
const complain = (file, text) => { wrong++; console.log(`${file}: ${text}`); };

for (const folder of fs.readdirSync(root)) {
  const dir = path.join(root, folder);
  if (!fs.statSync(dir).isDirectory()) continue;
  for (const name of fs.readdirSync(dir).filter((n) => /\.[ch]$/.test(n))) {
    const file = `src/${folder}/${name}`;
    if (!(folder in MAY)) { complain(file, `folder ${folder} is not in the table of layers`); continue; }
    for (const [, quote, included] of fs.readFileSync(path.join(dir, name), 'utf8').matchAll(/^#include ([<"])([^>"]+)/gm)) {
      seen++;
      const layer = included.split('/')[0];
      if (quote === '"' && included.includes('/') && layer !== folder && !MAY[folder].includes(layer)) complain(file, `may not include ${included}`);
      for (const [what, who] of Object.entries(ONLY)) {
        if (quote === '<' && included.startsWith(what) && !who.includes(folder)) complain(file, `may not include <${included}>`);
      }
    }
  }
}
if (seen === 0) complain('src', 'no includes found');
process.exit(wrong === 0 ? 0 : 1);
