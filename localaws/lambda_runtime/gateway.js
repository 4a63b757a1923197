// Preloaded into the Node.js functions, CDK's own: CDK's Provider framework answers CloudFormation on https port 443,
// whatever port the answer's address names. This sends those requests to the port the emulator listens on, so that
// nobody has to be root and nothing else may be on 443.
"use strict";
const https = require("https");

const host = process.env.LOCALAWS_GATEWAY_HOST;
const port = process.env.LOCALAWS_GATEWAY_PORT;
const original = https.request;

https.request = function request(options, ...rest) {
  const plain = options && typeof options === "object" && !(options instanceof URL);
  const meant = plain && (options.hostname || options.host) === host && [undefined, "", 443, "443"].includes(options.port);
  return original.call(https, meant ? { ...options, port } : options, ...rest);
};

// The emulator holds this open: when it is gone, a function must not run on.
process.stdin.on("end", () => process.exit(1));
