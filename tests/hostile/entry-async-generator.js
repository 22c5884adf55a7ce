// what: so is an async generator's
// expect: completed
// output: {}
async function* main() { yield { never: 1 }; }
