// The benchmark cases: cases.json names each script, its input and the output every engine must give for it.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bigscript } from './make-bigscript.mjs';

const HERE = import.meta.dirname ?? new URL('.', import.meta.url).pathname;

/** All cases with their text and the path of their script; generated scripts are written into the folder `scratch`. */
export function loadCases(scratch) {
  mkdirSync(scratch, { recursive: true });
  return JSON.parse(readFileSync(join(HERE, 'cases.json'), 'utf8')).map((one) => {
    const path = join(one.generated ? scratch : HERE, `${one.name}.js`);
    if (one.generated) writeFileSync(path, bigscript());
    return { ...one, path, script: readFileSync(path, 'utf8') };
  });
}
