// what: an object that only inherits from Promise.prototype has a then, which finds no promise behind it
// expect: failed execution_error
// error: TypeError
function main() { return Object.assign(Object.create(Promise.prototype), { x: 1 }); }
