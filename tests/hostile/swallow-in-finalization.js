// what: a finalizer without end, which is never to run after the result
// options: --timeout 2
// expect: completed|failed timeout
const registry = new FinalizationRegistry(() => { for (;;); });
function main() {
  for (let i = 0; i < 1000; i++) registry.register({ i }, i);
  return { done: true };
}
