// what: a promise of a class whose then lies: its true state counts
// expect: completed
// output: {"result":"true"}
class Liar extends Promise { then() { throw 'then'; } catch() { throw 'catch'; } }
function main() { return new Liar((resolve) => resolve('true')); }
