// What the host calls: describe, toOutput and sortKeys (engine.c). They run beside the script's leftovers, so nothing here looks
// anything up on a live object but the value it was given.
const stringify = JSON.stringify, parse = JSON.parse;
const indexOf = uncurry(String.prototype.indexOf), lastIndexOf = uncurry(String.prototype.lastIndexOf);
const charCodeAt = uncurry(String.prototype.charCodeAt);

function attempt(read) {
  try { return read(); } catch { return undefined; }
}

const text = (value) => (typeof value === 'string' ? toWellFormed(slice(value, 0, 16384)) : '');

// "name: message" of whatever was thrown.
function errorText(thrown) {
  if (typeof thrown !== 'object' || thrown === null) return text(attempt(() => (typeof thrown === 'symbol' ? inspect(thrown) : toStringOf(thrown))));
  const name = attempt(() => thrown.name), message = attempt(() => thrown.message);
  if (typeof name === 'string' && typeof message === 'string') return text(name === '' ? message : message === '' ? name : name + ': ' + message);
  return text(attempt(() => inspect(thrown))) || 'an error that cannot be described';
}

// Line and column from the topmost frame: "    at f (script.js:3:5)" or "    at script.js:3:5".
function position(stack, record) {
  const end = indexOf(stack, '\n');
  let line = end < 0 ? stack : slice(stack, 0, end);
  if (charCodeAt(line, line.length - 1) === 41) line = slice(line, 0, line.length - 1);
  const second = lastIndexOf(line, ':');
  const first = lastIndexOf(line, ':', second - 1);
  if (first < 0 || second < 0) return;
  record.line = +slice(line, first + 1, second) | 0;
  record.column = +slice(line, second + 1) | 0;
}

// A stack trace without the prelude's own frames.
function scriptFrames(stack) {
  let out = '';
  for (let from = 0; from < stack.length;) {
    let end = indexOf(stack, '\n', from);
    if (end < 0) end = stack.length;
    const line = slice(stack, from, end);
    if (line !== '' && indexOf(line, '<prelude>:') < 0) out += (out === '' ? '' : '\n') + line;
    from = end + 1;
  }
  return out;
}

function describe(thrown) {
  const record = { __proto__: null, error: errorText(thrown), stack: '', line: 0, column: 0 };
  if (typeof thrown === 'object' && thrown !== null) record.stack = scriptFrames(text(attempt(() => thrown.stack)));
  position(record.stack, record);
  return record;
}

// The result as JSON text: what JSON makes an object is the output, anything else is wrapped as {"result": …}.
function toOutput(value) {
  if (value === undefined || value === null) return '{}';
  const json = stringify(value);
  if (json === undefined) throw new TypeErrorOf('a ' + typeof value + ' cannot be written as JSON');
  return charCodeAt(json, 0) === 123 ? json : '{"result":' + json + '}';
}

// The same JSON with every object's keys in the order of RFC 8785 §3.2.3 (UTF-16 code units, which is how strings compare).
function sorted(value) {
  if (typeof value !== 'object' || value === null) return stringify(value);
  let out = '';
  if (isArray(value)) {
    for (let i = 0; i < value.length; i++) out += (i === 0 ? '' : ',') + sorted(value[i]);
    return '[' + out + ']';
  }
  const keys = sortArray(ObjectKeys(value));
  for (let i = 0; i < keys.length; i++) out += (i === 0 ? '' : ',') + stringify(keys[i]) + ':' + sorted(value[keys[i]]);
  return '{' + out + '}';
}
const sortKeys = (json) => sorted(parse(json));

return { __proto__: null, describe, toOutput, sortKeys };
