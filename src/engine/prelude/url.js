// URLSearchParams and URL.prototype.searchParams (https://url.spec.whatwg.org/). url.so has a URLSearchParams too, but one that
// is made from strings only, stops its iterators at what was there in the beginning and takes any bytes for UTF-8: replaced.

// ---- application/x-www-form-urlencoded (§5): text to bytes, bytes to bytes, bytes to text ----

const encodeText = uncurry(TextEncoder.prototype.encode), decodeText = uncurry(TextDecoder.prototype.decode);
const utf8Encoder = new TextEncoder(), utf8Decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const PLUS = 43, PERCENT = 37, QUESTION = 63, SPACE = 32;

function hexDigit(byte) {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

const firstBytes = (bytes, length) => decodeText(utf8Decoder, new SafeUint8Array(typedArrayBuffer(bytes), 0, length));

function formDecoded(text) {
  if (indexInString(text, '%') < 0 && indexInString(text, '+') < 0) return text;
  const bytes = encodeText(utf8Encoder, text), end = typedArrayLength(bytes), out = new SafeUint8Array(end);
  let length = 0;
  for (let i = 0; i < end; i++) {
    let byte = bytes[i];
    if (byte === PERCENT && i + 2 < end && hexDigit(bytes[i + 1]) >= 0 && hexDigit(bytes[i + 2]) >= 0) {
      byte = hexDigit(bytes[i + 1]) * 16 + hexDigit(bytes[i + 2]);
      i += 2;
    } else if (byte === PLUS) byte = SPACE;
    out[length++] = byte;
  }
  return firstBytes(out, length);
}

const unescaped = list(); // by byte: letters, digits and *-._ stand for themselves
for (let i = 0; i < 256; i++) unescaped[i] = /[\w*.-]/.test(String.fromCharCode(i));
const hexDigits = encodeText(utf8Encoder, '0123456789ABCDEF');

function formEncoded(text) {
  const bytes = encodeText(utf8Encoder, text), end = typedArrayLength(bytes), out = new SafeUint8Array(3 * end);
  let length = 0;
  for (let i = 0; i < end; i++) {
    const byte = bytes[i];
    if (unescaped[byte]) out[length++] = byte;
    else if (byte === SPACE) out[length++] = PLUS;
    else {
      out[length++] = PERCENT;
      out[length++] = hexDigits[byte >> 4];
      out[length++] = hexDigits[byte & 15];
    }
  }
  return firstBytes(out, length);
}

// Appends what a query says, without its question mark.
function parseQuery(pairs, query) {
  for (let from = 0, end; from < query.length; from = end + 1) {
    end = indexInString(query, '&', from);
    if (end < 0) end = query.length;
    if (end === from) continue;
    let equals = indexInString(query, '=', from);
    if (equals < 0 || equals > end) equals = end;
    addPair(pairs, formDecoded(sliceString(query, from, equals)), formDecoded(sliceString(query, equals + 1, end)));
  }
}

function serializeQuery(pairs) {
  const parts = list();
  for (let i = 0; i < pairs.length; i++) {
    parts[i] = formEncoded(pairs[i].name) + '=' + formEncoded(pairs[i].value);
  }
  return joinArray(parts, '&');
}

// ---- the list of pairs, always the same object: iterators and the URL hold it too ----

const addPair = (pairs, name, value) => { pairs[pairs.length] = { name, value }; };
const isObject = (value) => value !== null && (typeof value === 'object' || typeof value === 'function');

// Web IDL's USVString. toWellFormed makes a string of all but these two, and throws for a symbol.
const usvString = (value) => toWellFormed(value === undefined || value === null ? '' + value : value);

function needArguments(given, needed) {
  if (given < needed) throw new TypeErrorOf(needed + (needed > 1 ? ' arguments are' : ' argument is') + ' required');
}

// Here `for…of` is what is asked for: the script's own iterables, iterated in its own way.
function addSequence(pairs, sequence) {
  for (const pair of sequence) {
    const strings = list();
    if (!isObject(pair)) throw new TypeErrorOf('each query pair must be an iterable of a name and a value');
    for (const string of pair) strings[strings.length] = usvString(string);
    if (strings.length !== 2) throw new TypeErrorOf('each query pair must have a name and a value');
    addPair(pairs, strings[0], strings[1]);
  }
}

function addRecord(pairs, record) {
  const keys = ReflectOwnKeys(record), seen = new SafeMap(); // two keys may become one name
  for (let i = 0; i < keys.length; i++) {
    const slot = ObjectGetOwnPropertyDescriptor(record, keys[i]);
    if (slot === undefined || !slot.enumerable) continue;
    const name = usvString(keys[i]), value = usvString(record[keys[i]]);
    if (mapHas(seen, name)) {
      mapGet(seen, name).value = value;
      continue;
    }
    addPair(pairs, name, value);
    mapSet(seen, name, pairs[pairs.length - 1]);
  }
}

// Keeps the pairs the test is true of, in their order.
function keepPairs(pairs, test) {
  let kept = 0;
  for (let i = 0; i < pairs.length; i++) {
    const pair = pairs[i];
    if (test(pair)) pairs[kept++] = pair;
  }
  pairs.length = kept;
}

// ---- the objects ----

const pairParts = { __proto__: null, keys: (pair) => pair.name, values: (pair) => pair.value,
  entries: (pair) => [pair.name, pair.value] };

class URLSearchParamsIterator {
  #pairs; #part;
  #at = 0;
  constructor(pairs, part) {
    this.#pairs = pairs;
    this.#part = part;
  }
  next() {
    if (this.#at >= this.#pairs.length) return { value: undefined, done: true };
    return { value: this.#part(this.#pairs[this.#at++]), done: false };
  }
}

let pairsOf, bindToURL; // what only the class can do

// A `this` without the private fields throws a TypeError, as it should.
class URLSearchParams {
  #pairs = list();
  #url = null; // whose query this is

  constructor(init = undefined) {
    if (init === undefined || init === null) return; // null: as in Node
    if (isObject(init)) {
      const iterate = init[SymbolIterator];
      if (iterate === undefined || iterate === null) addRecord(this.#pairs, init);
      else addSequence(this.#pairs, init);
      return;
    }
    const query = usvString(init);
    parseQuery(this.#pairs, codeAt(query, 0) === QUESTION ? sliceString(query, 1) : query);
  }

  #changed() {
    if (this.#url !== null) writeSearch(this.#url, serializeQuery(this.#pairs));
  }

  get size() { return this.#pairs.length; }

  append(name, value) {
    const pairs = this.#pairs;
    needArguments(arguments.length, 2);
    addPair(pairs, usvString(name), usvString(value));
    this.#changed();
  }

  delete(name, value = undefined) {
    const pairs = this.#pairs;
    needArguments(arguments.length, 1);
    name = usvString(name);
    if (value !== undefined) value = usvString(value);
    keepPairs(pairs, (pair) => pair.name !== name || (value !== undefined && pair.value !== value));
    this.#changed();
  }

  get(name) {
    const pairs = this.#pairs;
    needArguments(arguments.length, 1);
    name = usvString(name);
    for (let i = 0; i < pairs.length; i++) if (pairs[i].name === name) return pairs[i].value;
    return null;
  }

  getAll(name) {
    const pairs = this.#pairs, values = list();
    needArguments(arguments.length, 1);
    name = usvString(name);
    for (let i = 0; i < pairs.length; i++) if (pairs[i].name === name) values[values.length] = pairs[i].value;
    return ObjectSetPrototypeOf(values, ArrayPrototype);
  }

  has(name, value = undefined) {
    const pairs = this.#pairs;
    needArguments(arguments.length, 1);
    name = usvString(name);
    if (value !== undefined) value = usvString(value);
    for (let i = 0; i < pairs.length; i++) {
      if (pairs[i].name === name && (value === undefined || pairs[i].value === value)) return true;
    }
    return false;
  }

  set(name, value) {
    const pairs = this.#pairs;
    needArguments(arguments.length, 2);
    name = usvString(name);
    value = usvString(value);
    let first = null;
    keepPairs(pairs, (pair) => pair.name !== name || (first === null && (first = pair) === pair));
    if (first === null) addPair(pairs, name, value);
    else first.value = value;
    this.#changed();
  }

  sort() {
    sortArray(this.#pairs, (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    this.#changed();
  }

  entries() { return new URLSearchParamsIterator(this.#pairs, pairParts.entries); }
  forEach(callback, thisArg = undefined) {
    const pairs = this.#pairs;
    if (typeof callback !== 'function') throw new TypeErrorOf('the callback must be a function');
    for (let i = 0; i < pairs.length; i++) apply(callback, thisArg, [pairs[i].value, pairs[i].name, this]);
  }
  keys() { return new URLSearchParamsIterator(this.#pairs, pairParts.keys); }
  values() { return new URLSearchParamsIterator(this.#pairs, pairParts.values); }
  toString() { return serializeQuery(this.#pairs); }

  static {
    pairsOf = (params) => params.#pairs;
    bindToURL = (params, url) => { params.#url = url; };
  }
}

// A class hides its methods, Web IDL shows them.
function showMethods(prototype) {
  ObjectKeys(Object.getOwnPropertyDescriptors(prototype)).forEach((name) => {
    if (name !== 'constructor') ObjectDefineProperty(prototype, name, { __proto__: null, enumerable: true });
  });
}
const tagged = (object, tag) =>
  ObjectDefineProperty(object, SymbolToStringTag, { __proto__: null, value: tag, configurable: true });

showMethods(URLSearchParams.prototype);
showMethods(URLSearchParamsIterator.prototype);
ObjectDefineProperty(URLSearchParams.prototype, SymbolIterator,
  { __proto__: null, value: URLSearchParams.prototype.entries, writable: true, configurable: true });
delete URLSearchParamsIterator.prototype.constructor; // a script cannot make one
ObjectSetPrototypeOf(URLSearchParamsIterator.prototype, ObjectGetPrototypeOf(ObjectGetPrototypeOf([].values())));
tagged(URLSearchParamsIterator.prototype, 'URLSearchParams Iterator');
global('URLSearchParams', URLSearchParams);

// ---- URL.prototype.searchParams: the parameters and the URL they belong to follow each other's changes ----

const SafeWeakMap = WeakMap, weakGet = uncurry(WeakMap.prototype.get), weakSet = uncurry(WeakMap.prototype.set);
const searchOf = ObjectGetOwnPropertyDescriptor(URL.prototype, 'search');
const readSearch = uncurry(searchOf.get), writeSearch = uncurry(searchOf.set);
const paramsOfURL = new SafeWeakMap();

ObjectDefineProperty(URL.prototype, 'searchParams', { __proto__: null, enumerable: true, configurable: true, set: undefined,
  get() {
    let params = weakGet(paramsOfURL, this);
    if (params === undefined) {
      params = new URLSearchParams(readSearch(this));
      bindToURL(params, this);
      weakSet(paramsOfURL, this, params);
    }
    return params;
  } });

// After the URL's query changed: the same parameters object, new contents.
function refill(url) {
  const params = weakGet(paramsOfURL, url);
  if (params === undefined) return;
  const pairs = pairsOf(params);
  pairs.length = 0;
  parseQuery(pairs, sliceString(readSearch(url), 1));
}

['search', 'href'].forEach((name) => {
  const property = ObjectGetOwnPropertyDescriptor(URL.prototype, name), write = uncurry(property.set);
  property.set = function (value) { write(this, value); refill(this); };
  ObjectDefineProperty(URL.prototype, name, property);
});

// ---- what else the platform's objects lack ----

[[URL.prototype, 'URL'], [URLSearchParams.prototype, 'URLSearchParams'], [TextEncoder.prototype, 'TextEncoder'],
  [TextDecoder.prototype, 'TextDecoder'], [performance, 'Performance'], [crypto, 'Crypto'], [console, 'console'],
].forEach((pair) => tagged(pair[0], pair[1]));

['atob', 'btoa'].forEach((name) => {
  const convert = globalThis[name];
  const checked = { [name](data) {
    needArguments(arguments.length, 1);
    return convert(data);
  } }[name];
  ObjectDefineProperty(globalThis, name, { __proto__: null, value: checked });
});
