// what: a returned thenable that is no promise is an object like any other
// expect: completed
// output: {"x":1}
function main() { return { x: 1, then() { throw 'called'; } }; }
