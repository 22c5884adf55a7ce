// what: QuickJS compiles template literals to calls of String.prototype.concat, as it finds it
// expect: completed
// output: {"result":[1]}
// log: "{ a: 1 }"
// bug: the prelude uses template literals, so that the script writes their text (src/engine/prelude/*.js)
String.prototype.concat = () => 'forged';
function main() {
  console.log({ a: 1 });
  return [1];
}
