// what: the text is far larger than the value
// options: --memory 32
// expect: failed out_of_memory
function main() { return JSON.stringify(new Array(1000).fill('\0'.repeat(1e4))).length; }
