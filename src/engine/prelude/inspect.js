// Text for people: what util.inspect and util.format of Node 20 print with their default options.
//
// The values come from a hostile script, and looking at one must not run any of it: getters are named and not called, a proxy
// is shown as its target, and nothing asks an object for toString, valueOf, instanceof or Symbol.for('nodejs.util.inspect.custom'),
// which Node honours. Only %j runs script code (toJSON), as JSON.stringify does; and a look-alike (Object.create(Map.prototype))
// makes a check below throw, which QuickJS may tell Error.prepareStackTrace. Neither finds any state to disturb.
let inspect; // (value) -> string
let format; // (list of arguments) -> string

// Everything else is private to this block.
{
  const DEPTH = 2;
  const DEPTH_OF_O = 4; // %o looks deeper
  const LINE = 80;
  const LINE_MIN = 16; // shorter strings are not broken into lines
  const ITEMS = 100;
  const STRING = 10000;
  const COMPACT = 3; // levels of nesting that may share a line
  const COLUMNS = 12;
  const OUTPUT = 65536; // characters, about; then "... more"
  const CHAIN = 64; // prototypes, or proxies of proxies, that are followed
  const EXTRAS = 1000; // longer arrays are not searched for named properties: that would list all their indices
  const MORE = '... more';

  const proxyTarget = host.proxyTarget;
  const promiseState = host.promiseState;
  const promiseResult = host.promiseResult;

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

  // Prototype by prototype, what the language starts with: {name, tag, base, kind} as kinOf has it for any other object.
  const builtins = new SafeMap();

  function parent(object) {
    const prototype = ObjectGetPrototypeOf(object);
    return prototype === null || mapHas(builtins, prototype) ? prototype : behind(prototype);
  }

  // The value of an own data property. A descriptor inherits from Object.prototype: ask only for what it owns.
  function own(object, key) {
    const slot = ObjectGetOwnPropertyDescriptor(object, key);
    return slot !== undefined && hasOwn(slot, 'value') ? slot.value : undefined;
  }

  // The same, inherited or own.
  function find(object, key) {
    for (let i = 0; object !== null && i < CHAIN; i++) {
      if (hasOwn(object, key)) return own(object, key);
      object = parent(object);
    }
    return undefined;
  }

  const stringOr = (value, otherwise) => (typeof value === 'string' ? value : otherwise);

  // ---- what an object's prototypes say of it ----

  // The name of the class whose instances inherit from `prototype`; undefined if `constructor` does not lead back to it.
  function className(prototype) {
    const maker = own(prototype, 'constructor');
    const constructor = typeof maker === 'function' ? behind(maker) : null;
    if (constructor === null || own(constructor, 'prototype') !== prototype) return undefined;
    return stringOr(find(constructor, 'name'), '') || undefined;
  }

  // The name of an object that has prototypes, but none with a class.
  function namelessChain(prototype) {
    if (prototype === null || parent(prototype) !== null) return 'Object <Complex prototype>';
    return ObjectKeys(prototype).length > 0 ? 'Object <[Object: null prototype]>' : 'Object <[Object: null prototype] {}>';
  }

  // name: of the nearest class; tag: the nearest Symbol.toStringTag; base: the nearest built-in class; kind: who shows those.
  function traceKin(prototype) {
    const first = behind(prototype);
    let name, tag, builtin, link = first;
    for (let i = 0; link !== null && i < CHAIN; i++) {
      builtin = mapGet(builtins, link);
      if (builtin !== undefined) break;
      if (tag === undefined && hasOwn(link, SymbolToStringTag)) tag = stringOr(own(link, SymbolToStringTag), '');
      if (name === undefined) name = className(link);
      link = parent(link);
    }
    if (builtin === undefined) return { name: name ?? namelessChain(first), tag: tag ?? '', base: '', kind: undefined };
    return { name: name ?? builtin.name, tag: tag ?? builtin.tag, base: builtin.base, kind: builtin.kind };
  }

  function kinOf(state, value) {
    const prototype = ObjectGetPrototypeOf(value);
    const builtin = mapGet(builtins, prototype);
    if (builtin !== undefined) return builtin;
    if (state.kin === null) state.kin = new SafeMap();
    let kin = mapGet(state.kin, prototype);
    if (kin === undefined) mapSet(state.kin, prototype, (kin = traceKin(prototype)));
    return kin;
  }

  // An enumerable tag is listed among the properties, so it is not worth saying twice.
  function ownTag(value) {
    return isEnumerable(value, SymbolToStringTag) ? '' : stringOr(own(value, SymbolToStringTag), '');
  }

  // "Foo(2) [Map]", "[Object: null prototype]": what stands before the brace.
  function title(about, fallback, size = '') {
    const name = about.name === null ? `[${fallback}${size}: null prototype]` : `${about.name}${size}`;
    return about.tag === '' || about.tag === (about.name ?? fallback) ? name : `${name} [${about.tag}]`;
  }

  const titled = (about, usual, text) => (title(about, usual) === usual ? text : `${title(about, usual)} ${text}`);

  // ---- primitives ----

  // With the u flag a surrogate matches only if it stands alone.
  const unprintable = /[\x00-\x1f\\\x7f-\x9f\ud800-\udfff]/gu;
  const unprintableOrQuote = /[\x00-\x1f'\\\x7f-\x9f\ud800-\udfff]/gu;
  const identifier = /^[a-zA-Z_][a-zA-Z_0-9]*$/;
  const shortEscapes = { __proto__: null, '\b': '\\b', '\t': '\\t', '\n': '\\n', '\f': '\\f', '\r': '\\r', "'": "\\'", '\\': '\\\\' };

  const hex = (number) => padStart(numberText(number, 16), 2, '0');

  function escapeOf(unit) {
    const code = codeAt(unit, 0);
    return shortEscapes[unit] ?? `\\${code < 256 ? 'x' : 'u'}${upperCase(hex(code))}`;
  }

  function escaped(text, pattern) {
    let out = '', last = 0;
    pattern.lastIndex = 0;
    for (let match = execRegExp(pattern, text); match !== null; match = execRegExp(pattern, text)) {
      out += sliceString(text, last, match.index) + escapeOf(match[0]);
      last = pattern.lastIndex;
    }
    return last === 0 ? text : out + sliceString(text, last);
  }

  const contains = (text, part) => indexInString(text, part) !== -1;

  function quoted(text) {
    if (!contains(text, "'")) return `'${escaped(text, unprintable)}'`;
    if (!contains(text, '"')) return `"${escaped(text, unprintable)}"`;
    if (!contains(text, '`') && !contains(text, '${')) return `\`${escaped(text, unprintable)}\``;
    return `'${escaped(text, unprintableOrQuote)}'`;
  }

  // Each line with its newline.
  function lines(text) {
    const out = list();
    let start = 0;
    while (start < text.length) {
      const end = indexInString(text, '\n', start) + 1 || text.length;
      out[out.length] = sliceString(text, start, end);
      start = end;
    }
    return out;
  }

  function showString(text, indent) {
    const rest = text.length - STRING;
    const trailer = rest > 0 ? `... ${rest} more character${rest > 1 ? 's' : ''}` : '';
    if (rest > 0) text = sliceString(text, 0, STRING);
    if (text.length <= LINE_MIN || text.length <= LINE - indent - 4) return quoted(text) + trailer;
    const parts = lines(text);
    for (let i = 0; i < parts.length; i++) parts[i] = quoted(parts[i]);
    return joinArray(parts, ` +\n${repeatString(' ', indent + 2)}`) + trailer;
  }

  function showPrimitive(value, indent) {
    switch (typeof value) {
      case 'string': return showString(value, indent);
      case 'number': return value === 0 && 1 / value < 0 ? '-0' : `${value}`;
      case 'bigint': return `${value}n`;
      case 'symbol': return symbolText(value);
      default: return `${value}`;
    }
  }

  const isPrimitive = (value) => value === null || (typeof value !== 'object' && typeof value !== 'function');

  // ---- built-in objects ----

  // base: text before the brace; open: up to and including the bracket or brace; items: appends what the object holds besides
  // its properties, null if nothing; keys: the properties to show, null for the usual ones.
  const view = (base, open, items, keys) => ({ base, open, items, keys });
  const holding = (about, usual, items) => view('', `${title(about, usual)} {`, items, null);
  const counted = (about, usual, size, items) => view('', `${title(about, usual, `(${size})`)} {`, size > 0 ? items : null, null);
  const unknownItems = (state, value, depth, output) => append(output, '<items unknown>');
  const plural = (count, what) => `${count} ${what}${count > 1 ? 's' : ''}`;
  const moreItems = (count) => `... ${plural(count, 'more item')}`;

  function append(output, text) {
    output[output.length] = text;
  }

  // True, and says so in the output, once everything allowed has been written.
  function full(state, output) {
    if (state.left > 0) return false;
    append(output, MORE);
    return true;
  }

  function arrayItems(state, value, depth, output) {
    const shown = MathMin(value.length, ITEMS);
    for (let i = 0; i < shown; i++) {
      if (full(state, output)) return;
      const slot = ObjectGetOwnPropertyDescriptor(value, i);
      if (slot === undefined) return sparseItems(state, value, depth, output, i);
      append(output, showSlot(state, slot, depth));
    }
    if (value.length > shown) append(output, moreItems(value.length - shown));
  }

  // Goes on where the first hole is. Object.keys lists indices first, in ascending order.
  function sparseItems(state, value, depth, output, index) {
    const keys = listKeys(state, value, ObjectKeys);
    for (let i = index; i < keys.length && isIndex(keys[i]) && output.length < ITEMS; i++) {
      if (full(state, output)) return;
      const at = +keys[i];
      if (at > index) append(output, `<${plural(at - index, 'empty item')}>`);
      index = at;
      if (output.length === ITEMS) break;
      append(output, showSlot(state, ObjectGetOwnPropertyDescriptor(value, keys[i]), depth));
      index++;
    }
    const rest = value.length - index;
    if (rest > 0) append(output, output.length < ITEMS ? `<${plural(rest, 'empty item')}>` : moreItems(rest));
  }

  function typedArrayItems(state, value, depth, output) {
    const length = typedArrayLength(value), shown = MathMin(length, ITEMS);
    for (let i = 0; i < shown; i++) append(output, showValue(state, value[i], depth));
    if (length > shown) append(output, moreItems(length - shown));
  }

  function setItems(state, value, depth, output) {
    const values = setValues(value), size = setSize(value);
    for (let i = 0; i < size && i < ITEMS; i++) {
      if (full(state, output)) return;
      append(output, showValue(state, nextOfSet(values).value, depth));
    }
    if (size > ITEMS) append(output, moreItems(size - ITEMS));
  }

  function mapItems(state, value, depth, output) {
    const entries = mapEntries(value), size = mapSize(value);
    for (let i = 0; i < size && i < ITEMS; i++) {
      if (full(state, output)) return;
      const entry = nextOfMap(entries).value;
      append(output, `${showValue(state, entry[0], depth)} => ${showValue(state, entry[1], depth)}`);
    }
    if (size > ITEMS) append(output, moreItems(size - ITEMS));
  }

  function promiseItems(state, value, depth, output) {
    const settled = promiseState(value);
    if (settled === 0) return append(output, '<pending>');
    append(output, `${settled === 2 ? '<rejected> ' : ''}${showValue(state, promiseResult(value), depth)}`);
  }

  const bufferItems = (byteLength) => (state, value, depth, output) => {
    const length = byteLength(value), shown = MathMin(length, ITEMS), digits = list();
    try {
      const bytes = new SafeUint8Array(value, 0, shown);
      for (let i = 0; i < shown; i++) append(digits, hex(bytes[i]));
      if (length > shown) append(digits, `... ${plural(length - shown, 'more byte')}`);
      append(output, `[Uint8Contents]: <${joinArray(digits, ' ')}>`);
    } catch {
      append(output, '(detached)');
    }
    append(output, `byteLength: ${length}`);
  };

  function dataViewItems(state, value, depth, output) {
    append(output, `byteLength: ${dataViewLength(value)}`);
    append(output, `byteOffset: ${dataViewOffset(value)}`);
    append(output, `buffer: ${showValue(state, dataViewBuffer(value), depth)}`);
  }

  // RegExp.prototype.flags asks the properties, which a script can replace; these getters look inside. In the order of `flags`.
  const flagGetters = list();
  ['hasIndices', 'global', 'ignoreCase', 'multiline', 'dotAll', 'unicode', 'unicodeSets', 'sticky'].forEach((name, i) => {
    if (name in RegExp.prototype) append(flagGetters, { letter: 'dgimsuvy'[i], isSet: getter(RegExp.prototype, name) });
  });

  function regExpText(value) {
    let text = `/${regExpSource(value)}/`;
    for (let i = 0; i < flagGetters.length; i++) {
      if (flagGetters[i].isSet(value)) text += flagGetters[i].letter;
    }
    return text;
  }

  function dateText(value) {
    const time = dateTime(value);
    return time === time ? dateISO(value) : 'Invalid Date';
  }

  const boxed = (name, unbox) => (state, value, about) => {
    const primitive = unbox(value);
    let base = `[${name}${about.name === name ? '' : ` (${about.name})`}: ${showPrimitive(primitive, state.indent)}]`;
    if (about.tag !== '' && about.tag !== about.name) base += ` [${about.tag}]`;
    return view(base, '{', null, typeof primitive === 'string' ? namedKeys(state, value, primitive.length) : null);
  };

  const buffer = (name, byteLength) => (state, value, about) => {
    byteLength(value);
    return holding(about, name, bufferItems(byteLength));
  };

  const iterator = (state, value, about) =>
    view('', `[${about.tag}] {`, about.tag === '' ? null : unknownItems, null);

  // By the built-in class an object inherits from: its view. Throws if it is not one of them, but only inherits.
  const kinds = {
    __proto__: null,
    Map: (state, value, about) => counted(about, 'Map', mapSize(value), mapItems),
    Set: (state, value, about) => counted(about, 'Set', setSize(value), setItems),
    // Reading a Map's iterator would move it on.
    'Map Iterator': iterator,
    'Set Iterator': iterator,
    TypedArray(state, value, about) {
      const size = typedArrayLength(value);
      about.tag = typedArrayName(value);
      const open = `${title(about, about.tag, `(${size})`)} [`;
      return view('', open, size > 0 ? typedArrayItems : null, namedKeys(state, value, size));
    },
    ArrayBuffer: buffer('ArrayBuffer', arrayBufferLength),
    SharedArrayBuffer: buffer('SharedArrayBuffer', sharedBufferLength),
    DataView(state, value, about) {
      dataViewBuffer(value);
      return holding(about, 'DataView', dataViewItems);
    },
    Date: (state, value, about) => view(titled(about, 'Date', dateText(value)), '{', null, null),
    RegExp: (state, value, about) => view(titled(about, 'RegExp', regExpText(value)), '{', null, null),
    Error(state, value, about) {
      const text = errorText(value, about);
      return view(indented(text, state.indent), '{', null, errorKeys(state, value, text));
    },
    Number: boxed('Number', numberValue),
    String: boxed('String', stringValue),
    Boolean: boxed('Boolean', booleanValue),
    Symbol: boxed('Symbol', symbolValue),
    BigInt: boxed('BigInt', bigIntValue),
    Promise: (state, value, about) => (promiseState(value) >= 0 ? holding(about, 'Promise', promiseItems) : plainView(value, about)),
    WeakMap(state, value, about) {
      weakMapHas(value, kinds);
      return holding(about, 'WeakMap', unknownItems);
    },
    WeakSet(state, value, about) {
      weakSetHas(value, kinds);
      return holding(about, 'WeakSet', unknownItems);
    },
  };

  // ---- errors ----

  const nativeStack = ObjectGetOwnPropertyDescriptor(Error.prototype, 'stack')?.get; // QuickJS; V8 has an own data property

  function stackOf(error) {
    for (let link = error, i = 0; link !== null && i < CHAIN; link = parent(link), i++) {
      const slot = ObjectGetOwnPropertyDescriptor(link, 'stack');
      if (slot === undefined) continue;
      if (hasOwn(slot, 'value')) return stringOr(slot.value, '');
      return nativeStack !== undefined && slot.get === nativeStack ? stringOr(apply(nativeStack, error, list()), '') : '';
    }
    return '';
  }

  // Where the lines "    at f (script.js:3:5)" begin, -1 if there are none. The message may look like one.
  function framesAt(stack, message) {
    if (sliceString(stack, 0, 7) === '    at ') return 0;
    const at = indexInString(stack, message);
    return indexInString(stack, '\n    at ', at === -1 ? 0 : at + message.length);
  }

  // An instance of class ValidationError whose name is still "Error" is headed by the class, as in Node.
  function relabelled(head, name, about) {
    const label = title(about, 'Error');
    const end = codeAt(head, name.length); // NaN at the end; else a colon or a newline
    const regular = sliceString(name, -5) === 'Error' && indexInString(head, name) === 0 && (end !== end || end === 58 || end === 10);
    if (!regular || label === name) return head;
    return (contains(label, name) ? label : `${label} [${name}]`) + sliceString(head, name.length);
  }

  // V8 begins the stack with "name: message"; QuickJS has only the frames there.
  function errorText(error, about) {
    const name = stringOr(find(error, 'name'), 'Error'), message = stringOr(find(error, 'message'), '');
    const stack = stackOf(error), at = framesAt(stack, message);
    let head = at === -1 ? stack : sliceString(stack, 0, at);
    if (head === '') head = name === '' || message === '' ? name + message : `${name}: ${message}`;
    head = relabelled(head, name, about);
    if (at === -1) return `[${head}]`;
    const end = codeAt(stack, stack.length - 1) === 10 ? -1 : stack.length;
    return `${head}${at === 0 ? '\n' : ''}${sliceString(stack, at, end)}`;
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
    if (hasOwn(error, 'cause') && !isEnumerable(error, 'cause')) append(keys, 'cause');
    if (hasOwn(error, 'errors') && !isEnumerable(error, 'errors')) append(keys, 'errors');
    return keys;
  }

  // ---- functions, arrays and all the rest ----

  // A class's prototype cannot be replaced. That is true of built-in and frozen functions too, so look at the source as well.
  function isClass(fn, state) {
    const slot = ObjectGetOwnPropertyDescriptor(fn, 'prototype');
    if (slot === undefined || !hasOwn(slot, 'writable') || slot.writable) return false;
    const source = functionText(fn);
    state.left -= source.length >>> 8; // making it took time
    return sliceString(source, 0, 5) === 'class';
  }

  function classBase(fn, about) {
    let base = `class ${stringOr(own(fn, 'name'), '') || '(anonymous)'}`;
    if (about.name !== 'Function' && about.name !== null) base += ` [${about.name}]`;
    if (about.tag !== '' && about.tag !== about.name) base += ` [${about.tag}]`;
    if (about.name === null) return `[${base} extends [null prototype]]`;
    const parentClass = parent(fn);
    const parentName = parentClass === null ? '' : stringOr(find(parentClass, 'name'), '');
    return parentName === '' ? `[${base}]` : `[${base} extends ${parentName}]`;
  }

  function functionBase(fn, about) {
    const name = stringOr(find(fn, 'name'), '');
    const type = about.base || 'Function'; // or AsyncFunction, GeneratorFunction, AsyncGeneratorFunction
    let base = `[${type}${about.name === null ? ' (null prototype)' : ''}${name === '' ? ' (anonymous)' : `: ${name}`}]`;
    if (about.name !== type && about.name !== null) base += ` ${about.name}`;
    return about.tag === '' || about.tag === about.name ? base : `${base} [${about.tag}]`;
  }

  function arrayView(state, value, about) {
    const ordinary = about.name === 'Array' && about.tag === '';
    const open = ordinary ? '[' : `${title(about, 'Array', `(${value.length})`)} [`;
    return view('', open, value.length > 0 ? arrayItems : null, namedKeys(state, value, value.length));
  }

  // Object.prototype.toString knows, but reads a tag first. Few objects have an iterator of their own, so that is asked first.
  function isArguments(value) {
    return hasOwn(value, SymbolIterator) && !hasOwn(value, SymbolToStringTag) && !hasOwn(ObjectPrototype, SymbolToStringTag) &&
      ObjectGetPrototypeOf(value) === ObjectPrototype && objectText(value) === '[object Arguments]';
  }

  function plainView(value, about) {
    if (about.name === 'Object' && about.tag === '') return view('', isArguments(value) ? '[Arguments] {' : '{', null, null);
    return holding(about, fallbackOf(value, about), null);
  }

  // What to call an object without a prototype. A module's namespace has none and is told by its tag.
  function fallbackOf(value, about) {
    if (typeof value === 'function') return 'Function';
    return isArray(value) ? 'Array' : about.tag === 'Module' ? 'Module' : 'Object';
  }

  function viewOf(state, value, about, kind) {
    if (typeof value === 'function') return view((isClass(value, state) ? classBase : functionBase)(value, about), '{', null, null);
    if (isArray(value)) return arrayView(state, value, about);
    if (kind === undefined) return plainView(value, about);
    try {
      return kind(state, value, about);
    } catch {
      return plainView(value, about); // it inherits from a built-in class without being one of it
    }
  }

  // ---- properties ----

  function isIndex(key) {
    const index = +key >>> 0;
    return index !== 0xffffffff && `${index}` === key;
  }

  // Listing takes time even if little comes of it: an object in a thousand places must not be listed in full for each.
  function listKeys(state, value, lister) {
    const keys = lister(value);
    state.left -= keys.length >>> 8;
    return keys;
  }

  // Enumerable ones, strings first; with %o all. No more than can be shown.
  function visibleKeys(state, value, start = 0, names = listKeys(state, value, state.hidden ? ReflectOwnKeys : ObjectKeys)) {
    const keys = list();
    for (let i = start; i < names.length && i < OUTPUT; i++) append(keys, names[i]);
    if (state.hidden) return keys;
    const symbols = ObjectGetOwnPropertySymbols(value);
    for (let i = 0; i < symbols.length; i++) {
      if (isEnumerable(value, symbols[i])) append(keys, symbols[i]);
    }
    return keys;
  }

  // Without the indices, which come first.
  function namedKeys(state, value, length) {
    if (length > EXTRAS) return list();
    const names = listKeys(state, value, state.hidden ? ReflectOwnKeys : ObjectKeys);
    let start = names.length;
    while (start > 0 && (typeof names[start - 1] === 'symbol' || !isIndex(names[start - 1]))) start--;
    return visibleKeys(state, value, start, names);
  }

  function showKey(key, slot) {
    if (typeof key === 'symbol') return `[${escaped(symbolText(key), unprintableOrQuote)}]`;
    if (key === '__proto__') return "['__proto__']";
    if (!slot.enumerable) return `[${escaped(key, unprintableOrQuote)}]`;
    return execRegExp(identifier, key) !== null ? key : quoted(key);
  }

  function showSlot(state, slot, depth) {
    if (hasOwn(slot, 'value')) return showValue(state, slot.value, depth);
    if (slot.get !== undefined) return spend(state, slot.set !== undefined ? '[Getter/Setter]' : '[Getter]');
    return spend(state, slot.set !== undefined ? '[Setter]' : 'undefined');
  }

  function showProperty(state, value, key, depth) {
    const slot = ObjectGetOwnPropertyDescriptor(value, key);
    return `${spend(state, showKey(key, slot))}: ${showSlot(state, slot, depth)}`;
  }

  // ---- layout ----

  const isNumeric = (value) => typeof value === 'number' || typeof value === 'bigint';

  function allNumeric(value, count) {
    for (let i = 0; i < count; i++) {
      if (!isNumeric(own(value, i))) return false;
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

  function columnWidths(output, count, columns) {
    const widths = list();
    for (let i = 0; i < count; i++) widths[i % columns] = MathMax(widths[i % columns] ?? 0, output[i].length + 2);
    return widths;
  }

  function inColumns(state, output, value) {
    const count = MathMin(output.length, ITEMS); // one more says how many more there are
    const columns = columnCount(output, count, state.indent);
    if (columns <= 1) return output;
    const widths = columnWidths(output, count, columns), rows = list();
    const pad = allNumeric(value, output.length) ? padStart : padEnd;
    for (let i = 0; i < count; i += columns) {
      const last = MathMin(i + columns, count) - 1;
      let row = '';
      for (let j = i; j < last; j++) row += pad(`${output[j]}, `, widths[j - i]);
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
    const array = closing(shape) === ']';
    const rows = array && output.length > 6 ? inColumns(state, output, value) : output;
    const head = shape.base === '' ? shape.open : `${shape.base} ${shape.open}`;
    if (state.deepest - depth < COMPACT && rows.length === output.length && fitsLine(state, output, shape)) {
      const line = joinArray(output, ', ');
      if (!contains(line, '\n')) return `${head} ${line} ${closing(shape)}`;
    }
    const newline = `\n${repeatString(' ', state.indent)}`;
    return `${head}${newline}  ${joinArray(rows, `,${newline}  `)}${newline}${closing(shape)}`;
  }

  const closing = (shape) => (shape.open[shape.open.length - 1] === '[' ? ']' : '}');

  // ---- one value ----

  // left: characters that may still be written; open: the objects around this one; circles: those found again inside
  // themselves, with their numbers; deepest: depth of the object opened last; kin: see kinOf.
  const newState = (depth, hidden) =>
    ({ depth, hidden, left: OUTPUT, indent: 0, open: list(), circles: null, deepest: 0, kin: null });

  function spend(state, text) {
    state.left -= text.length + 2;
    return text;
  }

  function isOpen(state, object) {
    for (let i = 0; i < state.open.length; i++) {
      if (state.open[i] === object) return true;
    }
    return false;
  }

  function circular(state, object) {
    if (state.circles === null) state.circles = new SafeMap();
    if (!mapHas(state.circles, object)) mapSet(state.circles, object, mapSize(state.circles) + 1);
    return `[Circular *${mapGet(state.circles, object)}]`;
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
    const about = { name: kin.name, tag: hasOwn(value, SymbolToStringTag) ? ownTag(value) : kin.tag, base: kin.base };
    const shape = viewOf(state, value, about, kin.kind);
    const keys = shape.keys ?? visibleKeys(state, value);
    if (keys.length === 0 && shape.items === null) return spend(state, shape.base || shape.open + closing(shape));
    if (depth > state.depth) {
      const name = title(about, fallbackOf(value, about));
      return spend(state, about.name === null ? name : `[${name}]`);
    }
    spend(state, shape.base + shape.open);
    const output = showContents(state, value, depth + 1, shape, keys);
    if (state.circles !== null && mapHas(state.circles, value)) {
      const mark = `<ref *${mapGet(state.circles, value)}>`;
      shape.base = shape.base === '' ? mark : `${mark} ${shape.base}`;
    }
    return layOut(state, output, shape, depth + 1, value);
  }

  function showValue(state, value, depth) {
    if (isPrimitive(value)) return spend(state, showPrimitive(value, state.indent));
    const object = behind(value);
    if (object === null) return spend(state, '<Revoked Proxy>');
    if (isOpen(state, object)) return spend(state, circular(state, object));
    const opened = state.open.length, indent = state.indent;
    try {
      return showObject(state, object, depth);
    } catch {
      // Memory or stack ran out, or a module's namespace has a binding without a value yet.
      state.open.length = opened;
      state.indent = indent;
      return spend(state, '<inspection failed>');
    }
  }

  const clipped = (text) => (text.length > OUTPUT ? `${sliceString(text, 0, OUTPUT)}${MORE}` : text);

  function show(value, depth, hidden) {
    return isPrimitive(value) ? showPrimitive(value, 0) : clipped(showValue(newState(depth, hidden), value, 0));
  }

  inspect = (value) => show(value, DEPTH, false);

  // ---- format ----

  // What JSON.stringify says of a circle begins with this line, whatever the engine.
  const firstLine = (text) => lines(text)[0];
  const circle = {};
  circle.circle = circle;
  let circleMessage = '';
  try {
    JSONStringify(circle);
  } catch (error) {
    circleMessage = firstLine(error.message);
  }

  function showJSON(value) {
    try {
      return `${JSONStringify(value)}`;
    } catch (thrown) {
      const error = isPrimitive(thrown) ? null : behind(thrown);
      const message = error === null ? '' : stringOr(find(error, 'message'), '');
      return message !== '' && firstLine(message) === circleMessage ? '[Circular]' : '<inspection failed>';
    }
  }

  // An object is no number here: asking it would run its valueOf.
  const showNumber = (value, convert) => {
    if (typeof value === 'symbol' || typeof value === 'function' || (typeof value === 'object' && value !== null)) return 'NaN';
    return showPrimitive(convert(value), 0);
  };

  function showText(value) {
    if (typeof value === 'string') return value;
    if (typeof value === 'function') return functionText(value);
    return show(value, 0, false);
  }

  const directives = {
    __proto__: null,
    s: showText,
    d: (value) => showNumber(value, (primitive) => (typeof primitive === 'bigint' ? primitive : +primitive)),
    i: (value) => showNumber(value, (primitive) => (typeof primitive === 'bigint' ? primitive : NumberParseInt(primitive))),
    f: (value) => showNumber(value, NumberParseFloat),
    j: showJSON,
    O: inspect,
    o: (value) => show(value, DEPTH_OF_O, true),
    c: () => '', // CSS
  };

  // Replaces the directives in the first argument. The text, and how many arguments that took.
  function interpolated(args) {
    const first = args[0];
    let text = '', used = 1, last = 0;
    for (let at = indexInString(first, '%'); at !== -1 && at + 1 < first.length; at = indexInString(first, '%', at + 2)) {
      const letter = first[at + 1];
      const directive = used < args.length ? directives[letter] : undefined;
      if (letter !== '%' && directive === undefined) continue;
      text += sliceString(first, last, letter === '%' ? at + 1 : at);
      if (letter !== '%') text += directive(args[used++]);
      last = at + 2;
      if (text.length > OUTPUT) break;
    }
    return { text: text + sliceString(first, last), used };
  }

  format = (args) => {
    if (args.length === 0) return '';
    const plain = typeof args[0] === 'string';
    if (args.length === 1) return plain ? args[0] : inspect(args[0]);
    const start = plain ? interpolated(args) : { text: inspect(args[0]), used: 1 };
    let text = start.text;
    for (let i = start.used; i < args.length && text.length <= OUTPUT; i++) {
      text += ` ${typeof args[i] === 'string' ? args[i] : inspect(args[i])}`;
    }
    return clipped(text);
  };

  // ---- what the language starts with ----

  // The nearest of the classes that have a view of their own.
  function kindOf(prototype) {
    for (let link = prototype; link !== null; link = ObjectGetPrototypeOf(link)) {
      const name = own(link, 'constructor')?.name;
      if (name !== undefined && kinds[name] !== undefined) return kinds[name];
    }
    return undefined;
  }

  function learn(prototype, name, kind = kindOf(prototype)) {
    mapSet(builtins, prototype, { name, tag: stringOr(own(prototype, SymbolToStringTag), ''), base: name ?? '', kind });
  }

  ReflectOwnKeys(globalThis).forEach((key) => {
    const maker = own(globalThis, key);
    if (typeof maker === 'function' && !isPrimitive(own(maker, 'prototype'))) learn(maker.prototype, maker.name);
  });
  [async () => {}, function* () {}, async function* () {}].forEach((fn) => {
    learn(ObjectGetPrototypeOf(fn), ObjectGetPrototypeOf(fn).constructor.name);
  });
  learn(ObjectGetPrototypeOf(new Map().entries()), 'Object', iterator);
  learn(ObjectGetPrototypeOf(new Set().values()), 'Object', iterator);
  mapSet(builtins, null, { name: null, tag: '', base: '', kind: undefined }); // an object without a prototype
}
