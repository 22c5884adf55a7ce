// what: fills a set natively, from an iterator without end
// options: --memory 32
// expect: failed out_of_memory
function main() { let i = 0; return new Set({ [Symbol.iterator]: () => ({ next: () => ({ value: i++ }) }) }); }
