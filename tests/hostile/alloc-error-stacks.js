// what: deep stacks as text, all kept
// options: --memory 32
// expect: failed out_of_memory
// bug: no room is left to describe the error in: execution_error without a text (src/engine/engine.c, fail)
Error.stackTraceLimit = 1000;
function main() {
  const all = [];
  const deep = (n) => (n > 0 ? deep(n - 1) : all.push(new Error('x')));
  for (;;) deep(500);
}
