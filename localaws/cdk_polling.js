// Preloaded into the CDK CLI, which polls a stack every 5 seconds. On the local AWS most changes take less than that, so
// the script shortens the interval to 0.5 seconds. It changes only timers of 5 s that resolve a promise.
"use strict";
const original = globalThis.setTimeout;

function setTimeout(callback, delay, ...rest) {
  const isPolling = delay === 5000 && /\[native code\]/.test(Function.prototype.toString.call(callback));
  return original(callback, isPolling ? 500 : delay, ...rest);
}

Object.defineProperties(setTimeout, Object.getOwnPropertyDescriptors(original));
globalThis.setTimeout = setTimeout;
