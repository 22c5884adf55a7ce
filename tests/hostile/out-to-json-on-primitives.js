// what: strings, numbers and booleans are asked for no toJSON; only BigInt is
// expect: completed
// output: {"big":"1","list":["a",1,true]}
String.prototype.toJSON = Number.prototype.toJSON = Boolean.prototype.toJSON = () => { throw 'asked'; };
BigInt.prototype.toJSON = function () { return `${this}`; };
function main() { return { list: ['a', 1, true], big: 1n }; }
