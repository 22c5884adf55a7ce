// what: clones an array of 4,294,967,295 holes, in a side module that polls nothing
// options: --timeout 0.3
// expect: failed timeout
function main() { return structuredClone(new Array(2 ** 32 - 1)).length; }
