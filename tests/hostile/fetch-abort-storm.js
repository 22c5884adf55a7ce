// what: signals of signals, aborted from their own listeners, before and after the request
// expect: completed
// output: {"names":["AbortError","AbortError","AbortError"]}
async function main() {
  const names = [];
  for (let i = 0; i < 3; i++) {
    const controller = new AbortController();
    let signal = controller.signal;
    for (let j = 0; j < 50; j++) signal = AbortSignal.any([signal, controller.signal]);
    signal.onabort = () => { for (let j = 0; j < 100; j++) controller.abort(); };
    const answer = fetch('https://example.com/', { signal });
    controller.abort();
    await answer.catch((error) => names.push(error.name));
  }
  return { names };
}
