// what: JSON.rawJSON writes numbers that no double prints as
// expect: completed
// output: {"a":1,"b":100}
function main() { return { a: JSON.rawJSON('1.0'), b: JSON.rawJSON('1E2') }; }
