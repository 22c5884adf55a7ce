// what: 50,000 bindings of one function
// expect: completed
// output: {"result":["RangeError"]}
function main() {
  let f = function () {};
  for (let i = 0; i < 50000; i++) {
    Object.defineProperty(f, 'name', { value: 0 });
    f = f.bind();
  }
  const attempts = [() => f(), () => ({}) instanceof f, () => Reflect.apply(f, null, [])];
  return [...new Set(attempts.map((attempt) => { try { return typeof attempt(); } catch (error) { return error.name; } }))];
}
