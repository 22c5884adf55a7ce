// what: never gets as far as its entry point
// options: --timeout 0.3
// expect: failed timeout
for (;;);
function main() {}
