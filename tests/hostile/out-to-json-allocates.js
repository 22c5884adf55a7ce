// what: toJSON of each element repeats a long string
// options: --memory 64 --timeout 5
// expect: failed output_too_large|out_of_memory
function main() {
  const text = 'x'.repeat(1e5);
  return new Array(300).fill({ toJSON: () => text });
}
