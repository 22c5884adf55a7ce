// what: String.raw over an absurd length
// options: --timeout 0.3
// expect: failed timeout|out_of_memory
function main() { return String.raw({ raw: { length: 2 ** 53 - 1 } }); }
