// The contract as the service serves it: `node tools/openapi-json.mjs docs/openapi.yaml OUT.json`.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parse } from 'yaml';

const [input, output] = process.argv.slice(2);
if (!output) {
  console.error('usage: node tools/openapi-json.mjs IN.yaml OUT.json');
  process.exit(2);
}
mkdirSync(dirname(output), { recursive: true });
writeFileSync(output, JSON.stringify(parse(readFileSync(input, 'utf8'))));
