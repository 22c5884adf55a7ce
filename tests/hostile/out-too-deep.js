// what: 20,000 levels
// expect: failed output_invalid
function main() {
  let a = [];
  for (let i = 0; i < 20000; i++) a = [a];
  return a;
}
