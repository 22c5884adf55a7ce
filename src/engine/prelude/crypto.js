// crypto: the reference service's two functions, and the Web Crypto API's random part.
const toStringOf = String, toNumber = Number, trunc = Math.trunc;
const slice = uncurry(String.prototype.slice), charAt = uncurry(String.prototype.charAt);
const parseHex = parseInt, TypeErrorOf = TypeError, RangeErrorOf = RangeError, DOMExceptionOf = DOMException;
const integerArrays = { __proto__: null, Int8Array: 1, Uint8Array: 1, Uint8ClampedArray: 1, Int16Array: 1, Uint16Array: 1,
  Int32Array: 1, Uint32Array: 1, BigInt64Array: 1, BigUint64Array: 1 };

const crypto = {}, nativeCrypto = globalThis.crypto;
// Hexadecimal SHA-256 of the UTF-8 bytes of String(value); undefined without an argument.
method(crypto, 'sha256', function (...args) {
  return args.length === 0 ? undefined : host.sha256(toWellFormed(toStringOf(args[0])));
});
// Hexadecimal; 32 bytes unless told, at most 1,024.
method(crypto, 'randomBytes', (size = 32) => {
  const n = trunc(toNumber(size));
  if (!(n >= 1 && n <= 1024)) throw new RangeErrorOf('crypto.randomBytes: size must be 1 to 1024');
  return host.randomHex(n);
});
// Not even an object: Web IDL's TypeError. Any other object than an array of integers: the Web Crypto API's error, as in Node.
method(crypto, 'getRandomValues', (array) => {
  if (typeof array !== 'object' || array === null) throw new TypeErrorOf('crypto.getRandomValues: an integer typed array is required');
  const kind = typedArrayName(array);
  if (kind === undefined || !integerArrays[kind]) {
    throw new DOMExceptionOf('crypto.getRandomValues: an integer typed array is required', 'TypeMismatchError');
  }
  const length = typedArrayByteLength(array);
  if (length > 65536) throw new DOMExceptionOf('crypto.getRandomValues: at most 65536 bytes', 'QuotaExceededError');
  if (!host.randomFill(typedArrayBuffer(array), typedArrayByteOffset(array), length)) {
    throw new TypeErrorOf('crypto.getRandomValues: unsupported buffer');
  }
  return array;
});
// RFC 9562 §5.4: version 4, variant 10.
method(crypto, 'randomUUID', () => {
  const hex = host.randomHex(16);
  const variant = charAt('89ab', parseHex(charAt(hex, 16), 16) & 3);
  return slice(hex, 0, 8) + '-' + slice(hex, 8, 12) + '-4' + slice(hex, 13, 16) + '-' + variant + slice(hex, 17, 20) + '-' + slice(hex, 20);
});
// crypto.so's, which is Mbed TLS inside the guest; it seeds itself from the host at its first use, so never from the snapshot.
ObjectDefineProperty(crypto, 'subtle', { __proto__: null, value: nativeCrypto.subtle, enumerable: true, configurable: true });
global('crypto', crypto);
