/** Octets: hex, base64, UTF-8, big-endian numbers, joining and comparing. Every text form has one spelling. */

import { malformed } from "./errors.js";

const HEX = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, "0"));
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_VALUES = new Int8Array(128).fill(-1);
for (let n = 0; n < 64; n++) BASE64_VALUES[BASE64.charCodeAt(n)] = n;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenientDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

export const EMPTY = new Uint8Array(0);

export function toHex(bytes) {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

export const to0x = (bytes) => "0x" + toHex(bytes);

/** Return the octets of lower-case hex digits, without or with `0x`. */
export function fromHex(text) {
  const digits = text.startsWith("0x") ? text.slice(2) : text;
  if (digits.length % 2 || !/^[0-9a-f]*$/.test(digits)) throw malformed("hex_malformed", "not lower-case hex");
  const bytes = new Uint8Array(digits.length / 2);
  for (let n = 0; n < bytes.length; n++) bytes[n] = parseInt(digits.substr(2 * n, 2), 16);
  return bytes;
}

export function toBase64(bytes) {
  const parts = [];
  for (let n = 0; n < bytes.length; n += 3) {
    const left = bytes.length - n;
    const word = (bytes[n] << 16) | ((left > 1 ? bytes[n + 1] : 0) << 8) | (left > 2 ? bytes[n + 2] : 0);
    parts.push(
      BASE64[word >> 18] +
        BASE64[(word >> 12) & 63] +
        (left > 1 ? BASE64[(word >> 6) & 63] : "=") +
        (left > 2 ? BASE64[word & 63] : "="),
    );
  }
  return parts.join("");
}

/** Return the octets of base64 in its one spelling: padded, and no bits left over. */
export function fromBase64(text) {
  const fail = () => malformed("base64_malformed", "not base64 in its one spelling");
  if (text.length % 4) throw fail();
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const digits = text.length - padding;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let word = 0;
  let bits = 0;
  let at = 0;
  for (let n = 0; n < digits; n++) {
    const code = text.charCodeAt(n);
    const value = code < 128 ? BASE64_VALUES[code] : -1;
    if (value < 0) throw fail();
    word = ((word << 6) | value) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (word >> bits) & 0xff;
    }
  }
  if (word & ((1 << bits) - 1)) throw fail();
  return bytes;
}

export const utf8 = (text) => encoder.encode(text);

/** Return the text of UTF-8 octets; a byte order mark is a character like any other. */
export function fromUtf8(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    throw malformed("not_utf8", "not UTF-8");
  }
}

/** Return a text to be shown to people, of any octets. */
export const shownText = (bytes) => lenientDecoder.decode(bytes);

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function equal(a, b) {
  if (a.length !== b.length) return false;
  for (let n = 0; n < a.length; n++) if (a[n] !== b[n]) return false;
  return true;
}

/** Order octets as numbers at their first difference; the shorter one first where there is none. */
export function compare(a, b) {
  const length = Math.min(a.length, b.length);
  for (let n = 0; n < length; n++) if (a[n] !== b[n]) return a[n] - b[n];
  return a.length - b.length;
}

export const isZero = (bytes) => bytes.every((byte) => byte === 0);

export function padLeft(bytes, length) {
  const padded = new Uint8Array(length);
  padded.set(bytes, length - bytes.length);
  return padded;
}

/** Return a number (Number or BigInt) as so many octets, big-endian. */
export function fromNumber(number, length) {
  const bytes = new Uint8Array(length);
  let rest = BigInt(number);
  for (let n = length - 1; n >= 0; n--) {
    bytes[n] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** Return octets as a BigInt, big-endian. */
export const toBigInt = (bytes) => (bytes.length ? BigInt(to0x(bytes)) : 0n);

/** Cut octets into pieces of one length; the caller has seen to it that they are whole. */
export function split(bytes, length) {
  const pieces = [];
  for (let at = 0; at < bytes.length; at += length) pieces.push(bytes.subarray(at, at + length));
  return pieces;
}
