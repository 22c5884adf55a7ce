// A string built by appends, then scanned by a regular expression.
function main(input) {
  let text = '';
  for (let i = 0; i < input.appends; i++) text += String.fromCharCode(97 + ((i * 7 + (i >> 3)) % 26));
  const word = /[aeiou][^aeiou]+([aeiou])/g;
  let matches = 0;
  let longest = '';
  for (let match = word.exec(text); match !== null; match = word.exec(text)) {
    matches++;
    if (match[0].length > longest.length) longest = match[0];
  }
  return { length: text.length, matches, longest };
}
