// what: not even the script's text can be read for one step
// options: --steps 1
// expect: failed out_of_steps
function main() { return 1; }
