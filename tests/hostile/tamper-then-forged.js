// what: every object has a then, which resolves to something else: the script shapes its own result
// expect: completed
// output: {"result":"forged"}
Object.prototype.then = (resolve) => resolve('forged');
function main() { return { a: 1 }; }
