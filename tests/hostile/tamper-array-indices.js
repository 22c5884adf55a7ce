// what: setters and getters on Array.prototype hear every index that is only assigned
// expect: completed
// output: {"a":[1,[2]],"b":1}
// log: "a 1 [ 1, [ 2 ] ]"
for (let i = 0; i < 300; i++) Object.defineProperty(Array.prototype, i, { get() { return 'forged'; }, set() {}, configurable: true });
function main() {
  console.log('%s %d', 'a', 1, [1, [2]]);
  return { b: 1, a: [1, [2]] };
}
