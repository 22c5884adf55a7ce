// Prints a script of 900 functions (about 90 kB) of which main() calls two: what a bundled library costs to load.
import { argv, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';

const COUNT = 900;

function one(i) {
  return `function f${i}(a, k) {
  let s = ${i};
  for (const v of a) s = (s * 31 + v + k) % ${65521 - i};
  return s;
}
`;
}

export function bigscript() {
  let text = '';
  for (let i = 0; i < COUNT; i++) text += one(i);
  return text + 'function main(input) {\n  return { a: f17(input.list, 3), b: f883(input.list, 5) };\n}\n';
}

if (argv[1] === fileURLToPath(import.meta.url)) stdout.write(bigscript());
