// what: spreads an iterator without end
// options: --memory 32
// expect: failed out_of_memory
function main() { return [...{ [Symbol.iterator]: () => ({ next: () => ({ value: 1 }) }) }]; }
