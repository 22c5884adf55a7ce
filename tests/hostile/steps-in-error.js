// what: the steps end while the error is described
// options: --steps 1000000
// expect: failed out_of_steps
function main() { throw { get name() { for (;;); } }; }
