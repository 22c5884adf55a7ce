// what: the only module there is
// expect: completed
// output: {"result":true}
import { main as self } from './module-imports-self.js';
export function main() { return self === main; }
