// what: a set-like whose keys never end
// options: --timeout 0.5 --memory 64
// expect: failed timeout|out_of_memory
function main() { return new Set([1]).union({ size: 1, has: () => true, keys: () => ({ next: () => ({ value: Math.random() }) }) }); }
