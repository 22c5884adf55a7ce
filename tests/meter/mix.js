// A little of everything whose cost could depend on the build: floats, regexes, sorting, maps, strings, exceptions, promises.
async function main(input) {
  const out = [];
  for (let i = 0; i < 200; i++) out.push(Math.sin(i) * Math.pow(1.1, i % 40));
  out.sort((a, b) => a - b);
  const words = 'the quick brown fox jumps over the lazy dog '.repeat(50).match(/\b\w+\b/g);
  const counts = new Map();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  let caught = 0;
  for (let i = 0; i < 100; i++) { try { null.x; } catch { caught++; } }
  let sum = 0;
  for await (const value of [1, Promise.resolve(2), 3]) sum += value;
  return { first: out[0], counts: Object.fromEntries(counts), caught, sum, input, big: (2n ** 200n).toString(), random: Math.random(),
    now: Date.now(), text: JSON.stringify({ out }).length, date: new Date(0).toISOString(), url: new URL('http://a/b?c#d').search };
}
