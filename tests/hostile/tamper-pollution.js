// what: prototype pollution by way of the input's keys: JSON makes own properties
// options: --input {"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}}}
// expect: completed
// output: {"keys":["__proto__","constructor"],"polluted":false}
function main(input) { return { keys: Object.keys(input), polluted: 'polluted' in {} }; }
