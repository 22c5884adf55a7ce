// What the prelude uses of the language, captured before any script runs. A script may replace or delete every built-in it
// sees; these bindings keep pointing at the originals. A method is captured "uncurried": method(this, ...args).
const apply = Reflect.apply;
const uncurry = (method) => Function.prototype.call.bind(method);
const getter = (object, name) => uncurry(Object.getOwnPropertyDescriptor(object, name).get);

const ObjectCreate = Object.create;
const ObjectDefineProperty = Object.defineProperty;
const ObjectGetOwnPropertyDescriptor = Object.getOwnPropertyDescriptor;
const ObjectGetPrototypeOf = Object.getPrototypeOf;
const ObjectKeys = Object.keys;
const ObjectSetPrototypeOf = Object.setPrototypeOf;
const ReflectOwnKeys = Reflect.ownKeys;
const ArrayPrototype = Array.prototype;
const ObjectPrototype = Object.prototype;
const hasOwn = uncurry(Object.prototype.hasOwnProperty);
const isArray = Array.isArray;
const sortArray = uncurry(Array.prototype.sort);
const joinArray = uncurry(Array.prototype.join);
const includesItem = uncurry(Array.prototype.includes);

const SymbolIterator = Symbol.iterator;
const SymbolToStringTag = Symbol.toStringTag;
const ObjectGetOwnPropertySymbols = Object.getOwnPropertySymbols;
const isEnumerable = uncurry(Object.prototype.propertyIsEnumerable);
const objectText = uncurry(Object.prototype.toString);
const functionText = uncurry(Function.prototype.toString);
const symbolText = uncurry(Symbol.prototype.toString);
const numberText = uncurry(Number.prototype.toString);
const execRegExp = uncurry(RegExp.prototype.exec);
const JSONStringify = JSON.stringify;
const NumberParseFloat = Number.parseFloat;
const NumberParseInt = Number.parseInt;
const MathFloor = Math.floor;
const MathMax = Math.max;
const MathMin = Math.min;
const MathRound = Math.round;
const MathSqrt = Math.sqrt;

// Of the string methods only those that take a string for a string: split, replace and match look up a symbol on it first.
const codeAt = uncurry(String.prototype.charCodeAt);
const indexInString = uncurry(String.prototype.indexOf);
const padEnd = uncurry(String.prototype.padEnd);
const padStart = uncurry(String.prototype.padStart);
const repeatString = uncurry(String.prototype.repeat);
const sliceString = uncurry(String.prototype.slice);
const upperCase = uncurry(String.prototype.toUpperCase);

// Each throws unless its first argument is what the name says: they tell true built-in objects from look-alikes.
const bigIntValue = uncurry(BigInt.prototype.valueOf);
const booleanValue = uncurry(Boolean.prototype.valueOf);
const numberValue = uncurry(Number.prototype.valueOf);
const stringValue = uncurry(String.prototype.valueOf);
const symbolValue = uncurry(Symbol.prototype.valueOf);
const dateTime = uncurry(Date.prototype.getTime);
const dateISO = uncurry(Date.prototype.toISOString);
const weakMapHas = uncurry(WeakMap.prototype.has);
const weakSetHas = uncurry(WeakSet.prototype.has);

// A script cannot reach a Map or Set of the prelude, but it can replace the methods these would inherit: use only the below.
const SafeMap = Map;
const mapEntries = uncurry(Map.prototype.entries);
const mapGet = uncurry(Map.prototype.get);
const mapHas = uncurry(Map.prototype.has);
const mapSet = uncurry(Map.prototype.set);
const mapSize = getter(Map.prototype, 'size');
const nextOfMap = uncurry(ObjectGetPrototypeOf(new Map().entries()).next);
const nextOfSet = uncurry(ObjectGetPrototypeOf(new Set().values()).next);
const setAdd = uncurry(Set.prototype.add);
const setSize = getter(Set.prototype, 'size');
const setValues = uncurry(Set.prototype.values);

const SafeUint8Array = Uint8Array;
const TypedArray = ObjectGetPrototypeOf(Uint8Array);
const typedArrayBuffer = getter(TypedArray.prototype, 'buffer');
const typedArrayByteLength = getter(TypedArray.prototype, 'byteLength');
const typedArrayByteOffset = getter(TypedArray.prototype, 'byteOffset');
const typedArrayLength = getter(TypedArray.prototype, 'length');
const typedArrayName = getter(TypedArray.prototype, SymbolToStringTag);
const typedArraySet = uncurry(TypedArray.prototype.set);
const arrayBufferLength = getter(ArrayBuffer.prototype, 'byteLength');
const sharedBufferLength = getter(SharedArrayBuffer.prototype, 'byteLength');
const dataViewBuffer = getter(DataView.prototype, 'buffer');
const dataViewLength = getter(DataView.prototype, 'byteLength');
const dataViewOffset = getter(DataView.prototype, 'byteOffset');

// A list the prelude may grow by index: without a prototype, no setter or getter that a script put there can see it.
const list = () => ObjectSetPrototypeOf([], null);

// What RegExp.prototype.toString says, from the inside: it asks for `source` and `flags`, which a script can replace.
const regExpSource = getter(RegExp.prototype, 'source');
const regExpFlags = list();
['hasIndices', 'global', 'ignoreCase', 'multiline', 'dotAll', 'unicode', 'unicodeSets', 'sticky'].forEach((name, i) => {
  if (name in RegExp.prototype) {
    regExpFlags[regExpFlags.length] = { letter: 'dgimsuvy'[i], isSet: getter(RegExp.prototype, name) };
  }
});
function regExpLetters(regExp) {
  let letters = '';
  for (let i = 0; i < regExpFlags.length; i++) letters += regExpFlags[i].isSet(regExp) ? regExpFlags[i].letter : '';
  return letters;
}
const regExpText = (regExp) => '/' + regExpSource(regExp) + '/' + regExpLetters(regExp);
