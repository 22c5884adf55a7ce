// Event, EventTarget, AbortSignal and AbortController (https://dom.spec.whatwg.org/), as far as there are no trees of nodes.
class Event {
  #type; #cancelable; #target = null; #prevented = false; #stopped = false;
  constructor(type, init = undefined) {
    needArguments(arguments.length, 1);
    this.#type = toStringOf(type);
    this.#cancelable = isObject(init) && !!init.cancelable;
  }
  get type() { return this.#type; }
  get target() { return this.#target; }
  get currentTarget() { return this.#target; }
  get bubbles() { return false; }
  get cancelable() { return this.#cancelable; }
  get defaultPrevented() { return this.#prevented; }
  get isTrusted() { return false; }
  preventDefault() { this.#prevented = this.#cancelable; }
  stopPropagation() {}
  stopImmediatePropagation() { this.#stopped = true; }
  static {
    eventTarget = (event, target) => { event.#target = target; };
    eventStopped = (event) => event.#stopped;
    eventPrevented = (event) => event.#prevented;
    eventType = (event) => event.#type;
  }
}
var eventTarget, eventStopped, eventPrevented, eventType;

// What a listener throws is nobody's to catch: it is logged.
function callListener(listener, target, event) {
  try {
    if (typeof listener === 'function') apply(listener, target, [event]);
    else apply(listener.handleEvent, listener, [event]);
  } catch (thrown) {
    if (logOpen) logOpen = host.log(3, toWellFormed(format(ObjectSetPrototypeOf(['uncaught in a listener:', thrown], null))));
  }
}

class EventTarget {
  #listeners = list();
  addEventListener(type, listener, options = undefined) {
    const listeners = this.#listeners;
    needArguments(arguments.length, 2);
    type = toStringOf(type);
    if (listener === null || listener === undefined) return;
    if (!isObject(listener)) throw new TypeErrorOf('the listener must be a function or an object');
    for (let i = 0; i < listeners.length; i++) {
      if (listeners[i].type === type && listeners[i].listener === listener) return;
    }
    listeners[listeners.length] = { __proto__: null, type, listener, once: isObject(options) && !!options.once };
  }
  removeEventListener(type, listener) {
    const listeners = this.#listeners;
    needArguments(arguments.length, 2);
    type = toStringOf(type);
    keepPairs(listeners, (entry) => entry.type !== type || entry.listener !== listener);
  }
  dispatchEvent(event) {
    const listeners = this.#listeners, type = eventType(event), called = list();
    eventTarget(event, this);
    for (let i = 0; i < listeners.length; i++) if (listeners[i].type === type) called[called.length] = listeners[i];
    for (let i = 0; i < called.length && !eventStopped(event); i++) {
      const entry = called[i];
      if (!includesItem(listeners, entry)) continue; // removed meanwhile
      if (entry.once) keepPairs(listeners, (other) => other !== entry);
      callListener(entry.listener, this, event);
    }
    return !eventPrevented(event);
  }
}
const dispatch = uncurry(EventTarget.prototype.dispatchEvent);

const mayMakeSignal = { __proto__: null };
var newSignal, abortSignal, signalAborted, signalReason, onSignalAbort;

class AbortSignal extends EventTarget {
  #aborted = false; #reason = undefined; #onabort = null; #followers = list();
  constructor(given = undefined) {
    if (given !== mayMakeSignal) throw new TypeErrorOf('Illegal constructor');
    super();
  }
  get aborted() { return this.#aborted; }
  get reason() { return this.#reason; }
  get onabort() { return this.#onabort; }
  set onabort(value) { this.#onabort = typeof value === 'function' ? value : null; }
  throwIfAborted() { if (this.#aborted) throw this.#reason; }

  static abort(reason = undefined) {
    const signal = newSignal();
    abortSignal(signal, reason);
    return signal;
  }
  static timeout(ms) {
    needArguments(arguments.length, 1);
    const signal = newSignal();
    startTimer(() => abortSignal(signal, new DOMExceptionOf('The operation was aborted due to timeout', 'TimeoutError')), ms, false, []);
    return signal;
  }
  static any(signals) {
    const signal = newSignal();
    for (const source of signals) {
      if (!(#aborted in source)) throw new TypeErrorOf('AbortSignal.any takes signals');
      if (source.#aborted) {
        abortSignal(signal, source.#reason);
        return signal;
      }
      onSignalAbort(source, () => abortSignal(signal, source.#reason));
    }
    return signal;
  }
  static {
    newSignal = () => new AbortSignal(mayMakeSignal);
    signalAborted = (signal) => signal.#aborted;
    signalReason = (signal) => signal.#reason;
    onSignalAbort = (signal, follow) => { signal.#followers[signal.#followers.length] = follow; };
    abortSignal = (signal, reason) => {
      if (signal.#aborted) return;
      signal.#aborted = true;
      signal.#reason = reason === undefined ? new DOMExceptionOf('This operation was aborted', 'AbortError') : reason;
      const followers = signal.#followers;
      for (let i = 0; i < followers.length; i++) followers[i]();
      followers.length = 0;
      const event = new Event('abort');
      if (signal.#onabort !== null) {
        eventTarget(event, signal);
        callListener(signal.#onabort, signal, event);
      }
      dispatch(signal, event);
    };
  }
}

class AbortController {
  #signal = newSignal();
  get signal() { return this.#signal; }
  abort(reason = undefined) { abortSignal(this.#signal, reason); }
}

[[Event, 'Event'], [EventTarget, 'EventTarget'], [AbortSignal, 'AbortSignal'], [AbortController, 'AbortController']].forEach((pair) => {
  showMethods(pair[0].prototype);
  tagged(pair[0].prototype, pair[1]);
  global(pair[1], pair[0]);
});
