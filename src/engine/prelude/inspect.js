// Text for people: what util.inspect and util.format of Node 20 print with their default options.
//
// The values come from a hostile script, and looking at one must not run any of it: getters are named, not called; a proxy is
// shown as its target; no object is asked for toString, valueOf, instanceof or (as Node would) for what its
// Symbol.for('nodejs.util.inspect.custom') returns. Two exceptions, which find no state to disturb: %j runs toJSON, as
// JSON.stringify does, and a look-alike such as Object.create(Map.prototype) makes a check below throw, of which QuickJS tells
// Error.prepareStackTrace. There are no templates with ${} here: QuickJS makes them calls of String.prototype.concat.
let inspect; // (value) -> string
let format; // (list of arguments) -> string

{ // Everything else is private.
  const DEPTH = 2, DEPTH_OF_O = 4; // %o looks deeper
  const LINE = 80, LINE_MIN = 16; // characters; shorter strings are not broken into lines
  const ITEMS = 100, STRING = 10000; // shown of an array, of a string
  const COMPACT = 3, COLUMNS = 12; // levels of nesting that may share a line; columns of an array
  const OUTPUT = 65536; // characters, about; then "... more"
  const CHAIN = 64; // prototypes, or proxies of proxies, that are followed
  const EXTRAS = 1000; // longer arrays are not searched for named properties: that would list all their indices

  const proxyTarget = host.proxyTarget, promiseState = host.promiseState, promiseResult = host.promiseResult;

  const stringOr = (value, otherwise) => (typeof value === 'string' ? value : otherwise);
  const contains = (text, part) => indexInString(text, part) !== -1;
  const isPrimitive = (value) => value === null || (typeof value !== 'object' && typeof value !== 'function');
  const append = (output, text) => { output[output.length] = text; };

  // ---- reading objects without running script code ----

  // What stands behind any number of proxies. Null if one is revoked (or the nesting is absurd).
  function behind(object) {
    for (let i = 0; i < CHAIN; i++) {
      const target = proxyTarget(object);
      if (target === undefined) return object;
      if (target === null) return null;
      object = target;
    }
    return null;
  }

  const builtins = new SafeMap(); // prototype -> {name, tag, kind}: what the language starts with; see traceKin

  function parent(object) {
    const prototype = ObjectGetPrototypeOf(object);
    return prototype === null || mapHas(builtins, prototype) ? prototype : behind(prototype);
  }

  // The value of an own data property. A descriptor inherits from Object.prototype: ask only for what it owns.
  function own(object, key) {
    const slot = ObjectGetOwnPropertyDescriptor(object, key);
    return slot !== undefined && hasOwn(slot, 'value') ? slot.value : undefined;
  }

  // The value of a property, own or inherited, if that is a string.
  function findString(object, key, otherwise) {
    for (let i = 0; object !== null && i < CHAIN; i++) {
      if (hasOwn(object, key)) return stringOr(own(object, key), otherwise);
      object = parent(object);
    }
    return otherwise;
  }

  // ---- what an object's prototypes say of it ----

  // The name of the class whose instances inherit from `prototype`; undefined if `constructor` does not lead back to it.
  function className(prototype) {
    const maker = own(prototype, 'constructor');
    const constructor = typeof maker === 'function' ? behind(maker) : null;
    if (constructor === null || own(constructor, 'prototype') !== prototype) return undefined;
    return findString(constructor, 'name', '') || undefined;
  }

  // name: of the nearest class; tag: the nearest Symbol.toStringTag; kind: who shows instances of the nearest built-in class.
  function traceKin(prototype) {
    let name, tag, builtin, link = behind(prototype);
    for (let i = 0; link !== null && i < CHAIN; i++) {
      builtin = mapGet(builtins, link);
      if (builtin !== undefined) break;
      if (tag === undefined && hasOwn(link, SymbolToStringTag)) tag = stringOr(own(link, SymbolToStringTag), '');
      if (name === undefined) name = className(link);
      link = parent(link);
    }
    builtin ??= { name: 'Object <Complex prototype>', tag: '', kind: undefined };
    return { name: name ?? builtin.name, tag: tag ?? builtin.tag, kind: builtin.kind };
  }

  function kinOf(state, value) {
    const prototype = ObjectGetPrototypeOf(value);
    const builtin = mapGet(builtins, prototype);
    if (builtin !== undefined) return builtin;
    const known = (state.kin ??= new SafeMap());
    if (!mapHas(known, prototype)) mapSet(known, prototype, traceKin(prototype));
    return mapGet(known, prototype);
  }

  // An enumerable tag is listed among the properties, so it is not worth saying twice.
  const ownTag = (value) => (isEnumerable(value, SymbolToStringTag) ? '' : stringOr(own(value, SymbolToStringTag), ''));

  // "Foo(2) [Map]", "[Object: null prototype]": what stands before the brace.
  const title = (about, usual, size = '') =>
    (about.name === null ? '[' + usual + size + ': null prototype]' : about.name + size) + tagAfter(about, usual);
  const tagAfter = (about, usual = '') =>
    (about.tag === '' || about.tag === (about.name ?? usual) ? '' : ' [' + about.tag + ']');

  // ---- primitives ----

  // With the u flag a surrogate matches only if it stands alone.
  const unprintable = /[\x00-\x1f\\\x7f-\x9f\ud800-\udfff]/gu;
  const unprintableOrQuote = /[\x00-\x1f'\\\x7f-\x9f\ud800-\udfff]/gu;
  const shortEscapes = { __proto__: null, '\b': 'b', '\t': 't', '\n': 'n', '\f': 'f', '\r': 'r', "'": "'", '\\': '\\' };
  const hex = (number) => padStart(numberText(number, 16), 2, '0');

  function escapeOf(unit) {
    const code = codeAt(unit, 0);
    return '\\' + (shortEscapes[unit] ?? (code < 256 ? 'x' + upperCase(hex(code)) : 'u' + hex(code)));
  }

  function escaped(text, pattern) {
    pattern.lastIndex = 0;
    let match = execRegExp(pattern, text), last = 0;
    if (match === null) return text;
    const parts = list(); // not a string that grows: QuickJS would copy it each time
    for (; match !== null; match = execRegExp(pattern, text)) {
      append(parts, sliceString(text, last, match.index) + escapeOf(match[0]));
      last = pattern.lastIndex;
    }
    return joinArray(parts, '') + sliceString(text, last);
  }

  function quoted(text) {
    if (!contains(text, "'")) return "'" + escaped(text, unprintable) + "'";
    if (!contains(text, '"')) return '"' + escaped(text, unprintable) + '"';
    if (!contains(text, '`') && !contains(text, '${')) return '`' + escaped(text, unprintable) + '`';
    return "'" + escaped(text, unprintableOrQuote) + "'";
  }

  // Each line with its newline.
  function lines(text) {
    const out = list();
    for (let start = 0, end; start < text.length; start = end) {
      end = indexInString(text, '\n', start) + 1 || text.length;
      append(out, sliceString(text, start, end));
    }
    return out;
  }

  const plural = (count, what) => count + ' ' + what + (count > 1 ? 's' : '');

  function showString(text, indent) {
    const trailer = text.length > STRING ? '... ' + plural(text.length - STRING, 'more character') : '';
    if (trailer !== '') text = sliceString(text, 0, STRING);
    if (text.length <= LINE_MIN || text.length <= LINE - indent - 4) return quoted(text) + trailer;
    const parts = lines(text);
    for (let i = 0; i < parts.length; i++) parts[i] = quoted(parts[i]);
    return joinArray(parts, ' +\n' + repeatString(' ', indent + 2)) + trailer;
  }

  function showPrimitive(value, indent) {
    switch (typeof value) {
      case 'string': return showString(value, indent);
      case 'number': return value === 0 && 1 / value < 0 ? '-0' : '' + value;
      case 'bigint': return value + 'n';
      case 'symbol': return symbolText(value);
      default: return '' + value;
    }
  }

  // ---- what an object holds besides its properties: (state, value, depth, output) appends it ----

  const moreItems = (count) => '... ' + plural(count, 'more item');
  const unknownItems = (state, value, depth, output) => append(output, '<items unknown>');

  // Asked before each entry. True, and says so in the output, once everything allowed has been written.
  function full(state, output) {
    state.left -= state.indent + 1;
    if (state.left <= 0) append(output, '... more');
    return state.left <= 0;
  }

  const indexed = (lengthOf) => (state, value, depth, output) => {
    const length = lengthOf(value);
    for (let i = 0; i < length && i < ITEMS && !full(state, output); i++) {
      const slot = ObjectGetOwnPropertyDescriptor(value, i);
      if (slot === undefined) return sparseItems(state, value, depth, output, i);
      append(output, showSlot(state, slot, depth));
    }
    if (length > ITEMS) append(output, moreItems(length - ITEMS));
  };
  const arrayItems = indexed((array) => array.length);
  const typedArrayItems = indexed(typedArrayLength);

  // Goes on at the first hole. Object.keys lists indices first, in ascending order.
  function sparseItems(state, value, depth, output, index) {
    const keys = listKeys(state, value, ObjectKeys);
    for (let i = index; i < keys.length && isIndex(keys[i]) && output.length < ITEMS && !full(state, output); i++) {
      if (+keys[i] > index) append(output, '<' + plural(+keys[i] - index, 'empty item') + '>');
      index = +keys[i];
      if (output.length === ITEMS) break;
      append(output, showSlot(state, ObjectGetOwnPropertyDescriptor(value, keys[i]), depth));
      index++;
    }
    const rest = value.length - index;
    if (rest > 0) append(output, output.length < ITEMS ? '<' + plural(rest, 'empty item') + '>' : moreItems(rest));
  }

  const iterated = (sizeOf, iterate, next, show) => (state, value, depth, output) => {
    const iterator = iterate(value), size = sizeOf(value);
    for (let i = 0; i < size && i < ITEMS && !full(state, output); i++) {
      append(output, show(state, next(iterator).value, depth));
    }
    if (size > ITEMS) append(output, moreItems(size - ITEMS));
  };
  const setItems = iterated(setSize, setValues, nextOfSet, (state, value, depth) => showValue(state, value, depth));
  const mapItems = iterated(mapSize, mapEntries, nextOfMap, (state, entry, depth) =>
    showValue(state, entry[0], depth) + ' => ' + showValue(state, entry[1], depth));

  function promiseItems(state, value, depth, output) {
    const settled = promiseState(value);
    if (settled === 0) return append(output, '<pending>');
    append(output, (settled === 2 ? '<rejected> ' : '') + showValue(state, promiseResult(value), depth));
  }

  const bufferItems = (byteLength) => (state, value, depth, output) => {
    const length = byteLength(value), shown = MathMin(length, ITEMS), digits = list();
    try {
      const bytes = new SafeUint8Array(value, 0, shown);
      for (let i = 0; i < shown; i++) append(digits, hex(bytes[i]));
      if (length > shown) append(digits, '... ' + plural(length - shown, 'more byte'));
      append(output, '[Uint8Contents]: <' + joinArray(digits, ' ') + '>');
    } catch {
      append(output, '(detached)');
    }
    append(output, 'byteLength: ' + length);
  };

  function dataViewItems(state, value, depth, output) {
    append(output, 'byteLength: ' + dataViewLength(value));
    append(output, 'byteOffset: ' + dataViewOffset(value));
    append(output, 'buffer: ' + showValue(state, dataViewBuffer(value), depth));
  }

  // ---- errors ----

  // A data property in V8; what a getter of Error.prototype finds inside the error in QuickJS.
  const innerStack = ObjectGetOwnPropertyDescriptor(Error.prototype, 'stack')?.get ?? (() => '');
  const stackOf = (error) => stringOr(hasOwn(error, 'stack') ? own(error, 'stack') : apply(innerStack, error, list()), '');

  // Where the lines "    at f (script.js:3:5)" begin, -1 if there are none. The message may look like one.
  function framesAt(stack, message) {
    if (sliceString(stack, 0, 7) === '    at ') return 0;
    const at = indexInString(stack, message);
    return indexInString(stack, '\n    at ', at === -1 ? 0 : at + message.length);
  }

  // An instance of class ValidationError whose name is still "Error" is headed by the class, as in Node.
  function relabelled(head, name, about) {
    const label = title(about, 'Error'), after = sliceString(head, name.length, name.length + 1);
    const regular = sliceString(name, -5) === 'Error' && indexInString(head, name) === 0 && contains(':\n', after);
    if (label === name || !regular) return head;
    return (contains(label, name) ? label : label + ' [' + name + ']') + sliceString(head, name.length);
  }

  // Without the lines of the prelude's own functions, as Node leaves out its internals. Empty if there are no others.
  function scriptLines(frames) {
    const all = lines(frames), kept = list();
    for (let i = 0; i < all.length; i++) if (!contains(all[i], '<prelude>:')) append(kept, all[i]);
    return joinArray(kept, '');
  }

  // V8 begins the stack with "name: message"; QuickJS has only the frames there.
  function errorText(error, about) {
    const name = findString(error, 'name', 'Error'), message = findString(error, 'message', '');
    const stack = stackOf(error), at = framesAt(stack, message);
    let head = at === -1 ? stack : sliceString(stack, 0, at);
    if (head === '') head = name === '' || message === '' ? name + message : name + ': ' + message;
    head = relabelled(head, name, about);
    const frames = at === -1 ? '' : scriptLines(sliceString(stack, at === 0 ? 0 : at + 1));
    if (frames === '') return '[' + head + ']';
    return head + '\n' + (codeAt(frames, frames.length - 1) === 10 ? sliceString(frames, 0, -1) : frames);
  }

  const indented = (text, indent) => (indent === 0 ? text : joinArray(lines(text), repeatString(' ', indent)));

  // Not what the text says already; but the cause and the errors, which are not enumerable.
  function errorKeys(state, error, text) {
    const usual = visibleKeys(state, error), keys = list();
    for (let i = 0; i < usual.length; i++) {
      const key = usual[i];
      const said = key === 'name' || key === 'message' || key === 'stack' ? own(error, key) : undefined;
      if (typeof said !== 'string' || !contains(text, said)) append(keys, key);
    }
    if (!state.hidden && hasOwn(error, 'cause') && !isEnumerable(error, 'cause')) append(keys, 'cause');
    if (!state.hidden && hasOwn(error, 'errors') && !isEnumerable(error, 'errors')) append(keys, 'errors');
    return keys;
  }

  // ---- the shape of an object ----

  // base: text before the brace; open: up to and including the bracket or brace; items: see above, null if there are none;
  // keys: the properties to show, null for the usual ones.
  const shapeOf = (base, open, items, keys) => ({ base, open, items, keys });
  const holding = (about, usual, items) => shapeOf('', title(about, usual) + ' {', items, null);
  const counted = (about, usual, size, items) =>
    shapeOf('', title(about, usual, '(' + size + ')') + ' {', size > 0 ? items : null, null);
  const literal = (about, usual, text) =>
    shapeOf(title(about, usual) === usual ? text : title(about, usual) + ' ' + text, '{', null, null);
  const closing = (shape) => (shape.open[shape.open.length - 1] === '[' ? ']' : '}');

  const boxed = (name, unbox) => (state, value, about) => {
    const primitive = unbox(value);
    const who = about.name === name ? name : name + ' (' + about.name + ')';
    const keys = typeof primitive === 'string' ? namedKeys(state, value, primitive.length) : null;
    return shapeOf('[' + who + ': ' + showPrimitive(primitive, state.indent) + ']' + tagAfter(about), '{', null, keys);
  };

  // The shape of an object with internal state, which only a call that throws without it can tell.
  const branded = (name, check, items) => (state, value, about) => {
    check(value, builtins);
    return holding(about, name, items);
  };

  // By the built-in class an object inherits from. Throws if the object is not one of them, but only inherits.
  const kinds = {
    __proto__: null,
    Map: (state, value, about) => counted(about, 'Map', mapSize(value), mapItems),
    Set: (state, value, about) => counted(about, 'Set', setSize(value), setItems),
    TypedArray(state, value, about) {
      const size = typedArrayLength(value);
      about.tag = typedArrayName(value);
      const open = title(about, about.tag, '(' + size + ')') + ' [';
      return shapeOf('', open, size > 0 ? typedArrayItems : null, namedKeys(state, value, size));
    },
    ArrayBuffer: branded('ArrayBuffer', arrayBufferLength, bufferItems(arrayBufferLength)),
    SharedArrayBuffer: branded('SharedArrayBuffer', sharedBufferLength, bufferItems(sharedBufferLength)),
    DataView: branded('DataView', dataViewBuffer, dataViewItems),
    WeakMap: branded('WeakMap', weakMapHas, unknownItems),
    WeakSet: branded('WeakSet', weakSetHas, unknownItems),
    Promise: (state, value, about) => holding(about, 'Promise', promiseState(value) >= 0 ? promiseItems : null),
    Date: (state, value, about) => literal(about, 'Date', dateTime(value) === dateTime(value) ? dateISO(value) : 'Invalid Date'),
    RegExp: (state, value, about) => literal(about, 'RegExp', regExpText(value)),
    Number: boxed('Number', numberValue),
    String: boxed('String', stringValue),
    Boolean: boxed('Boolean', booleanValue),
    Symbol: boxed('Symbol', symbolValue),
    BigInt: boxed('BigInt', bigIntValue),
    Error(state, value, about) {
      const text = errorText(value, about);
      return shapeOf(indented(text, state.indent), '{', null, errorKeys(state, value, text));
    },
  };

  // A class's prototype cannot be replaced. That is true of built-in and frozen functions too, so look at the source as well.
  function isClass(state, fn) {
    const slot = ObjectGetOwnPropertyDescriptor(fn, 'prototype');
    if (slot === undefined || !hasOwn(slot, 'writable') || slot.writable) return false;
    const source = functionText(fn);
    charge(state, source.length);
    return sliceString(source, 0, 5) === 'class';
  }

  function classBase(fn, about) {
    const base = '[class ' + (stringOr(own(fn, 'name'), '') || '(anonymous)');
    if (about.name === null) return base + ' extends [null prototype]]';
    const kin = (about.name === 'Function' ? '' : ' [' + about.name + ']') + tagAfter(about);
    const parentName = findString(parent(fn), 'name', '');
    return base + kin + (parentName === '' ? ']' : ' extends ' + parentName + ']');
  }

  function functionBase(fn, about) {
    const name = findString(fn, 'name', '');
    const type = sliceString(about.tag, -8) === 'Function' ? about.tag : 'Function'; // AsyncFunction, GeneratorFunction...
    const orphan = about.name === null ? ' (null prototype)' : '';
    const base = '[' + type + orphan + (name === '' ? ' (anonymous)]' : ': ' + name + ']');
    return base + (about.name === type || about.name === null ? '' : ' ' + about.name) + tagAfter(about);
  }

  function arrayShape(state, value, about) {
    const prefix = about.name === 'Array' && about.tag === '' ? '' : title(about, 'Array', '(' + value.length + ')') + ' ';
    return shapeOf('', prefix + '[', value.length > 0 ? arrayItems : null, namedKeys(state, value, value.length));
  }

  // Object.prototype.toString knows, but reads a tag first. Few objects have an iterator of their own, so that is asked first.
  const isArguments = (value) => hasOwn(value, SymbolIterator) && !hasOwn(value, SymbolToStringTag) &&
    !hasOwn(ObjectPrototype, SymbolToStringTag) && ObjectGetPrototypeOf(value) === ObjectPrototype &&
    objectText(value) === '[object Arguments]';

  function plainShape(value, about) {
    if (about.name !== 'Object' || about.tag !== '') return holding(about, basicName(value, about), null);
    return shapeOf('', isArguments(value) ? '[Arguments] {' : '{', null, null);
  }

  // What to call an object without a prototype. A module's namespace has none and is told by its tag.
  function basicName(value, about) {
    if (typeof value === 'function') return 'Function';
    return isArray(value) ? 'Array' : about.tag === 'Module' ? 'Module' : 'Object';
  }

  function lookAt(state, value, about, kind) {
    if (typeof value === 'function') {
      return shapeOf(isClass(state, value) ? classBase(value, about) : functionBase(value, about), '{', null, null);
    }
    if (isArray(value)) return arrayShape(state, value, about);
    try {
      if (kind !== undefined) return kind(state, value, about);
    } catch {} // it inherits from a built-in class without being one of it
    return plainShape(value, about);
  }

  // ---- properties ----

  function isIndex(key) {
    const index = +key >>> 0;
    return index !== 0xffffffff && '' + index === key;
  }

  // What takes time is paid for even if little comes of it: a huge object in a thousand places must not be listed in each.
  function charge(state, work) {
    state.left -= MathMin(work >>> 4, OUTPUT / 8);
  }

  function listKeys(state, value, lister) {
    const keys = lister(value);
    charge(state, keys.length);
    return keys;
  }

  const listNames = (state, value) => listKeys(state, value, state.hidden ? ReflectOwnKeys : ObjectKeys);

  // The enumerable ones, strings first; for %o all. No more than can be shown.
  function visibleKeys(state, value, names = listNames(state, value), start = 0) {
    const symbols = state.hidden ? list() : listKeys(state, value, ObjectGetOwnPropertySymbols);
    if (start === 0 && symbols.length === 0) return names;
    const keys = list();
    for (let i = start; i < names.length && i - start < OUTPUT / 4; i++) append(keys, names[i]);
    for (let i = 0; i < symbols.length; i++) {
      if (isEnumerable(value, symbols[i])) append(keys, symbols[i]);
    }
    return keys;
  }

  // Without the indices, which come first.
  function namedKeys(state, value, length) {
    if (length > EXTRAS) return list();
    const names = listNames(state, value);
    let start = names.length;
    while (start > 0 && (typeof names[start - 1] === 'symbol' || !isIndex(names[start - 1]))) start--;
    return visibleKeys(state, value, names, start);
  }

  const identifier = /^[a-zA-Z_][a-zA-Z_0-9]*$/;

  function showKey(key, slot) {
    if (typeof key === 'symbol') return '[' + escaped(symbolText(key), unprintableOrQuote) + ']';
    if (key === '__proto__') return "['__proto__']";
    if (!slot.enumerable) return '[' + escaped(key, unprintableOrQuote) + ']';
    return execRegExp(identifier, key) !== null ? key : quoted(key);
  }

  function showSlot(state, slot, depth) {
    if (hasOwn(slot, 'value')) return showValue(state, slot.value, depth);
    if (slot.get !== undefined) return spend(state, slot.set !== undefined ? '[Getter/Setter]' : '[Getter]');
    return spend(state, slot.set !== undefined ? '[Setter]' : 'undefined');
  }

  function showProperty(state, value, key, depth) {
    const slot = ObjectGetOwnPropertyDescriptor(value, key);
    return spend(state, showKey(key, slot)) + ': ' + showSlot(state, slot, depth);
  }

  // ---- layout ----

  function allNumeric(value, count) {
    for (let i = 0; i < count; i++) {
      const item = own(value, i);
      if (typeof item !== 'number' && typeof item !== 'bigint') return false;
    }
    return true;
  }

  // How many columns make entries of these lengths a rectangle that looks square: Node's groupArrayElements.
  function columnCount(output, count, indent) {
    let total = 0, longest = 0;
    for (let i = 0; i < count; i++) {
      total += output[i].length + 2;
      longest = MathMax(longest, output[i].length);
    }
    const cell = longest + 2;
    if (cell * 3 + indent >= LINE || (total / cell <= 5 && longest > 6)) return 1;
    const width = MathMax(cell - 3 - MathSqrt(cell - total / output.length), 1);
    return MathMin(MathRound(MathSqrt(2.5 * width * count) / width), MathFloor((LINE - indent) / cell), COLUMNS);
  }

  function inColumns(state, output, value) {
    const count = MathMin(output.length, ITEMS); // one more says how many more there are
    const columns = columnCount(output, count, state.indent);
    if (columns <= 1) return output;
    const widths = list(), rows = list();
    for (let i = 0; i < count; i++) widths[i % columns] = MathMax(widths[i % columns] ?? 0, output[i].length + 2);
    const pad = allNumeric(value, output.length) ? padStart : padEnd;
    for (let i = 0; i < count; i += columns) {
      const last = MathMin(i + columns, count) - 1;
      let row = '';
      for (let j = i; j < last; j++) row += pad(output[j] + ', ', widths[j - i]);
      append(rows, row + (pad === padStart ? padStart(output[last], widths[last - i] - 2) : output[last]));
    }
    if (count < output.length) append(rows, output[count]);
    return rows;
  }

  function fitsLine(state, output, shape) {
    let length = 2 * output.length + state.indent + shape.open.length + shape.base.length + 10;
    for (let i = 0; i < output.length && length <= LINE; i++) length += output[i].length;
    return length <= LINE && !contains(shape.base, '\n');
  }

  function layOut(state, output, shape, depth, value) {
    const rows = closing(shape) === ']' && output.length > 6 ? inColumns(state, output, value) : output;
    const head = shape.base === '' ? shape.open : shape.base + ' ' + shape.open;
    if (state.deepest - depth < COMPACT && rows.length === output.length && fitsLine(state, output, shape)) {
      const line = joinArray(output, ', ');
      if (!contains(line, '\n')) return head + ' ' + line + ' ' + closing(shape);
    }
    const newline = '\n' + repeatString(' ', state.indent);
    return head + newline + '  ' + joinArray(rows, ',' + newline + '  ') + newline + closing(shape);
  }

  // ---- one value ----

  // depth: how deep to look; hidden: at all properties; left: characters that may still be written; open: the objects around
  // this one; circles: those found again inside themselves, with their numbers; deepest: depth of the object opened last;
  // kin: what kinOf found.
  const newState = (depth, hidden) =>
    ({ depth, hidden, left: OUTPUT, indent: 0, open: list(), circles: null, deepest: 0, kin: null });

  function spend(state, text) {
    state.left -= text.length + 2;
    return text;
  }

  function circular(state, object) {
    const circles = (state.circles ??= new SafeMap());
    if (!mapHas(circles, object)) mapSet(circles, object, mapSize(circles) + 1);
    return '[Circular *' + mapGet(circles, object) + ']';
  }

  function showContents(state, value, depth, shape, keys) {
    const output = list();
    append(state.open, value);
    state.deepest = depth;
    state.indent += 2;
    if (shape.items !== null) shape.items(state, value, depth, output);
    for (let i = 0; i < keys.length && !full(state, output); i++) append(output, showProperty(state, value, keys[i], depth));
    state.indent -= 2;
    state.open.length--;
    return output;
  }

  function showObject(state, value, depth) {
    const kin = kinOf(state, value);
    const about = { name: kin.name, tag: hasOwn(value, SymbolToStringTag) ? ownTag(value) : kin.tag };
    const shape = lookAt(state, value, about, kin.kind);
    const keys = shape.keys ?? visibleKeys(state, value);
    if (keys.length === 0 && shape.items === null) return spend(state, shape.base || shape.open + closing(shape));
    if (depth > state.depth) {
      const name = title(about, basicName(value, about));
      return spend(state, about.name === null ? name : '[' + name + ']');
    }
    state.left -= shape.base.length + shape.open.length + 2;
    const output = showContents(state, value, depth + 1, shape, keys);
    if (state.circles !== null && mapHas(state.circles, value)) {
      shape.base = '<ref *' + mapGet(state.circles, value) + (shape.base === '' ? '>' : '> ' + shape.base);
    }
    return layOut(state, output, shape, depth + 1, value);
  }

  function showValue(state, value, depth) {
    if (isPrimitive(value)) return spend(state, showPrimitive(value, state.indent));
    const object = behind(value);
    if (object === null) return spend(state, '<Revoked Proxy>');
    if (includesItem(state.open, object)) return spend(state, circular(state, object));
    const opened = state.open.length, indent = state.indent;
    try {
      return showObject(state, object, depth);
    } catch { // memory or stack ran out, or a module's namespace has a binding without a value yet
      state.open.length = opened;
      state.indent = indent;
      return spend(state, '<inspection failed>');
    }
  }

  const clipped = (text) => (text.length > OUTPUT ? sliceString(text, 0, OUTPUT) + '... more' : text);
  const show = (value, depth, hidden) =>
    clipped(isPrimitive(value) ? showPrimitive(value, 0) : showValue(newState(depth, hidden), value, 0));

  inspect = (value) => show(value, DEPTH, false);

  // ---- format ----

  function failureOfJSON(value) {
    try { JSONStringify(value); } catch (error) { return error; }
    return undefined;
  }
  const circle = {};
  circle.circle = circle;
  const circleMessage = lines(failureOfJSON(circle).message)[0]; // V8 goes on with where the circle is

  function showJSON(value) {
    try {
      return '' + JSONStringify(value);
    } catch (thrown) {
      const error = isPrimitive(thrown) ? null : behind(thrown);
      return lines(findString(error, 'message', ''))[0] === circleMessage ? '[Circular]' : '<inspection failed>';
    }
  }

  // An object is no number here: asking it would run its valueOf.
  const numeric = (convert) => (value) =>
    (typeof value === 'symbol' || !isPrimitive(value) ? 'NaN' : showPrimitive(convert(value), 0));

  const directives = {
    __proto__: null,
    s(value) {
      if (typeof value === 'string') return value;
      return typeof value === 'function' ? functionText(value) : show(value, 0, false);
    },
    d: numeric((value) => (typeof value === 'bigint' ? value : +value)),
    i: numeric((value) => (typeof value === 'bigint' ? value : NumberParseInt(value))),
    f: numeric(NumberParseFloat),
    j: showJSON,
    O: inspect,
    o: (value) => show(value, DEPTH_OF_O, true),
    c: () => '', // CSS
  };

  // Appends the first argument, its directives replaced. How many arguments that took.
  function interpolate(args, parts) {
    const first = args[0];
    let used = 1, last = 0, left = OUTPUT;
    for (let at = indexInString(first, '%'); at !== -1 && at + 1 < first.length; at = indexInString(first, '%', at + 2)) {
      const letter = first[at + 1], directive = used < args.length ? directives[letter] : undefined;
      if (left < 0 || (letter !== '%' && directive === undefined)) continue;
      const shown = letter === '%' ? '%' : directive(args[used++]);
      append(parts, sliceString(first, last, at) + shown);
      left -= shown.length + 1;
      last = at + 2;
    }
    append(parts, sliceString(first, last));
    return used;
  }

  format = (args) => {
    if (args.length === 0) return '';
    if (args.length === 1) return typeof args[0] === 'string' ? args[0] : inspect(args[0]);
    const parts = list();
    let left = OUTPUT;
    for (let i = typeof args[0] === 'string' ? interpolate(args, parts) : 0; i < args.length && left > 0; i++) {
      const shown = typeof args[i] === 'string' ? args[i] : inspect(args[i]);
      append(parts, i === 0 ? shown : ' ' + shown);
      left -= shown.length + 1;
    }
    return clipped(joinArray(parts, ''));
  };

  // ---- what the language starts with ----

  function learn(prototype, name) {
    let kind;
    for (let link = prototype; link !== null && kind === undefined; link = ObjectGetPrototypeOf(link)) {
      kind = kinds[own(link, 'constructor')?.name];
    }
    mapSet(builtins, prototype, { name, tag: stringOr(own(prototype, SymbolToStringTag), ''), kind });
  }

  mapSet(builtins, null, { name: null, tag: '', kind: undefined }); // an object without a prototype
  ReflectOwnKeys(globalThis).forEach((key) => {
    const maker = own(globalThis, key);
    const prototype = typeof maker === 'function' ? own(maker, 'prototype') : null;
    if (!isPrimitive(prototype) && own(prototype, 'constructor') === maker) learn(prototype, maker.name);
  });
  [async () => {}, function* () {}, async function* () {}].forEach((fn) => {
    const prototype = ObjectGetPrototypeOf(fn);
    learn(prototype, prototype.constructor.name);
  });
}
