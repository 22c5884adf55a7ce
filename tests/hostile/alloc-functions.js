// what: compiled code
// options: --memory 32
// expect: failed out_of_memory
function main() { for (const all = []; ;) all.push(Function(`return ${'1+'.repeat(1000)}1`)); }
