// structuredClone: https://html.spec.whatwg.org/multipage/structured-data.html, serialisation and deserialisation in one pass.
//
// What an object is, its internal state says, not its tag or constructor; but only the built-in classes it inherits from are
// tried, so that a plain object costs no failed checks: a Map whose prototype was replaced is cloned as a plain object.
// Where the standard and Node 20 part, this follows Node: a URL or a DOMException is an object with its own properties.
{ // Everything is private.
  const proxyTarget = host.proxyTarget;
  const ObjectOf = Object, SafeSet = Set, SafeDate = Date, SafeRegExp = RegExp;
  const SafeArrayBuffer = ArrayBuffer, SafeDataView = DataView;
  const isError = Error.isError, errorStack = getter(Error.prototype, 'stack');
  const isDetached = getter(ArrayBuffer.prototype, 'detached'), detach = uncurry(ArrayBuffer.prototype.transfer);
  const isResizable = getter(ArrayBuffer.prototype, 'resizable'), maxLength = getter(ArrayBuffer.prototype, 'maxByteLength');
  const CHAIN = 64; // prototypes that are followed

  const uncloneable = (what) => new DOMExceptionOf(what + ' could not be cloned.', 'DataCloneError');

  // As an assignment, but seen by no setter and stopped by nothing read-only that the copy inherits; `__proto__` is such a key.
  function put(copy, key, value, prototype) {
    if (!(key in prototype)) copy[key] = value;
    else ObjectDefineProperty(copy, key, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
  }

  function hide(copy, key, value) {
    ObjectDefineProperty(copy, key, { __proto__: null, value, writable: true, enumerable: false, configurable: true });
  }

  function remember(memory, value, copy) {
    mapSet(memory, value, copy);
    return copy;
  }

  // From the key at `start` on. A getter among the properties may remove those that follow.
  function cloneProperties(value, keys, start, copy, prototype, memory) {
    for (let i = start; i < keys.length; i++) {
      if (hasOwn(value, keys[i])) put(copy, keys[i], clone(value[keys[i]], memory), prototype);
    }
    return copy;
  }

  // Indices come first and ascending, so the one at length - 1 says whether there are holes. Numbers are faster than their names.
  function cloneArray(value, memory) {
    const length = value.length, keys = ObjectKeys(value), copy = remember(memory, value, []);
    const dense = length > 0 && length <= keys.length && keys[length - 1] === '' + (length - 1) ? length : 0;
    for (let i = 0; i < dense; i++) {
      if (hasOwn(value, i)) put(copy, i, clone(value[i], memory), ArrayPrototype);
    }
    cloneProperties(value, keys, dense, copy, ArrayPrototype, memory);
    if (copy.length < length) copy.length = length; // it ends with holes
    return copy;
  }

  // ---- each: (value, memory) -> copy, remembered before anything inside is cloned ----

  function clonePlain(value, memory) {
    return cloneProperties(value, ObjectKeys(value), 0, remember(memory, value, {}), ObjectPrototype, memory);
  }
  const cloneBoxed = (unbox) => (value, memory) => remember(memory, value, ObjectOf(unbox(value)));
  const cloneDate = (value, memory) => remember(memory, value, new SafeDate(dateTime(value)));

  function cloneRegExp(value, memory) {
    return remember(memory, value, new SafeRegExp(regExpSource(value), regExpLetters(value)));
  }

  function cloneMap(value, memory) {
    const copy = remember(memory, value, new SafeMap()), items = list(), iterator = mapEntries(value);
    for (let step = nextOfMap(iterator); !step.done; step = nextOfMap(iterator)) items[items.length] = step.value;
    for (let i = 0; i < items.length; i++) mapSet(copy, clone(items[i][0], memory), clone(items[i][1], memory));
    return copy;
  }

  function cloneSet(value, memory) {
    const copy = remember(memory, value, new SafeSet()), items = list(), iterator = setValues(value);
    for (let step = nextOfSet(iterator); !step.done; step = nextOfSet(iterator)) items[items.length] = step.value;
    for (let i = 0; i < items.length; i++) setAdd(copy, clone(items[i], memory));
    return copy;
  }

  // An empty buffer of the same size, and of the same possible sizes.
  function bufferLike(buffer) {
    if (isDetached(buffer)) throw uncloneable('A detached ArrayBuffer');
    const length = arrayBufferLength(buffer);
    if (!isResizable(buffer)) return new SafeArrayBuffer(length);
    return new SafeArrayBuffer(length, { __proto__: null, maxByteLength: maxLength(buffer) });
  }

  const copyBytes = (to, from) => typedArraySet(new SafeUint8Array(to), new SafeUint8Array(from));

  function cloneBuffer(value, memory) {
    const copy = remember(memory, value, bufferLike(value));
    copyBytes(copy, value);
    return copy;
  }

  function cloneTypedArray(value, memory) {
    const Maker = typedArrays[typedArrayName(value)], buffer = clone(typedArrayBuffer(value), memory);
    return remember(memory, value, new Maker(buffer, typedArrayByteOffset(value), typedArrayLength(value)));
  }

  function cloneDataView(value, memory) {
    const buffer = clone(dataViewBuffer(value), memory);
    return remember(memory, value, new SafeDataView(buffer, dataViewOffset(value), dataViewLength(value)));
  }

  // The class by its name, message and cause if they are data properties, and the original's stack.
  function cloneError(value, memory) {
    const name = value.name, message = ObjectGetOwnPropertyDescriptor(value, 'message');
    const Maker = (typeof name === 'string' && errors[name]) || errors.Error;
    const said = message !== undefined && hasOwn(message, 'value') ? toStringOf(message.value) : undefined;
    const copy = remember(memory, value, new Maker(said));
    const own = ObjectGetOwnPropertyDescriptor(value, 'stack');
    const stack = own === undefined ? errorStack(value) : hasOwn(own, 'value') ? own.value : undefined;
    if (typeof stack === 'string') hide(copy, 'stack', stack);
    const cause = ObjectGetOwnPropertyDescriptor(value, 'cause');
    if (cause !== undefined && hasOwn(cause, 'value')) hide(copy, 'cause', clone(cause.value, memory));
    return copy;
  }

  function refuse(value) {
    throw uncloneable(objectText(value));
  }

  // ---- which of them ----

  const typedArrays = { __proto__: null }, errors = { __proto__: null };
  ReflectOwnKeys(globalThis).forEach((key) => {
    const maker = globalThis[key];
    if (typeof maker === 'function' && ObjectGetPrototypeOf(maker) === TypedArray) typedArrays[key] = maker;
  });
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].forEach((maker) => {
    errors[maker.name] = maker;
  });

  // Throws, without the cost of an error, unless the test is true.
  const ensure = (test) => (value) => { if (!test(value)) throw null; };
  const always = () => {};

  // By prototype: `check` throws unless the object truly is one.
  const kinds = new SafeMap();
  const kind = (prototype, check, make) => mapSet(kinds, prototype, { check, make });
  const plain = { check: always, make: clonePlain };
  mapSet(kinds, ObjectPrototype, plain);
  mapSet(kinds, DOMException.prototype, plain); // an Error otherwise
  kind(Boolean.prototype, booleanValue, cloneBoxed(booleanValue));
  kind(Number.prototype, numberValue, cloneBoxed(numberValue));
  kind(String.prototype, stringValue, cloneBoxed(stringValue));
  kind(BigInt.prototype, bigIntValue, cloneBoxed(bigIntValue));
  kind(Symbol.prototype, symbolValue, refuse);
  kind(Date.prototype, dateTime, cloneDate);
  kind(RegExp.prototype, regExpSource, cloneRegExp);
  kind(Map.prototype, mapSize, cloneMap);
  kind(Set.prototype, setSize, cloneSet);
  kind(ArrayBuffer.prototype, arrayBufferLength, cloneBuffer);
  kind(SharedArrayBuffer.prototype, sharedBufferLength, refuse); // there is no other agent to share with
  kind(TypedArray.prototype, ensure((value) => typedArrayName(value) !== undefined), cloneTypedArray);
  kind(DataView.prototype, dataViewBuffer, cloneDataView);
  kind(Error.prototype, ensure(isError), cloneError);
  kind(WeakMap.prototype, (value) => weakMapHas(value, kinds), refuse);
  kind(WeakSet.prototype, (value) => weakSetHas(value, kinds), refuse);
  kind(Promise.prototype, ensure((value) => host.promiseState(value) >= 0), refuse);

  // Nothing tells these from what merely inherits from them, except by using them up.
  const iterators = [[].values(), new Map().keys(), new Set().keys(), ''[Symbol.iterator](), ''.matchAll(/a/g),
    [].values().map(always), Iterator.from({ next: always })];
  [WeakRef.prototype, FinalizationRegistry.prototype, ObjectGetPrototypeOf(function* () {}.prototype),
    ObjectGetPrototypeOf(async function* () {}.prototype)].concat(iterators.map(ObjectGetPrototypeOf))
    .forEach((prototype) => kind(prototype, always, refuse));

  function makerOf(value) {
    let link = ObjectGetPrototypeOf(value);
    for (let i = 0; link !== null && i < CHAIN; i++) {
      const found = mapGet(kinds, link);
      if (found === plain) break;
      if (found !== undefined) {
        try {
          found.check(value);
          return found.make;
        } catch {
          break; // it only inherits
        }
      }
      link = ObjectGetPrototypeOf(link);
    }
    return clonePlain;
  }

  // memory: original -> copy, so that one object stays one and a circle closes.
  function clone(value, memory) {
    switch (typeof value) {
      case 'function': throw uncloneable(functionText(value));
      case 'symbol': throw uncloneable(symbolText(value));
      case 'object': break;
      default: return value;
    }
    if (value === null) return null;
    const known = mapGet(memory, value);
    if (known !== undefined) return known;
    if (proxyTarget(value) !== undefined) throw uncloneable('#<Object>');
    return isArray(value) ? cloneArray(value, memory) : makerOf(value)(value, memory);
  }

  // ---- transfer ----

  // The buffers, each once. Here `for…of` is what is asked for: the script's own iterable, iterated in its own way.
  function transferred(options) {
    const buffers = list();
    if (options === undefined || options === null) return buffers;
    if (!isObject(options)) throw new TypeErrorOf('structuredClone: the options must be an object');
    const transfer = options.transfer;
    if (transfer === undefined || transfer === null) return buffers;
    for (const buffer of transfer) {
      arrayBufferLength(buffer); // a TypeError for anything else
      if (includesItem(buffers, buffer)) throw uncloneable('An ArrayBuffer that is transferred twice');
      buffers[buffers.length] = buffer;
    }
    return buffers;
  }

  // A transferred buffer's successor is in memory from the start and gets the bytes once all could be cloned; then the
  // original is detached.
  const { structuredClone } = { structuredClone(value, options = undefined) {
    needArguments(arguments.length, 1);
    const memory = new SafeMap(), buffers = transferred(options);
    for (let i = 0; i < buffers.length; i++) mapSet(memory, buffers[i], bufferLike(buffers[i]));
    const copy = clone(value, memory);
    for (let i = 0; i < buffers.length; i++) {
      copyBytes(mapGet(memory, buffers[i]), buffers[i]);
      detach(buffers[i], 0);
    }
    return copy;
  } };
  ObjectDefineProperty(globalThis, 'structuredClone', { __proto__: null, value: structuredClone });
}
