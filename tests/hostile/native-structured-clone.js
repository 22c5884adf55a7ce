// what: clones an array of 4,294,967,295 holes: by what it holds, not by its length
// options: --timeout 0.3
// expect: completed
// output: {"result":4294967295}
function main() { return structuredClone(new Array(2 ** 32 - 1)).length; }
