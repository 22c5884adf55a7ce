// what: nothing is an empty object
// expect: completed
// output: {}
function main() {}
