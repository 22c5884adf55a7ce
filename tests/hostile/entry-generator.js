// what: a generator's result is the generator, an object without anything to write
// expect: completed
// output: {}
function* main() { yield { never: 1 }; }
