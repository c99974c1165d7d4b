/** Small documents that entries have as their content: counts, digests and a type, in one byte form. */

import { equal, fromHex } from "./bytes.js";
import { malformed } from "./errors.js";
import { encodeJson, isObject, parseJson } from "./json.js";

const BYTES_MAX = 1024;
const HEX32 = /^0x[0-9a-f]{64}$/;
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;

/** Read a document that has these members, and `type`, and no others. @throws `code`. */
export function parseDocument(content, code, type, { counts, digests }) {
  const fail = (what) => malformed(code, what);
  if (content.length > BYTES_MAX) throw fail("more than such a document ever has");
  const value = parseJson(content, code, { depthMax: 2, valuesMax: 16 });
  const names = isObject(value) ? Object.keys(value).sort().join() : "";
  if (names !== [...counts, ...digests, "type"].sort().join()) throw fail("other members");
  if (!counts.every((name) => isCount(value[name]))) throw fail("a count that is none");
  if (!digests.every((name) => typeof value[name] === "string" && HEX32.test(value[name]))) {
    throw fail("a digest that is none");
  }
  if (value.type !== type) throw fail("of another type");
  if (!equal(encodeJson(value), content)) throw fail("not in its one byte form");
  return { ...value, ...Object.fromEntries(digests.map((name) => [name, fromHex(value[name])])) };
}
