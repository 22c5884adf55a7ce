// Greets, and proves what it said with a hash. Start here.
//   neocompute run examples/hello.js --input examples/hello.input.json

function main(input) {
  const name = input.name ?? 'world';
  if (typeof name !== 'string' || name.trim() === '') throw new Error('name must be a non-empty string');

  const greeting = `Hello, ${name.trim()}!`;
  console.log('greeting of', greeting.length, 'characters');
  return { greeting, sha256: crypto.sha256(greeting) };
}
