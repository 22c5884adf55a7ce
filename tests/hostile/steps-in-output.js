// what: the steps end while the output is written
// options: --steps 1000000
// expect: failed out_of_steps
function main() { return { get a() { try { for (;;); } finally { return 1; } } }; }
