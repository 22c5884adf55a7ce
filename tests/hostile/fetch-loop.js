// what: one request after another, for ever: the 21st is refused, wherever the others ended
// expect: completed
// output: {"refused":"fetch_too_many"}
async function main() {
  let refused;
  for (let i = 0; i < 30; i++) await fetch('https://example.com/' + i).catch((error) => { refused = error.code; });
  return { refused };
}
