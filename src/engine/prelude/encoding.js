// TextEncoder.prototype.encodeInto of encoding.so takes the array's memory first and converts its first argument then: a toString
// that detaches the array's buffer made it write into whatever came to lie there (inside the guest, but still). Convert first.
const encodeIntoNative = uncurry(TextEncoder.prototype.encodeInto);
method(TextEncoder.prototype, 'encodeInto', function (source, destination) {
  return encodeIntoNative(this, toStringOf(source), destination);
});
