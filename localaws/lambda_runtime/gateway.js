// Preloaded into the Node.js functions, which are CDK's own. CDK's Provider framework sends its response for
// CloudFormation to port 443, also if the response URL has another port. This script sends such requests to the port of
// the emulator, so that the emulator needs neither root nor port 443.
"use strict";
const https = require("https");

const host = process.env.LOCALAWS_GATEWAY_HOST;
const port = process.env.LOCALAWS_GATEWAY_PORT;
const original = https.request;

https.request = function request(options, ...rest) {
  const plain = options && typeof options === "object" && !(options instanceof URL);
  const isResponse = plain && (options.hostname || options.host) === host && [undefined, "", 443, "443"].includes(options.port);
  return original.call(https, isResponse ? { ...options, port } : options, ...rest);
};

// The emulator holds standard input open. A function must end with the emulator.
process.stdin.on("end", () => process.exit(1));
