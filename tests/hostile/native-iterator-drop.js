// what: skips infinitely many items of an iterator that has them
// options: --timeout 0.3
// expect: failed timeout
function main() { return Iterator.from({ next: () => ({}) }).drop(Infinity).next(); }
