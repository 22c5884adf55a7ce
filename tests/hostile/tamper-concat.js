// what: QuickJS compiles template literals to calls of String.prototype.concat, as it finds it: the prelude has none
// expect: completed
// output: {"result":[1]}
// log: "{ a: 1 }"
String.prototype.concat = () => 'forged';
function main() {
  console.log({ a: 1 });
  return [1];
}
