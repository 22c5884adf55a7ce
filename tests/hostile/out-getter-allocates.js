// what: an accessor of the output returns more than any output may hold
// expect: failed output_too_large
function main() { return { get a() { return 'x'.repeat(3e6); } }; }
