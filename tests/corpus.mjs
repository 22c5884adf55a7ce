// The headers of the scripts in hostile/ (hostile.test.mjs says what stands in them).
export function readHeader(source) {
  const header = { log: [] };
  for (const line of source.split('\n')) {
    const match = /^\/\/ ([a-z-]+): (.*)$/.exec(line);
    if (match === null) break;
    if (match[1] === 'log') header.log.push(match[2]);
    else header[match[1]] = match[2];
  }
  return header;
}

export function optionsOf(header) {
  const options = header.options ?? '';
  const args = options.startsWith('[') ? JSON.parse(options) : options.split(' ').filter((part) => part !== '');
  if (header.input !== undefined) args.push('--input', header.input);
  return args.includes('--timeout') ? args : [...args, '--timeout', '10'];
}

export function expectedOutcomes(expect) {
  let kind;
  return expect.split('|').map((each) => {
    const words = each.split(' ');
    if (words.length > 1 || words[0] === 'completed') [kind] = words;
    return words.length > 1 || kind === words[0] ? each : `${kind} ${each}`;
  });
}
