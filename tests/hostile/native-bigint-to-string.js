// what: one native call of seconds that polls nothing
// options: --timeout 0.3
// expect: failed timeout
function main() { return (3n ** 660000n).toString(7).length + (3n ** 660001n).toString(7).length; }
