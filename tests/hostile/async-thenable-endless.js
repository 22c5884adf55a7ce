// what: a thenable that resolves with another one, for ever
// options: --timeout 0.3
// expect: failed timeout
async function main() {
  const thenable = { then(resolve) { resolve({ then: thenable.then }); } };
  return thenable;
}
