// what: a function with a then is no object to write either way
// expect: completed|failed output_invalid
// output: {"result":5}
function main() { return Object.assign(() => {}, { then: (resolve) => resolve(5) }); }
