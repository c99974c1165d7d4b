#!/usr/bin/env node
/** The verifier as a command: node cli.mjs BUNDLE TRUST [--item ITEM] [--min-block N] [--json]. */

import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseTrust, SealtrailError, verifyBundle } from "./index.js";

const USAGE = `Usage: node cli.mjs BUNDLE TRUST [--item ITEM] [--min-block N] [--json]

Verify an evidence bundle without a node and without a network, by a second implementation.

  --item ITEM     the canonical identifier that the bundle must be about
  --min-block N   how new its proof block has to be (default: the trust file's pinned block)
  --json          print the report as JSON

Exit codes: 0 all steps hold; 1 one does not; 2 malformed; 3 none fails, but one could not be checked.
`;
const LINE_BYTES_MAX = 32 * 1024 * 1024;
const TRUST_BYTES_MAX = 4 * 1024 * 1024;

/** Yield a file's lines, each with its newline; a line that is too long is given out as it is so far. */
async function* linesOf(path) {
  let parts = [];
  let length = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    for (let from = 0; from < chunk.length; ) {
      const at = chunk.indexOf(0x0a, from);
      const to = at < 0 ? chunk.length : at + 1;
      parts.push(chunk.subarray(from, to));
      length += to - from;
      if (at >= 0 || length > LINE_BYTES_MAX) {
        yield new Uint8Array(Buffer.concat(parts));
        [parts, length] = [[], 0];
      }
      from = to;
    }
  }
  if (length) yield new Uint8Array(Buffer.concat(parts));
}

function parseArguments(args) {
  const options = { files: [], item: null, minBlock: null, json: false };
  for (let n = 0; n < args.length; n++) {
    const each = args[n];
    if (each === "--json") options.json = true;
    else if (each === "--item" && n + 1 < args.length) options.item = args[++n];
    else if (each === "--min-block" && /^[0-9]{1,15}$/.test(args[n + 1] ?? "")) options.minBlock = Number(args[++n]);
    else if (each.startsWith("-")) return null;
    else options.files.push(each);
  }
  return options.files.length === 2 ? options : null;
}

const SIGNS = { holds: "ok  ", "does not hold": "FAIL", "could not check": "?   " };
// No control character of a bundle reaches the terminal.
const printable = (text) => String(text).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "\ufffd");

function print(report) {
  const lines = [`made by ${report.issuer} with ${report.made_by}; sealed by ${report.sealed_by.join(", ") || "nobody known"}`];
  for (const step of report.steps) {
    lines.push(`${SIGNS[step.outcome]} ${String(step.number).padStart(2)} ${step.name}`);
    for (const each of step.problems) lines.push(`        ${each.code}: ${each.reason}${each.place ? ` (${each.place})` : ""}`);
  }
  console.log(lines.map(printable).join("\n"));
}

function refuse(error, json) {
  if (json) console.log(JSON.stringify({ exit_code: 2, error: { code: error.code, reason: error.message, pointer: error.pointer } }));
  else console.error(printable(`${error.code}: ${error.message}`));
  return 2;
}

/** Run the command; return its exit code. */
export async function main(args) {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(USAGE);
    return 0;
  }
  const options = parseArguments(args);
  if (options === null) {
    console.error(USAGE);
    return 2;
  }
  const [bundle, trustPath] = options.files;
  try {
    const size = (await stat(trustPath)).size;
    if (size > TRUST_BYTES_MAX) throw new SealtrailError("input", "trust_too_large", `${size} bytes`);
    const trust = parseTrust(new Uint8Array(await readFile(trustPath)));
    const report = await verifyBundle(linesOf(bundle), trust, options);
    if (options.json) console.log(JSON.stringify(report, null, 2));
    else print(report);
    return report.exit_code;
  } catch (error) {
    if (error instanceof SealtrailError) return refuse(error, options.json);
    const codes = ["ENOENT", "EISDIR", "EACCES"];
    if (codes.includes(error?.code)) return refuse({ code: "file_unreadable", message: error.message }, options.json);
    throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
