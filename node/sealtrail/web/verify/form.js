/**
 * A bundle's lines: each in its one byte form, in the one order, and the digest over them.
 *
 * Source: protocol section 18.
 */

import { compare, equal, EMPTY } from "./bytes.js";
import { malformed, translating } from "./errors.js";
import { encodeJson, has, isObject, parseJson } from "./json.js";
import { networkShape } from "./network.js";
import { Sha256 } from "./sha2.js";
import { base64, count, flag, hex, listOf, object, oneOf, optional, shaped, text } from "./shape.js";

const LINE_BYTES_MAX = 32 * 1024 * 1024;
const VALUES_MAX = 1_000_000;
const word = text(64, { least: 1, form: /^[!-~]+$/ });
const item = text(4096, { least: 1 });
const long = text(16_384);
const list = (type) => optional(listOf(type), () => []);
const octets = optional(base64, EMPTY);
const place = { block: count(), receipt: count(), log: count() };
const shown = listOf(object({ number: count(), salt: hex(32), value: octets }));
const partial = object({
  hashes_leaf: hex(32),
  salt: hex(32),
  parts: optional(shown, () => []),
  withheld: octets,
  items: optional(
    object({ salt: hex(32), count: count(), elements: optional(shown, () => []), hashes: octets }),
    null,
  ),
  keys: optional(object({ count: count(), indices: list(count()), hashes: octets }), null),
});
const verdict = object({ verdict: long, reasons: list(long) });

const QUESTIONS = {
  item: { item },
  query: { query: long },
  log: { member: hex(20), first: count(), until: count() },
};

function question(value, pointer) {
  const kind = isObject(value) ? value.kind : undefined;
  const members = typeof kind === "string" && has(QUESTIONS, kind) ? QUESTIONS[kind] : {};
  return object({ kind: oneOf(...Object.keys(QUESTIONS)), ...members })(value, pointer);
}

const LINES = {
  header: {
    format: oneOf("sealtrail/evidence/1"),
    network: networkShape,
    program: object({ name: word, version: word }),
    issuer: hex(20),
    question,
    proof_block: count(),
  },
  block: {
    header: base64,
    receipts: list(object({ index: count(), proof: listOf(base64) })),
    accounts: list(
      object({
        address: hex(20),
        proof: listOf(base64),
        slots: listOf(object({ slot: hex(32), proof: listOf(base64) })),
      }),
    ),
  },
  member: { member: hex(20), records: listOf(object({ record: base64, ...place })) },
  log: { member: hex(20), item_salt: optional(hex(32), null), covered: optional(flag, false), paths: optional(flag, false) },
  entry: {
    index: count(),
    gap: octets,
    path: octets,
    leaf: base64,
    media_type: text(128, { form: /^[!-~]+(?: [!-~]+)*$/ }),
    content: optional(base64, null),
    seed: optional(hex(32), null),
    references: octets,
    item_keys: octets,
    partial: optional(partial, null),
  },
  checkpoint: { note: text(8192), gap: octets, anchor: object(place) },
  item_proof: {
    item,
    packs: optional(flag, false),
    runs: listOf(
      object({
        tree_leaves: count(),
        position: count(),
        key: hex(32),
        next_key: hex(32),
        leaf_indices: octets,
        hashes: octets,
      }),
    ),
  },
  answer: {
    completeness: object({
      grade: oneOf("none", "index-asserted", "index-audited"),
      auditors: optional(count(), 0),
      covered: list(object({ member: hex(20), sequence: count(), size: count() })),
      not_covered: list(hex(20)),
    }),
    verdicts: optional(object({ identifier: verdict, provenance: verdict, fitness: verdict }), null),
    findings: list(object({ code: word, entries: list(hex(32)) })),
    withheld: object({ entries: optional(count(), 0), parts: optional(count(), 0) }), // spelt out, if empty too
  },
  signature: { digest: hex(32), public_key: hex(32), value: base64 },
};

const READ = Object.fromEntries(
  Object.entries(LINES).map(([type, members]) => [type, object({ type: oneOf(type), ...members })]),
);

const IN_SECTION = ["entry", "checkpoint"];
const NEXT = {
  "": ["header"],
  header: ["block", "member"],
  block: ["block", "member"],
  member: ["member", "log", "answer"],
  log: IN_SECTION,
  entry: IN_SECTION,
  checkpoint: [...IN_SECTION, "item_proof", "log", "answer"],
  item_proof: ["item_proof", "log", "answer"],
  answer: ["signature"],
  signature: [],
};

/** Return the error that refuses a line. */
export const badLine = (number, pointer, what) =>
  malformed("bundle_malformed", `line ${number}: ${what}`, `line ${number}${pointer}`);

function parseLine(bytes, number) {
  if (bytes.length > LINE_BYTES_MAX) {
    throw malformed("bundle_line_too_long", `line ${number} has more than ${LINE_BYTES_MAX} bytes`, `line ${number}`);
  }
  if (bytes.at(-1) !== 0x0a) throw badLine(number, "", "not ended by a newline");
  const json = bytes.subarray(0, -1);
  const value = translating(
    () => parseJson(json, "bundle_malformed", { depthMax: 16, valuesMax: VALUES_MAX }),
    (error) => badLine(number, "", error.message),
  );
  const type = isObject(value) ? value.type : undefined;
  if (typeof type !== "string" || !has(READ, type)) throw badLine(number, "/type", "no type of a line");
  const line = shaped(() => READ[type](value, ""), (pointer, what) => badLine(number, pointer, what));
  if (!equal(encodeJson(value), json)) throw badLine(number, "", "not in its one byte form");
  return line;
}

const after = (before) => (before ? `after one of type ${before}` : "at the beginning");

/**
 * Yield a bundle's lines in order, each with its number from 1 and the digest of what came before it.
 *
 * @param source lines with their newlines, from an iterable or an asynchronous one.
 * @throws bundle_malformed, bundle_line_too_long.
 */
export async function* readLines(source) {
  const hash = new Sha256();
  let [number, before] = [0, ""];
  for await (const bytes of source) {
    const line = parseLine(bytes, ++number);
    if (!NEXT[before].includes(line.type)) {
      throw badLine(number, "", `a line of type ${line.type} ${after(before)}`);
    }
    yield { number, line, digestBefore: line.type === "signature" ? hash.digest() : null };
    hash.update(bytes);
    before = line.type;
  }
  if (before !== "signature") throw badLine(number + 1, "", `the file ends ${after(before)}; it is not whole`);
}

/** Yield the lines of octets that came whole, each with its newline; what follows the last one without. */
export function* splitLines(bytes) {
  for (let from = 0; from < bytes.length; ) {
    const at = bytes.indexOf(0x0a, from);
    const to = at < 0 ? bytes.length : at + 1;
    yield bytes.subarray(from, to);
    from = to;
  }
}

/** Order items of a bundle, by the octets of their UTF-8. */
const encoder = new TextEncoder();
export const compareItems = (a, b) => compare(encoder.encode(a), encoder.encode(b));
