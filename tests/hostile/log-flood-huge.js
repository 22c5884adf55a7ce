// what: 300,000 dropped entries of a value that takes long to print
// options: --timeout 20
// expect: completed
// logs: 100, dropped: 299900
function main() {
  const value = new Array(1000).fill({ a: { b: { c: 1 } } });
  for (let i = 0; i < 300000; i++) console.log(i < 100 ? i : value);
}
