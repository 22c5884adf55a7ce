// what: an array of arrays
// options: --memory 32
// expect: failed out_of_memory
function main() { for (const all = []; ;) all.push(new Array(1000).fill(1)); }
