// what: Object.prototype.toJSON is the script's own way to shape what it returns
// expect: completed
// output: {"result":"shaped"}
Object.prototype.toJSON = () => 'shaped';
function main() { return { b: 1, a: { c: 2 } }; }
