// A string built by appends, then scanned by a regular expression.
function main(input) {
  let text = '';
  for (let i = 0; i < input.appends; i++) text += String.fromCharCode(97 + (i % 26));
  return { length: text.length, matches: text.match(/xyz[a-c]+/g).length };
}
