// Headers, Request, Response and fetch (https://fetch.spec.whatwg.org/), without streams: a body is there as a whole.
const URL_MAX_LENGTH = 8192, HEADERS_MAX = 16384, BODY_MAX = 1048576, FETCHES_MAX = 20;
const FetchPromise = Promise, SafeURL = URL, parseJSON = JSON.parse;
const urlHref = getter(URL.prototype, 'href'), urlProtocol = getter(URL.prototype, 'protocol');
const urlUsername = getter(URL.prototype, 'username'), urlPassword = getter(URL.prototype, 'password');
const lowerCase = uncurry(String.prototype.toLowerCase), sliceTyped = uncurry(TypedArray.prototype.slice);
const paramsText = uncurry(URLSearchParams.prototype.toString);
const bodyDecoder = new TextDecoder();

// A promise of what `make` returns or throws.
const promised = (make) => new FetchPromise((resolve, reject) => {
  try { resolve(make()); } catch (thrown) { reject(thrown); }
});

// ---- Headers ----

const isTokenByte = list();
for (let i = 0; i < 256; i++) isTokenByte[i] = /[!#$%&'*+\-.^_`|~\w]/.test(String.fromCharCode(i));
const isSpaceByte = (c) => c === 9 || c === 10 || c === 13 || c === 32;

function headerName(name) {
  name = toStringOf(name);
  for (let i = 0; i < name.length; i++) {
    if (codeAt(name, i) > 255 || !isTokenByte[codeAt(name, i)]) throw new TypeErrorOf('not a header name: ' + toWellFormed(name));
  }
  if (name === '') throw new TypeErrorOf('a header name cannot be empty');
  return lowerCase(name);
}

function headerValue(value) {
  value = toStringOf(value);
  let from = 0, end = value.length;
  while (from < end && isSpaceByte(codeAt(value, from))) from++;
  while (end > from && isSpaceByte(codeAt(value, end - 1))) end--;
  value = sliceString(value, from, end);
  for (let i = 0; i < value.length; i++) {
    const c = codeAt(value, i);
    if (c > 255 || c === 0 || c === 10 || c === 13) throw new TypeErrorOf('a header value may hold no such character');
  }
  return value;
}

class HeadersIterator {
  #headers; #part;
  #at = 0;
  constructor(headers, part) {
    this.#headers = headers;
    this.#part = part;
  }
  next() {
    const pairs = sortedHeaders(this.#headers); // as it is now
    if (this.#at >= pairs.length) return { value: undefined, done: true };
    return { value: this.#part(pairs[this.#at++]), done: false };
  }
}

var headerList;

class Headers {
  #list = list(); // names in lower case, in the order they came
  constructor(init = undefined) {
    if (init === undefined) return;
    if (!isObject(init)) throw new TypeErrorOf('Headers are made from an object');
    if (#list in init) {
      for (let i = 0; i < init.#list.length; i++) addPair(this.#list, init.#list[i].name, init.#list[i].value);
      return;
    }
    const pairs = list(), iterate = init[SymbolIterator];
    if (iterate === undefined || iterate === null) addFields(pairs, init);
    else addPairsOf(pairs, init);
    for (let i = 0; i < pairs.length; i++) addPair(this.#list, headerName(pairs[i].name), headerValue(pairs[i].value));
  }
  append(name, value) {
    const fields = this.#list;
    needArguments(arguments.length, 2);
    addPair(fields, headerName(name), headerValue(value));
  }
  delete(name) {
    const fields = this.#list;
    needArguments(arguments.length, 1);
    name = headerName(name);
    keepPairs(fields, (field) => field.name !== name);
  }
  get(name) {
    const fields = this.#list;
    needArguments(arguments.length, 1);
    return joined(fields, headerName(name));
  }
  getSetCookie() {
    const fields = this.#list, values = list();
    for (let i = 0; i < fields.length; i++) if (fields[i].name === 'set-cookie') values[values.length] = fields[i].value;
    return ObjectSetPrototypeOf(values, ArrayPrototype);
  }
  has(name) {
    const fields = this.#list;
    needArguments(arguments.length, 1);
    return joined(fields, headerName(name)) !== null;
  }
  set(name, value) {
    const fields = this.#list;
    needArguments(arguments.length, 2);
    name = headerName(name);
    value = headerValue(value);
    let first = null;
    keepPairs(fields, (field) => field.name !== name || (first === null && (first = field) === field));
    if (first === null) addPair(fields, name, value);
    else first.value = value;
  }
  entries() { return new HeadersIterator(this.#list, pairParts.entries); }
  keys() { return new HeadersIterator(this.#list, pairParts.keys); }
  values() { return new HeadersIterator(this.#list, pairParts.values); }
  forEach(callback, thisArg = undefined) {
    const fields = this.#list;
    if (typeof callback !== 'function') throw new TypeErrorOf('the callback must be a function');
    for (let i = 0, pairs; i < (pairs = sortedHeaders(fields)).length; i++) apply(callback, thisArg, [pairs[i].value, pairs[i].name, this]);
  }
  static { headerList = (headers) => headers.#list; }
}

function addFields(pairs, record) {
  const keys = ReflectOwnKeys(record);
  for (let i = 0; i < keys.length; i++) {
    const slot = ObjectGetOwnPropertyDescriptor(record, keys[i]);
    if (slot !== undefined && slot.enumerable) addPair(pairs, toStringOf(keys[i]), toStringOf(record[keys[i]]));
  }
}

function addPairsOf(pairs, sequence) {
  for (const pair of sequence) {
    const strings = list();
    if (!isObject(pair)) throw new TypeErrorOf('each header must be an iterable of a name and a value');
    for (const string of pair) strings[strings.length] = toStringOf(string);
    if (strings.length !== 2) throw new TypeErrorOf('each header must have a name and a value');
    addPair(pairs, strings[0], strings[1]);
  }
}

function joined(fields, name) {
  let value = null;
  for (let i = 0; i < fields.length; i++) {
    if (fields[i].name === name) value = value === null ? fields[i].value : value + ', ' + fields[i].value;
  }
  return value;
}

// "Sort and combine": by name, one of each, but for set-cookie.
function sortedHeaders(fields) {
  const names = list(), pairs = list();
  for (let i = 0; i < fields.length; i++) {
    let known = false;
    for (let k = 0; k < names.length && !known; k++) known = names[k] === fields[i].name;
    if (!known) names[names.length] = fields[i].name;
  }
  sortArray(names);
  for (let i = 0; i < names.length; i++) {
    if (names[i] !== 'set-cookie') {
      addPair(pairs, names[i], joined(fields, names[i]));
      continue;
    }
    for (let k = 0; k < fields.length; k++) if (fields[k].name === 'set-cookie') addPair(pairs, 'set-cookie', fields[k].value);
  }
  return pairs;
}

// ---- bodies ----

// What a body is made of: bytes, and the type that goes with them.
function extractBody(body) {
  if (body === null || body === undefined) return { __proto__: null, bytes: null, type: null };
  if (isObject(body)) {
    const kind = typedArrayName(body);
    if (kind !== undefined) {
      const view = new SafeUint8Array(typedArrayBuffer(body), typedArrayByteOffset(body), typedArrayByteLength(body));
      return { __proto__: null, bytes: sliceTyped(view), type: null };
    }
    const length = attempt(() => arrayBufferLength(body));
    if (length !== undefined) return { __proto__: null, bytes: sliceTyped(new SafeUint8Array(body)), type: null };
    const view = attempt(() => new SafeUint8Array(dataViewBuffer(body), dataViewOffset(body), dataViewLength(body)));
    if (view !== undefined) return { __proto__: null, bytes: sliceTyped(view), type: null };
    const query = attempt(() => paramsText(body));
    if (query !== undefined) {
      return { __proto__: null, bytes: encodeText(utf8Encoder, query), type: 'application/x-www-form-urlencoded;charset=UTF-8' };
    }
  }
  return { __proto__: null, bytes: encodeText(utf8Encoder, toWellFormed(toStringOf(body))), type: 'text/plain;charset=UTF-8' };
}

class Body {
  #bytes = null; #used = false;
  #take() {
    if (this.#used) throw new TypeErrorOf('Body is unusable: it has been read already');
    const bytes = this.#bytes;
    this.#used = bytes !== null;
    return bytes === null ? new SafeUint8Array(0) : bytes;
  }
  get body() { return null; } // no streams
  get bodyUsed() { return this.#used; }
  arrayBuffer() { return promised(() => typedArrayBuffer(this.#take())); }
  bytes() { return promised(() => this.#take()); }
  text() { return promised(() => decodeText(bodyDecoder, this.#take())); }
  json() { return promised(() => parseJSON(decodeText(bodyDecoder, this.#take()))); }
  static {
    setBody = (object, bytes) => { object.#bytes = bytes; };
    peekBody = (object) => {
      if (object.#used) throw new TypeErrorOf('Body is unusable: it has been read already');
      return object.#bytes;
    };
  }
}
var setBody, peekBody;

const defaultType = (headers, type) => {
  if (type !== null && joined(headerList(headers), 'content-type') === null) addPair(headerList(headers), 'content-type', type);
};

// ---- Request ----

const NORMAL_METHODS = { __proto__: null, DELETE: 1, GET: 1, HEAD: 1, OPTIONS: 1, POST: 1, PUT: 1 };
const REDIRECTS = { __proto__: null, follow: 0, error: 1, manual: 2 };

function requestMethod(value) {
  const method = toStringOf(value), upper = upperCase(method);
  headerName(method); // both are tokens
  if (upper === 'CONNECT' || upper === 'TRACE' || upper === 'TRACK') throw new TypeErrorOf("'" + method + "' HTTP method is unsupported.");
  return NORMAL_METHODS[upper] === 1 ? upper : method;
}

function requestURL(input) {
  let url;
  try { url = new SafeURL(toStringOf(input)); } catch { throw new TypeErrorOf('Failed to parse URL from ' + toWellFormed(toStringOf(input))); }
  if (urlUsername(url) !== '' || urlPassword(url) !== '') throw new TypeErrorOf('a request URL cannot hold credentials');
  return urlHref(url);
}

var requestParts;

class Request extends Body {
  #method = 'GET'; #url; #headers; #redirect = 'follow'; #signal;
  constructor(input, init = undefined) {
    super();
    needArguments(arguments.length, 1);
    if (init === undefined || init === null) init = { __proto__: null };
    if (!isObject(init)) throw new TypeErrorOf('a request is made with an object');
    const from = isObject(input) && #url in input ? input : null;
    let bytes = null;
    if (from === null) {
      this.#url = requestURL(input);
      this.#headers = new Headers();
    } else {
      this.#url = from.#url;
      this.#method = from.#method;
      this.#redirect = from.#redirect;
      this.#headers = new Headers(from.#headers);
      bytes = init.body === undefined ? peekBody(from) : null;
      if (bytes !== null) bytes = sliceTyped(bytes);
    }
    if (init.method !== undefined) this.#method = requestMethod(init.method);
    if (init.headers !== undefined) this.#headers = new Headers(init.headers);
    if (init.redirect !== undefined) {
      this.#redirect = toStringOf(init.redirect);
      if (REDIRECTS[this.#redirect] === undefined) throw new TypeErrorOf('redirect is follow, error or manual');
    }
    const signal = init.signal === undefined ? (from === null ? null : from.#signal) : init.signal;
    this.#signal = signal === null ? newSignal() : followed(signal);
    const body = init.body;
    if (body !== undefined && body !== null) {
      const made = extractBody(body);
      bytes = made.bytes;
      defaultType(this.#headers, made.type);
    }
    if (bytes !== null && (this.#method === 'GET' || this.#method === 'HEAD')) {
      throw new TypeErrorOf('Request with GET/HEAD method cannot have body.');
    }
    setBody(this, bytes);
  }
  get method() { return this.#method; }
  get url() { return this.#url; }
  get headers() { return this.#headers; }
  get redirect() { return this.#redirect; }
  get signal() { return this.#signal; }
  clone() { return new Request(this); }
  static {
    requestParts = (request) => ({ __proto__: null, method: request.#method, url: request.#url, headers: headerList(request.#headers),
      redirect: REDIRECTS[request.#redirect], signal: request.#signal, bytes: peekBody(request) });
  }
}

function followed(source) {
  const signal = newSignal();
  let aborted;
  try { aborted = signalAborted(source); } catch { throw new TypeErrorOf('signal must be an AbortSignal'); }
  if (aborted) abortSignal(signal, signalReason(source));
  else onSignalAbort(source, () => abortSignal(signal, signalReason(source)));
  return signal;
}

// ---- Response ----

const NULL_BODY = { __proto__: null, 101: 1, 103: 1, 204: 1, 205: 1, 304: 1 };
const REDIRECT_STATUS = { __proto__: null, 301: 1, 302: 1, 303: 1, 307: 1, 308: 1 };
var receivedResponse;

class Response extends Body {
  #status = 200; #statusText = ''; #headers; #url = ''; #redirected = false; #type = 'default';
  constructor(body = null, init = undefined) {
    super();
    if (init === undefined || init === null) init = { __proto__: null };
    if (!isObject(init)) throw new TypeErrorOf('a response is made with an object');
    if (init.status !== undefined) {
      this.#status = trunc(toNumber(init.status));
      if (!(this.#status >= 200 && this.#status <= 599)) throw new RangeErrorOf('init["status"] must be in the range of 200 to 599, inclusive.');
    }
    if (init.statusText !== undefined) this.#statusText = headerValue(init.statusText);
    this.#headers = new Headers(init.headers);
    if (body === null || body === undefined) return;
    if (NULL_BODY[this.#status] === 1) throw new TypeErrorOf('Response with null body status cannot have body');
    const made = extractBody(body);
    setBody(this, made.bytes);
    defaultType(this.#headers, made.type);
  }
  get status() { return this.#status; }
  get ok() { return this.#status >= 200 && this.#status <= 299; }
  get statusText() { return this.#statusText; }
  get headers() { return this.#headers; }
  get url() { return this.#url; }
  get redirected() { return this.#redirected; }
  get type() { return this.#type; }
  clone() {
    const bytes = peekBody(this), copy = new Response();
    copy.#status = this.#status;
    copy.#statusText = this.#statusText;
    copy.#headers = new Headers(this.#headers);
    copy.#url = this.#url;
    copy.#redirected = this.#redirected;
    copy.#type = this.#type;
    setBody(copy, bytes === null ? null : sliceTyped(bytes));
    return copy;
  }
  static error() {
    const response = new Response();
    response.#status = 0;
    response.#type = 'error';
    return response;
  }
  static json(data, init = undefined) {
    const text = JSONStringify(data);
    if (text === undefined) throw new TypeErrorOf('the value cannot be written as JSON');
    const response = new Response(text, init);
    const given = isObject(init) && init.headers !== undefined && joined(headerList(new Headers(init.headers)), 'content-type') !== null;
    if (!given) response.#headers.set('content-type', 'application/json');
    return response;
  }
  static redirect(url, status = 302) {
    const response = new Response(), target = requestURL(url);
    if (REDIRECT_STATUS[status] !== 1) throw new RangeErrorOf('Invalid status code ' + toStringOf(status));
    response.#status = status;
    addPair(headerList(response.#headers), 'location', target);
    return response;
  }
  static {
    receivedResponse = (status, url, redirected, fields, bytes) => {
      const response = new Response();
      response.#status = status;
      response.#url = url;
      response.#redirected = redirected;
      response.#type = 'basic';
      for (let i = 0; i < fields.length; i++) addPair(headerList(response.#headers), fields[i].name, fields[i].value);
      setBody(response, NULL_BODY[status] === 1 ? null : bytes);
      return response;
    };
  }
}

// ---- fetch ----

const underWay = list(); // by number
let fetchesMade = 0;

// The host names its reasons: `code` is one of docs/openapi.yaml's.
function fetchError(code, sentence) {
  const error = new TypeErrorOf('fetch failed: ' + sentence + ' (' + code + ')');
  ObjectDefineProperty(error, 'code', { __proto__: null, value: code, writable: true, enumerable: true, configurable: true });
  return error;
}

function fieldLines(fields) {
  let lines = '';
  for (let i = 0; i < fields.length; i++) lines += fields[i].name + '\n' + fields[i].value + '\n';
  return lines;
}

function readLines(lines) {
  const fields = list();
  for (let from = 0; from < lines.length;) {
    const middle = indexInString(lines, '\n', from), end = indexInString(lines, '\n', middle + 1);
    addPair(fields, sliceString(lines, from, middle), sliceString(lines, middle + 1, end));
    from = end + 1;
  }
  return fields;
}

function withoutFragment(url) {
  const at = indexInString(url, '#');
  return at < 0 ? url : sliceString(url, 0, at);
}

function sendFetch(request, resolve, reject) {
  const parts = requestParts(request), url = withoutFragment(parts.url), lines = fieldLines(parts.headers);
  if (signalAborted(parts.signal)) return reject(signalReason(parts.signal));
  if (urlProtocol(new SafeURL(url)) !== 'https:' && urlProtocol(new SafeURL(url)) !== 'http:') {
    return reject(fetchError('fetch_invalid', 'only http and https are spoken here'));
  }
  if (url.length > URL_MAX_LENGTH) return reject(fetchError('fetch_invalid', 'the URL is longer than 8192 bytes'));
  if (lines.length > HEADERS_MAX - 8 * parts.headers.length) return reject(fetchError('fetch_headers_too_large', 'the headers exceed maximum size of 16384 bytes'));
  if (parts.bytes !== null && typedArrayByteLength(parts.bytes) > BODY_MAX) {
    return reject(fetchError('fetch_body_too_large', "the request's body exceeds maximum size of 1048576 bytes"));
  }
  if (fetchesMade >= FETCHES_MAX) return reject(fetchError('fetch_too_many', 'too many requests (max 20)'));
  const number = host.fetch(parts.method, url, lines, parts.redirect, parts.bytes === null ? undefined : typedArrayBuffer(parts.bytes));
  if (number === 0) return reject(fetchError('fetch_unavailable', 'fetch is not available here'));
  fetchesMade = number;
  underWay[number] = { __proto__: null, resolve, reject };
  onSignalAbort(parts.signal, () => {
    if (underWay[number] === undefined) return;
    underWay[number] = undefined;
    host.fetchAbort(number);
    reject(signalReason(parts.signal));
  });
}

// From the host. False if nobody waits for it.
function deliver(number, code, sentence, status, url, redirected, lines, length) {
  const waiting = underWay[number];
  if (waiting === undefined) return false;
  underWay[number] = undefined;
  if (code !== '') {
    waiting.reject(fetchError(code, sentence));
    return true;
  }
  const bytes = new SafeUint8Array(length);
  host.fetchBody(typedArrayBuffer(bytes));
  waiting.resolve(receivedResponse(status, url, redirected, readLines(lines), bytes));
  return true;
}

timerMethod('fetch', function (input, init = undefined) {
  const given = arguments.length;
  return new FetchPromise((resolve, reject) => {
    needArguments(given, 1);
    sendFetch(new Request(input, init), resolve, reject);
  });
});

[[Headers, 'Headers'], [Request, 'Request'], [Response, 'Response']].forEach((pair) => {
  showMethods(pair[0].prototype);
  tagged(pair[0].prototype, pair[1]);
  global(pair[1], pair[0]);
});
// The methods of a body are each class's own, as in Web IDL's mixin.
[Request, Response].forEach((one) => {
  ReflectOwnKeys(Body.prototype).forEach((name) => {
    if (name === 'constructor') return;
    ObjectDefineProperty(one.prototype, name, ObjectGetOwnPropertyDescriptor(Body.prototype, name));
    ObjectDefineProperty(one.prototype, name, { __proto__: null, enumerable: true });
  });
  ObjectSetPrototypeOf(one.prototype, ObjectPrototype);
});
showMethods(HeadersIterator.prototype);
delete HeadersIterator.prototype.constructor;
ObjectSetPrototypeOf(HeadersIterator.prototype, ObjectGetPrototypeOf(ObjectGetPrototypeOf([].values())));
tagged(HeadersIterator.prototype, 'Headers Iterator');
ObjectDefineProperty(Headers.prototype, SymbolIterator,
  { __proto__: null, value: Headers.prototype.entries, writable: true, configurable: true });
