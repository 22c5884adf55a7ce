// what: nested quantifiers, exponential
// options: --timeout 0.3
// expect: failed timeout
function main() { return /^(?:a+)+$/.test(`${'a'.repeat(40)}b`); }
