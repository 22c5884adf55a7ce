// what: getters without setters make every such assignment fail: the script's own harm
// expect: completed|failed output_invalid
// output: {"a":[1,[2]],"b":1}
// log: "a 1 [ 1, [ 2 ] ]"
for (let i = 0; i < 300; i++) Object.defineProperty(Array.prototype, i, { get() { return 'forged'; } });
function main() {
  console.log('%s %d', 'a', 1, [1, [2]]);
  return { b: 1, a: [1, [2]] };
}
