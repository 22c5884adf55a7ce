// what: 50,000 keys in descending order
// expect: completed
// output-bytes: 727781
function main() {
  const o = {};
  for (let i = 49999; i >= 0; i--) o[`k${i}`] = i;
  return o;
}
