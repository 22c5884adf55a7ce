// what: nothing that is iterable iterates any more
// expect: completed
// output: {"a":[1],"b":1}
// log: "a [ 1 ] Map(1) { 1 => 2 } Set(1) { 3 }"
const made = [new Map([[1, 2]]), new Set([3])];
const protos = [Array.prototype, String.prototype, Map.prototype, Set.prototype, [].values(), ''[Symbol.iterator](), new Map().entries(), new Set().values()];
for (let i = 0; i < protos.length; i++) {
  const on = i < 4 ? protos[i] : Object.getPrototypeOf(protos[i]);
  Object.defineProperty(on, Symbol.iterator, { get() { throw 'iterator'; } });
  if (i >= 4) on.next = () => { throw 'next'; };
}
function main() {
  console.log('a', [1], made[0], made[1]);
  return { b: 1, a: [1] };
}
