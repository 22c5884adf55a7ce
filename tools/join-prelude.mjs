// Joins the prelude's files into one function expression: `node tools/join-prelude.mjs OUT.js FILE.js…`.
// One scope, so that what one file captures the next may use, and nothing of it is a global.
import { readFileSync, writeFileSync } from 'node:fs';

const [out, ...files] = process.argv.slice(2);
const body = files.map((file) => readFileSync(file, 'utf8')).join('\n');
writeFileSync(out, `(function (host) { 'use strict';\n${body}\n})`);
