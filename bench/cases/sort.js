// Calls from native code into a script: a sort with a comparator.
function main(input) {
  const numbers = [];
  let x = input.seed >>> 0;
  for (let i = 0; i < input.count; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    numbers.push(x);
  }
  numbers.sort((a, b) => a - b);
  return { first: numbers[0], middle: numbers[numbers.length >> 1], last: numbers[numbers.length - 1] };
}
