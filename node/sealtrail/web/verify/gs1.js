/**
 * Canonical identifiers: one item, one name, however it is written.
 *
 * Source: protocol section 1; GS1 Digital Link URI syntax 1.4; EPC Tag Data Standard 2.1 sections 6 to 8; GS1 General
 * Specifications section 3 (formats of the values).
 */

const BASE = "https://id.gs1.org/";
const X = "!\"%&'()*+,\\-./0-9:;<=>?A-Z_a-z"; // GS1's set 82
const Y = "#\\-/0-9A-Z"; // GS1's set 39
const text = (set, most, least = 1) => new RegExp(`^[${set}]{${least},${most}}$`);
const digits = (count) => new RegExp(`^[0-9]{${count}}$`);

const KEYS = {
  "00": digits(18),
  "01": /^(?:[0-9]{8}|[0-9]{12,14})$/,
  253: new RegExp(`^[0-9]{13}[${X}]{0,17}$`),
  255: /^[0-9]{13,25}$/,
  401: text(X, 30),
  402: digits(17),
  414: digits(13),
  417: digits(13),
  8003: new RegExp(`^[0-9]{14}[${X}]{0,16}$`),
  8004: text(X, 30),
  8006: digits(18),
  8010: text(Y, 30),
  8017: digits(18),
  8018: digits(18),
};
const VALUES = {
  10: text(X, 20), 21: text(X, 20), 22: text(X, 20), 235: text(X, 28), 254: text(X, 20),
  8011: /^[0-9]{1,12}$/, 8019: /^[0-9]{1,10}$/,
};
// The qualifiers a key may have, in any order.
const QUALIFIERS = {
  "01": ["22", "10", "21", "235"], 8006: ["22", "10", "21"], 414: ["254"], 8010: ["8011"], 8017: ["8019"], 8018: ["8019"],
};
// The one qualifier that the canonical form keeps, the finest first.
const FINEST = { "01": ["21", "235", "10"], 8006: ["21", "10"], 414: ["254"], 8010: ["8011"] };
const SHORT_NAMES = {
  gtin: "01", cpv: "22", lot: "10", ser: "21", tpx: "235", itip: "8006", cpid: "8010", cpsn: "8011",
  ginc: "401", gsin: "402", gln: "414", glnx: "254", party: "417", gsrnp: "8017", srin: "8019",
  gsrn: "8018", sscc: "00", grai: "8003", giai: "8004", gdti: "253", gcn: "255",
};
const PAIRS_MAX = 5; // a key and all the qualifiers that one has

const numeric = (segment) => (Object.hasOwn(SHORT_NAMES, segment) ? SHORT_NAMES[segment] : segment);

/** Return a value without its escapes; a `%` that no two hex digits follow stands for itself. */
function unescaped(segment) {
  return segment.replace(/%([0-9a-fA-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}

const escaped = (value) =>
  value.replace(/[^A-Za-z0-9'\-.;=_]/g, (sign) =>
    "%" + sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0"));

/** Return `{ key, value, qualifiers }` of the last segments of a path, read as a key and its qualifiers, or null. */
function readPairs(segments) {
  const key = numeric(segments[0]);
  const value = unescaped(segments[1]);
  if (!Object.hasOwn(KEYS, key) || !KEYS[key].test(value)) return null;
  const qualifiers = {};
  for (let n = 2; n < segments.length; n += 2) {
    const ai = numeric(segments[n]);
    const qualifier = unescaped(segments[n + 1]);
    const isOne = (QUALIFIERS[key] ?? []).includes(ai) && !Object.hasOwn(qualifiers, ai);
    if (!isOne || !VALUES[ai].test(qualifier)) return null;
    qualifiers[ai] = qualifier;
  }
  return { key, value: key === "01" ? value.padStart(14, "0") : value, qualifiers };
}

/** Read a Digital Link: `{ key, value, qualifiers }` with numeric AIs; null if it is none. */
export function readDigitalLink(uri) {
  const match = /^https?:\/\/[^/?#]+\/([^?#]*)/i.exec(uri);
  if (match === null) return null;
  const segments = match[1].replace(/\/$/, "").split("/");
  for (let pairs = 1; pairs <= PAIRS_MAX && 2 * pairs <= segments.length; pairs++) {
    const link = readPairs(segments.slice(-2 * pairs));
    if (link !== null) return link;
  }
  return null;
}

/** Return the canonical URI of what `readDigitalLink` or `readUrn` gave. */
export function canonicalLink({ key, value, qualifiers }) {
  const finest = (FINEST[key] ?? []).find((ai) => Object.hasOwn(qualifiers, ai));
  const qualifier = finest === undefined ? "" : `/${finest}/${escaped(qualifiers[finest])}`;
  return `${BASE}${key}/${escaped(value)}${qualifier}`;
}

function checkDigit(body) {
  let sum = 0;
  for (let n = 0; n < body.length; n++) sum += Number(body[body.length - 1 - n]) * (n % 2 ? 1 : 3);
  return String((10 - (sum % 10)) % 10);
}

const withCheck = (body) => body + checkDigit(body);

// -- EPC URNs ---------------------------------------------------------------------------------------

const PLAIN = /^(?:[A-Za-z0-9!'()*+,\-.:;=_]|%[0-9a-fA-F]{2})*$/;

/** Return the text of a URN's last part if it is of a set and length, or null. */
function serialOf(part, form) {
  if (part === undefined || !PLAIN.test(part)) return null;
  const value = unescaped(part);
  return form.test(value) ? value : null;
}

/** Split at the first dots into so many parts; the last one may have more. */
function parts(body, count) {
  const found = [];
  let rest = body;
  while (found.length < count - 1) {
    const dot = rest.indexOf(".");
    if (dot < 0) return null;
    found.push(rest.slice(0, dot));
    rest = rest.slice(dot + 1);
  }
  return [...found, rest];
}

/** Return prefix and reference joined, if they are a company prefix and digits that come to `length`. */
function numberOf(prefix, reference, length) {
  const isPrefix = /^[0-9]{6,12}$/.test(prefix);
  return isPrefix && /^[0-9]*$/.test(reference) && prefix.length + reference.length === length
    ? prefix + reference
    : null;
}

/** Return the 14 digits of a GTIN: the indicator stands first in the reference. */
function gtinOf(prefix, reference) {
  if (!reference || numberOf(prefix, reference, 13) === null) return null;
  return withCheck(reference[0] + prefix + reference.slice(1));
}

const SERIAL_20 = text(X, 20);
const result = (key, value, qualifiers = {}) => (value === null ? null : { key, value, qualifiers });
const joined = (value, serial) => (value === null || serial === null ? null : value + serial);

function gtinWith(ai, form) {
  return (body) => {
    const found = parts(body, 3);
    if (found === null) return null;
    const serial = serialOf(found[2], form);
    return serial === null ? null : result("01", gtinOf(found[0], found[1]), { [ai]: serial });
  };
}

/** A number of `length` digits and its check digit, in two parts. */
function plain(key, length) {
  return (body) => {
    const found = parts(body, 2);
    const number = found && numberOf(found[0], found[1], length);
    return number === null ? null : result(key, withCheck(number));
  };
}

/** The same with a serial behind it; `zero` stands before the number. */
function serialised(key, form, zero = "") {
  return (body) => {
    const found = parts(body, 3);
    const number = found && numberOf(found[0], found[1], 12);
    if (number === null) return null;
    return result(key, joined(zero + withCheck(number), serialOf(found[2], form)));
  };
}

/** A company prefix and a reference of a set, at most 30 characters together. */
function free(key, form) {
  return (body) => {
    const found = parts(body, 2);
    if (found === null || !/^[0-9]{6,12}$/.test(found[0])) return null;
    const reference = serialOf(found[1], form);
    return reference === null || !KEYS[key].test(found[0] + reference) ? null : result(key, found[0] + reference);
  };
}

function sscc(body) {
  const found = parts(body, 2);
  if (found === null || !found[1] || numberOf(found[0], found[1], 17) === null) return null;
  return result("00", withCheck(found[1][0] + found[0] + found[1].slice(1)));
}

function sgln(body) {
  const found = parts(body, 3);
  const number = found && numberOf(found[0], found[1], 12);
  const extension = found && serialOf(found[2], SERIAL_20);
  if (number === null || extension === null) return null;
  return result("414", withCheck(number), extension === "0" ? {} : { 254: extension });
}

function cpi(body) {
  const found = parts(body, 3);
  if (found === null || !/^[0-9]{6,12}$/.test(found[0])) return null;
  const reference = /^(?:[A-Z0-9-]|%23|%2[fF])+$/.test(found[1]) ? unescaped(found[1]) : null;
  if (reference === null || !KEYS[8010].test(found[0] + reference)) return null;
  return VALUES[8011].test(found[2]) ? result("8010", found[0] + reference, { 8011: found[2] }) : null;
}

function itip(body) {
  const found = parts(body, 5);
  const gtin = found && gtinOf(found[0], found[1]);
  if (!gtin || !/^[0-9]{2}$/.test(found[2]) || !/^[0-9]{2}$/.test(found[3])) return null;
  const serial = serialOf(found[4], SERIAL_20);
  return serial === null ? null : result("8006", gtin + found[2] + found[3], { 21: serial });
}

const ID = {
  sgtin: gtinWith("21", SERIAL_20),
  upui: gtinWith("235", text(X, 28)),
  sscc,
  sgln,
  pgln: plain("417", 12),
  grai: serialised("8003", text(X, 16), "0"),
  gdti: serialised("253", text(X, 17)),
  sgcn: serialised("255", /^[0-9]{1,12}$/),
  gsrn: plain("8018", 17),
  gsrnp: plain("8017", 17),
  gsin: plain("402", 16),
  giai: free("8004", text(X, 30)),
  ginc: free("401", text(X, 30)),
  cpi,
  itip,
};
const CLASS = { lgtin: gtinWith("10", SERIAL_20) };
// A pattern stands for all serials: the same without one.
const PATTERNS = {
  sgtin: (body) => without(gtinWith("21", SERIAL_20), body),
  upui: (body) => without(gtinWith("235", text(X, 28)), body),
  itip: (body) => without(itip, body),
  cpi: (body) => without((each) => cpi(each.replace(/\*$/, "0")), body),
  grai: (body) => unserialised("8003", "0", body),
  gdti: (body) => unserialised("253", "", body),
  sgcn: (body) => unserialised("255", "", body),
};

function without(read, body) {
  const found = body.endsWith(".*") ? read(body) : null;
  return found && { ...found, qualifiers: {} };
}

function unserialised(key, zero, body) {
  const found = parts(body, 3);
  const number = found && found[2] === "*" ? numberOf(found[0], found[1], 12) : null;
  return number === null ? null : result(key, zero + withCheck(number));
}

const SCHEMES = { id: ID, class: CLASS, idpat: PATTERNS };

/** Read an EPC URN, class URN or pattern URN as the Digital Link that it is; null if it is none. */
export function readUrn(uri) {
  const match = /^urn:epc:([a-z]+):([a-z]+):([^]*)$/i.exec(uri);
  if (match === null) return null;
  const [type, scheme] = [match[1].toLowerCase(), match[2].toLowerCase()];
  if (!Object.hasOwn(SCHEMES, type) || !Object.hasOwn(SCHEMES[type], scheme)) return null;
  return SCHEMES[type][scheme](match[3]);
}

/** Read an identifier: `{ key, value, qualifiers }`, or null if it has no such form. */
export const readIdentifier = (uri) => readUrn(uri) ?? readDigitalLink(uri);

/** Return an identifier's canonical form. */
export function canonical(uri) {
  const found = readIdentifier(uri);
  if (found !== null) return canonicalLink(found);
  const prefix = /^urn:epc:(?:[A-Za-z0-9-]+:){0,2}/i.exec(uri)?.[0] ?? "";
  return prefix.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) + uri.slice(prefix.length);
}

/** Return the GTIN of a pack (its serial or UPUI, or an ITIP's), or null. */
export function gtinOfPack(found) {
  if (found === null) return null;
  const { key, value, qualifiers } = found;
  if (key === "01" && (Object.hasOwn(qualifiers, "21") || Object.hasOwn(qualifiers, "235"))) return value;
  return key === "8006" && Object.hasOwn(qualifiers, "21") ? value.slice(0, 14) : null;
}

/** Return the canonical identifier of a lot. */
export const lotOf = (gtin, lot) => `${BASE}01/${gtin}/10/${escapedText(lot)}`;

/** Escape text of any characters, as the octets of its UTF-8. */
const escapedText = (value) =>
  [...new TextEncoder().encode(value)].map((octet) => escaped(String.fromCharCode(octet))).join("");
