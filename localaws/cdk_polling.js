// Preloaded into the CDK CLI: it looks at a stack every 5 seconds, which suits AWS, where most things take minutes. Here
// they take seconds, so it looks ten times as often. Only its own waiting is meant: a timer of 5 s that resolves a promise.
"use strict";
const original = globalThis.setTimeout;

function setTimeout(callback, delay, ...rest) {
  const waiting = delay === 5000 && /\[native code\]/.test(Function.prototype.toString.call(callback));
  return original(callback, waiting ? 500 : delay, ...rest);
}

Object.defineProperties(setTimeout, Object.getOwnPropertyDescriptors(original));
globalThis.setTimeout = setTimeout;
