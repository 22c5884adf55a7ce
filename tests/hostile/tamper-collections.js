// what: Map, Set, WeakMap, RegExp, typed arrays and their iterators throw whatever they are asked
// expect: completed
// output: {"a":1,"b":2}
// log: "Map(1) { 1 => 2 } Set(1) { 3 } /x/g Uint8Array(2) [ 1, 2 ] 1970-01-01T00:00:00.000Z [ 'a\\n', \"it's\" ]"
const made = [new Map([[1, 2]]), new Set([3]), /x/g, new Uint8Array([1, 2]), new Date(0), new URL('http://a/?b=1'), new Uint8Array(4)];
const all = [Map, Set, WeakMap, WeakSet, RegExp, Uint8Array, Object.getPrototypeOf(Uint8Array), Date, ArrayBuffer, DataView, Symbol, Number];
const { defineProperty } = Object;
for (let i = 0; i < all.length; i++) {
  const proto = all[i].prototype, keys = Reflect.ownKeys(proto);
  for (let j = 0; j < keys.length; j++) {
    if (keys[j] !== 'constructor') try { defineProperty(proto, keys[j], { get() { throw `${all[i].name} ${String(keys[j])}`; } }); } catch {}
  }
}
function main() {
  console.log(made[0], made[1], made[2], made[3], made[4], ['a\n', "it's"]);
  crypto.getRandomValues(made[6]);
  return { b: 2, a: 1 };
}
