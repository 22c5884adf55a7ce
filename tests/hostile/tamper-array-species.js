// what: constructor and species of arrays lead to a trap
// expect: completed
// output: {"a":[1],"b":1}
// log: "[ 1, 2 ]"
Object.defineProperty(Array.prototype, 'constructor', { get() { throw 'constructor'; } });
Object.defineProperty(Array, Symbol.species, { get() { throw 'species'; } });
Object.defineProperty(Array.prototype, Symbol.isConcatSpreadable, { get() { throw 'spreadable'; } });
function main() {
  console.log([1, 2]);
  return { b: 1, a: [1] };
}
