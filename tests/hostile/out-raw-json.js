// what: JSON.rawJSON writes numbers that no double prints as
// expect: failed output_invalid
function main() { return { a: JSON.rawJSON('1.0'), b: JSON.rawJSON('1E2') }; }
