// what: an object that holds itself
// expect: failed output_invalid
// error: circular
function main() {
  const o = { list: [] };
  o.list.push(o);
  return o;
}
