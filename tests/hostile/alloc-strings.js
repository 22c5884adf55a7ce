// what: many different strings
// options: --memory 32
// expect: failed out_of_memory
function main() { for (const all = []; ;) all.push('x'.repeat(1000) + all.length); }
