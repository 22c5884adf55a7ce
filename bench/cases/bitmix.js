// A tight loop of 32-bit integer work: xorshift and a multiply per step.
function main(input) {
  let x = input.seed | 0;
  let sum = 0;
  for (let i = 0; i < input.steps; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    sum = (Math.imul(sum, 31) + (x ^ i)) | 0;
  }
  return { x, sum };
}
