// console: formats like Node, hands each entry to the host as it happens.
const toWellFormed = uncurry(String.prototype.toWellFormed);

let logOpen = true; // false once the host keeps no more: what is not kept need not be formatted
function logger(level) {
  return function (...args) {
    if (!logOpen) host.log(level, '');
    else logOpen = host.log(level, toWellFormed(format(ObjectSetPrototypeOf(args, null))));
  };
}

function method(object, name, fn) {
  ObjectDefineProperty(fn, 'name', { __proto__: null, value: name });
  ObjectDefineProperty(object, name, { __proto__: null, value: fn, writable: true, enumerable: true, configurable: true });
}

function global(name, value) {
  ObjectDefineProperty(globalThis, name, { __proto__: null, value, writable: true, enumerable: false, configurable: true });
}

const console = {};
['log', 'info', 'warn', 'error', 'debug'].forEach((name, level) => method(console, name, logger(level)));
global('console', console);
