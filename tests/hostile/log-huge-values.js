// what: what is shown is bounded, however large the value
// options: --timeout 10
// expect: completed
// logs: 5
// log-bytes: 4110 4110 31 4110 28
function main() {
  const wide = {};
  for (let i = 0; i < 50000; i++) wide[`key${i}`] = i;
  const sparse = [];
  sparse[2 ** 32 - 2] = 1;
  console.log('x'.repeat(1e7));
  console.log(wide);
  console.log(sparse);
  console.log(new Array(100).fill(wide));
  console.log(new Array(2 ** 32 - 1));
}
