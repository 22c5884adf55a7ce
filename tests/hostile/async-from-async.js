// what: Array.fromAsync over a source without end
// options: --timeout 0.5 --memory 64
// expect: failed timeout|out_of_memory
function main() { return Array.fromAsync({ [Symbol.asyncIterator]: () => ({ next: async () => ({ value: 1 }) }) }); }
