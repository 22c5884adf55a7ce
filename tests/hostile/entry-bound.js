// what: a bound function has arguments before the input
// options: --input [2]
// expect: completed
// output: {"result":[1,[2]]}
const main = function (...all) { return all.slice(0, 2); }.bind(null, 1);
