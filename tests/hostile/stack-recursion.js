// what: recursion without end, caught; the stack is whole again
// expect: completed
// output: {"again":"RangeError","name":"RangeError"}
function main() {
  const deeper = () => deeper() + 1;
  const attempt = () => { try { deeper(); } catch (error) { return error.name; } };
  return { name: attempt(), again: attempt() };
}
