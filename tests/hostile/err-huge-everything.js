// what: a name, a message and a stack of 3,000,000 characters of three bytes
// expect: failed execution_error
// error: €€€€
function main() {
  const text = '€'.repeat(3e6);
  throw { name: text, message: text, stack: `${text}\n    at f (script.js:3:5)` };
}
