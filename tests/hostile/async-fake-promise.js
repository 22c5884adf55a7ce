// what: an object that only inherits from Promise.prototype is an object
// expect: completed
// output: {"x":1}
function main() { return Object.assign(Object.create(Promise.prototype), { x: 1 }); }
