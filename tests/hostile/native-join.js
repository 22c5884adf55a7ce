// what: joins 4,294,967,295 holes
// options: --timeout 0.5
// expect: failed timeout|out_of_memory
function main() { return new Array(2 ** 32 - 1).join('x').length; }
