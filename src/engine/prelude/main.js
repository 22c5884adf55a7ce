// What the host calls: describe, toOutput and sortKeys (engine.c). They run beside the script's leftovers, so nothing here looks
// anything up on a live object but the value it was given.
const stringify = JSON.stringify, parse = JSON.parse;
const indexOf = uncurry(String.prototype.indexOf);
const charCodeAt = uncurry(String.prototype.charCodeAt);
const parseDecimal = parseInt, SafePromise = Promise;

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

// Line and column of the topmost frame in the script: "    at f (script.js:3:5)" or "    at script.js:3:5".
function position(stack, script, record) {
  const found = indexOf(stack, script + ':');
  if (found < 0) return;
  const line = found + script.length + 1, column = indexOf(stack, ':', line) + 1;
  record.line = parseDecimal(slice(stack, line, line + 10), 10) | 0;
  if (column > 0) record.column = parseDecimal(slice(stack, column, column + 10), 10) | 0;
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

function describe(thrown, script) {
  const record = { __proto__: null, error: errorText(thrown), stack: '', line: 0, column: 0 };
  if (typeof thrown === 'object' && thrown !== null) record.stack = scriptFrames(text(attempt(() => thrown.stack)));
  position(record.stack, script, record);
  return record;
}

// JSON.rawJSON lets a script write numbers in any form (1.0, 1e999). Output of a script that used it is written anew.
let rawUsed = false;
const rawJSON = JSON.rawJSON;
method(JSON, 'rawJSON', (value) => { rawUsed = true; return rawJSON(value); });
ObjectDefineProperty(JSON, 'rawJSON', { __proto__: null, enumerable: false });

// The result as JSON text: what JSON makes an object is the output, anything else is wrapped as {"result": …}. A thenable becomes
// a promise for the host to wait on.
function toOutput(value) {
  if (value === undefined || value === null) return '{}';
  if (typeof value === 'object' && typeof value.then === 'function') return new SafePromise((resolve) => resolve(value));
  let json = stringify(value);
  if (rawUsed && json !== undefined) json = stringify(parse(json));
  if (json === undefined) throw new TypeErrorOf((typeof value === 'object' ? 'a result whose toJSON returns nothing' : 'a ' + typeof value) + ' cannot be written as JSON');
  return charCodeAt(json, 0) === 123 ? json : '{"result":' + json + '}';
}

// The same JSON with every object's keys in the order of RFC 8785 §3.2.3 (UTF-16 code units, which is how strings compare).
// With a stack of its own: JSON may nest deeper than calls can.
function sortKeys(json) {
  let out = '', frame = { __proto__: null, value: parse(json), keys: undefined, next: 0, parent: undefined };
  while (frame !== undefined) {
    const { value } = frame;
    if (typeof value !== 'object' || value === null) {
      out += stringify(value);
      frame = frame.parent;
      continue;
    }
    const array = isArray(value);
    if (frame.next === 0) {
      out += array ? '[' : '{';
      if (!array) frame.keys = sortArray(ObjectKeys(value));
    }
    const i = frame.next++;
    if (i >= (array ? value.length : frame.keys.length)) {
      out += array ? ']' : '}';
      frame = frame.parent;
      continue;
    }
    if (i > 0) out += ',';
    if (!array) out += stringify(frame.keys[i]) + ':';
    frame = { __proto__: null, value: array ? value[i] : value[frame.keys[i]], keys: undefined, next: 0, parent: frame };
  }
  return out;
}

return { __proto__: null, describe, toOutput, sortKeys, tick, deliver };
