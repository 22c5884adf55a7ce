// what: jobs made while the output is written do not run any more
// expect: completed
// output: {"a":1,"b":1}
// logs: 0
async function main() {
  let n = 1;
  return { get a() { Promise.resolve().then(() => { n = 2; console.log('later'); }); return n; }, get b() { return n; } };
}
