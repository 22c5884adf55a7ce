// what: a getter of the output fills the memory
// options: --memory 32
// expect: failed out_of_memory
function main() { return { get a() { for (const all = []; ;) all.push(new Array(1000).fill(1)); } }; }
