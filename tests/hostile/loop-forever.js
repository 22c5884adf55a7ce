// what: the plainest endless loop
// options: --timeout 0.3
// expect: failed timeout
function main() { for (;;); }
