// what: eval and Function reach nothing more
// expect: completed
// output: {"global":true,"local":"undefined","sum":3}
function main() {
  const secret = 1;
  return { sum: Function('a', 'b', 'return a + b')(1, 2), global: Function('return this')() === globalThis, local: (0, eval)('typeof secret') };
}
