// what: compiled code
// options: --memory 32
// expect: failed out_of_memory
function main() { for (const all = []; ;) all.push(Function(`return '${'x'.repeat(1e4)}'`)); }
