// what: symbols, registered under long names, all kept
// options: --memory 32
// expect: failed out_of_memory
function main() { for (const all = []; ;) all.push(Symbol.for('x'.repeat(100) + all.length)); }
