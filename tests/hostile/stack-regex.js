// what: patterns nested 100,000 deep
// expect: completed
// output: {"result":["SyntaxError"]}
function main() {
  const nested = (open, close, flags) => {
    try { return String(new RegExp(open.repeat(1e5) + close.repeat(1e5), flags).test('a')); } catch (error) { return error.name; }
  };
  return [...new Set([nested('(?:', ')'), nested('(', ')'), nested('(?=', ')'), nested('(?<!a', ')'), nested('(?:a|', ')*'), nested('[', ']', 'v')])];
}
