// what: numbers of 100,000 bits
// options: --memory 32
// expect: failed out_of_memory
function main() { for (const all = []; ;) all.push(1n << BigInt(100000 + all.length)); }
