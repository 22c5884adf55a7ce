// what: jobs left over when a result is there change nothing of it
// expect: completed
// output: {"n":1}
// logs: 0
function main() {
  const result = { n: 1 };
  queueMicrotask(() => { result.n = 2; console.log('later'); });
  return result;
}
