// what: … and may throw
// expect: failed output_invalid
// error: TypeError
function main() { return { n: Object.assign(new Number(1), { valueOf: () => ({}), toString: () => ({}) }) }; }
