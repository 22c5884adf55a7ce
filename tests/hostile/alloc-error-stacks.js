// what: deep stacks as text, all kept
// options: --memory 32
// expect: failed out_of_memory
Error.stackTraceLimit = 1000;
function main() {
  const all = [];
  const deep = (n) => (n > 0 ? deep(n - 1) : all.push(new Error('x')));
  for (;;) deep(500);
}
