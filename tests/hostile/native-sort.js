// what: a long native sort with a native comparison, small enough to fit
// options: --timeout 0.3
// expect: failed timeout
function main() { for (;;) [...Array(3e5).keys()].map(String).sort(); }
