// what: 1,000,000 opening brackets
// expect: completed
// output: {"result":"RangeError"}
function main() {
  try { return JSON.parse('['.repeat(1e6)).length; } catch (error) { return error.name; }
}
