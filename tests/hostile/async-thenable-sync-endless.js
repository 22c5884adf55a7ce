// what: … and may never come to an end
// options: --timeout 0.3
// expect: failed timeout
function main() {
  const thenable = { then(resolve) { resolve({ then: thenable.then }); } };
  return thenable;
}
