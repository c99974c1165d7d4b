/**
 * RLP in its one spelling.
 *
 * Source: Yellow Paper, appendix B; protocol section 14.
 */

import { concat, fromNumber, toBigInt } from "./bytes.js";
import { malformed } from "./errors.js";

const DEPTH_MAX = 16;
const ITEMS_MAX = 1_000_000;

const fail = (what) => malformed("rlp_malformed", `not canonical RLP: ${what}`);

function readLength(bytes, at, count) {
  if (at + count > bytes.length) throw fail("it ends too early");
  if (bytes[at] === 0) throw fail("a length with a leading zero");
  const length = toBigInt(bytes.subarray(at, at + count));
  if (length < 56n) throw fail("a short length spelt long");
  if (length > BigInt(bytes.length)) throw fail("it ends too early");
  return Number(length);
}

/** Return [isList, start of the payload, its end]. */
function readPrefix(bytes, at) {
  const prefix = bytes[at];
  if (prefix < 0x80) return [false, at, at + 1];
  const isList = prefix >= 0xc0;
  const short = prefix - (isList ? 0xc0 : 0x80);
  const count = short < 56 ? 0 : short - 55;
  const start = at + 1 + count;
  const length = count ? readLength(bytes, at + 1, count) : short;
  if (start + length > bytes.length) throw fail("it ends too early");
  if (!isList && length === 1 && bytes[start] < 0x80) throw fail("a prefix on a single byte below 0x80");
  return [isList, start, start + length];
}

class Decoder {
  constructor(bytes) {
    this.bytes = bytes;
    this.left = ITEMS_MAX;
  }

  item(at, end, depth) {
    if (at >= end) throw fail("it ends too early");
    if (--this.left < 0) throw fail("too many items");
    const [isList, start, stop] = readPrefix(this.bytes, at);
    if (stop > end) throw fail("an item is longer than its list");
    if (!isList) return [this.bytes.subarray(start, stop), stop];
    if (depth === DEPTH_MAX) throw fail("nested too deep");
    const items = [];
    for (let next = start; next < stop; ) {
      const [item, after] = this.item(next, stop, depth + 1);
      items.push(item);
      next = after;
    }
    return [items, stop];
  }
}

/** Return the item that all of the octets are: octets, or an array of items. @throws rlp_malformed. */
export function decodeRlp(bytes) {
  const [item, end] = new Decoder(bytes).item(0, bytes.length, 0);
  if (end !== bytes.length) throw fail("something behind the item");
  return item;
}

function withPrefix(base, payload) {
  if (payload.length < 56) return concat(Uint8Array.of(base + payload.length), payload);
  let count = 1;
  while (payload.length >= 256 ** count) count++;
  return concat(Uint8Array.of(base + 55 + count), fromNumber(payload.length, count), payload);
}

/** Return the RLP of octets or of an array of items. */
export function encodeRlp(item) {
  if (Array.isArray(item)) return withPrefix(0xc0, concat(...item.map(encodeRlp)));
  if (item.length === 1 && item[0] < 0x80) return item;
  return withPrefix(0x80, item);
}

/** Return a whole number without leading zeros, as RLP has it. */
export function numberBytes(number) {
  let count = 0;
  for (let rest = BigInt(number); rest > 0n; rest >>= 8n) count++;
  return fromNumber(number, count);
}

/** Return the BigInt of octets without leading zeros, at most `bytesMax` of them; null if they are none. */
export function readNumber(bytes, bytesMax) {
  if (Array.isArray(bytes) || bytes.length > bytesMax || bytes[0] === 0) return null;
  return toBigInt(bytes);
}
