// what: each squaring takes four times as long as the one before
// options: --timeout 0.3
// expect: failed execution_error|timeout
function main() {
  let x = 3n;
  for (let i = 0; i < 40; i++) x = x * x;
  return `${x}`.length;
}
