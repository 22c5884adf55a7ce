// A tight loop of 32-bit integer work.
function main(input) {
  let x = input.seed | 0;
  for (let i = 0; i < input.steps; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    x = (x + i) | 0;
  }
  return { x };
}
