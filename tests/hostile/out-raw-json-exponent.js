// what: a number that is infinite to every reader
// expect: completed
// output: {"a":null}
function main() { return { a: JSON.rawJSON('1.9e+308') }; }
