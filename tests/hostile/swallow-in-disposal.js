// what: a stack of disposers, each catching the one before
// options: --timeout 0.3
// expect: failed timeout
function main() {
  const stack = new DisposableStack();
  for (let i = 0; i < 10; i++) stack.defer(() => { for (;;); });
  try { stack.dispose(); } catch { return 'swallowed'; }
}
