// setTimeout and setInterval (https://html.spec.whatwg.org/#timers), to the millisecond. The engine runs them one at a time, each
// with the promises it settles, while the script's own promise is not settled; what is left then is dropped.
const TIMERS_MAX = 1000, DELAY_MAX = 0x7fffffff;
const timers = list(); // ascending by when they are due; of equals the older one first
let lastTimer = 0;

function addTimer(timer) {
  let at = timers.length;
  while (at > 0 && timers[at - 1].due > timer.due) {
    timers[at] = timers[at - 1];
    at--;
  }
  timers[at] = timer;
}

function removeTimer(id) {
  let kept = 0;
  for (let i = 0; i < timers.length; i++) if (timers[i].id !== id) timers[kept++] = timers[i];
  timers.length = kept;
}

function startTimer(callback, delay, repeats, args) {
  if (typeof callback !== 'function') throw new TypeErrorOf('a timer needs a function');
  if (timers.length >= TIMERS_MAX) throw new RangeErrorOf('too many timers (max ' + TIMERS_MAX + ')');
  let ms = trunc(toNumber(delay));
  if (!(ms >= (repeats ? 1 : 0) && ms <= DELAY_MAX)) ms = repeats ? 1 : 0; // NaN, too
  const id = ++lastTimer;
  addTimer({ __proto__: null, id, due: host.clock() + ms, every: repeats ? ms : -1, callback, args });
  return id;
}

// Runs the timer that is due, if there is one: 0. Else how many milliseconds until the next; -1 if there is none.
function tick() {
  if (timers.length === 0) return -1;
  const timer = timers[0], now = host.clock();
  if (timer.due > now) return timer.due - now;
  removeTimer(timer.id);
  if (timer.every > 0) {
    timer.due = now + timer.every;
    addTimer(timer);
  }
  apply(timer.callback, undefined, timer.args);
  return 0;
}

const timerMethod = (name, fn) => {
  ObjectDefineProperty(fn, 'name', { __proto__: null, value: name });
  ObjectDefineProperty(globalThis, name, { __proto__: null, value: fn, writable: true, enumerable: true, configurable: true });
};
timerMethod('setTimeout', function (callback, delay = 0, ...args) { return startTimer(callback, delay, false, args); });
timerMethod('setInterval', function (callback, delay = 0, ...args) { return startTimer(callback, delay, true, args); });
timerMethod('clearTimeout', function (id = undefined) { removeTimer(id); });
timerMethod('clearInterval', function (id = undefined) { removeTimer(id); });
