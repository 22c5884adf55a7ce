// what: asks for a string of 2 GiB
// options: --timeout 5
// expect: failed out_of_memory|execution_error
function main() { return 'x'.repeat(2 ** 29).padEnd(2 ** 30 - 1, 'y').length; }
