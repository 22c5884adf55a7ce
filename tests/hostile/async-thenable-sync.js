// what: a thenable returned without async is awaited, too
// expect: completed
// output: {"x":1}
function main() { return { then(resolve) { queueMicrotask(() => resolve({ x: 1 })); } }; }
