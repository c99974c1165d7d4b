/**
 * Block headers, and what is proven from them: receipts with their logs, accounts, storage slots.
 *
 * Source: protocol sections 14.1 and 14.6.
 */

import { fromNumber, padLeft } from "./bytes.js";
import { malformed, translating, wrong } from "./errors.js";
import { keccak256 } from "./keccak.js";
import { decodeRlp, encodeRlp, numberBytes, readNumber } from "./rlp.js";
import { EMPTY_TRIE_ROOT, valueInTrie } from "./trie.js";

const HEADER_BYTES_MAX = 131_072;
const LENGTHS = new Set([15, 16, 17, 20, 21]);
// By place in the list: a number of octets, or { number: at most so many octets }, or null for any octets.
const number = (bytes) => ({ number: bytes });
const FORM = [
  32, 32, 20, 32, 32, 32, 256, number(32), number(8), number(8), number(8), number(8), null, 32, 8, // to Berlin
  number(32), 32, number(8), number(8), 32, 32,
];
export const PLACE = Object.freeze({
  parentHash: 0, unclesHash: 1, beneficiary: 2, stateRoot: 3, receiptsRoot: 5, difficulty: 7, number: 8,
  gasLimit: 9, gasUsed: 10, time: 11, extraData: 12, mixHash: 13, nonce: 14,
});

export const NO_UNCLES = keccak256(encodeRlp([]));

function checkField(item, form, n) {
  const fail = () => malformed("header_malformed", `not a block header: item ${n} is malformed`);
  if (Array.isArray(item)) throw fail();
  if (form === null) return;
  if (typeof form === "number" ? item.length !== form : readNumber(item, form.number) === null) throw fail();
}

/** Read a header's RLP. Numbers are BigInt. @throws header_malformed. */
export function parseHeader(bytes) {
  const fail = (what) => malformed("header_malformed", `not a block header: ${what}`);
  if (bytes.length > HEADER_BYTES_MAX) throw fail("more than 131,072 bytes");
  const items = translating(() => decodeRlp(bytes), (error) => fail(error.message));
  if (!Array.isArray(items) || !LENGTHS.has(items.length)) throw fail("another number of items");
  items.forEach((item, n) => checkField(item, FORM[n], n));
  const header = { items };
  for (const [name, n] of Object.entries(PLACE)) {
    header[name] = typeof FORM[n] === "object" && FORM[n] !== null ? readNumber(items[n], 32) : items[n];
  }
  return header;
}

/** Return Keccak-256 of a header with other extra data. */
export function hashWithExtra(header, extraData) {
  const items = [...header.items];
  items[PLACE.extraData] = extraData;
  return keccak256(encodeRlp(items));
}

export const plainHash = (header) => keccak256(encodeRlp(header.items));

// -- receipts ---------------------------------------------------------------------------------------

const badReceipt = (what) => wrong("receipt_malformed", `not a receipt: ${what}`);

function readLog(item) {
  const isOctets = (each, length) => !Array.isArray(each) && each.length === length;
  const [address, topics, data] = item;
  if (!Array.isArray(item) || item.length !== 3 || Array.isArray(data)) throw badReceipt("a log that is none");
  if (!isOctets(address, 20)) throw badReceipt("a log without an address");
  if (!Array.isArray(topics) || topics.length > 4 || !topics.every((each) => isOctets(each, 32))) {
    throw badReceipt("topics that are none");
  }
  return { address, topics, data };
}

/** Read a receipt; return its logs, or none if its transaction failed. @throws receipt_malformed. */
export function parseReceipt(bytes) {
  const typed = bytes.length > 0 && bytes[0] >= 1 && bytes[0] <= 4;
  const items = translating(
    () => decodeRlp(typed ? bytes.subarray(1) : bytes),
    (error) => badReceipt(error.message),
  );
  if (!Array.isArray(items) || items.length !== 4) throw badReceipt("not a list of four");
  const [status, gas, bloom, logs] = items;
  const isStatus = status.length === 0 || (status.length === 1 && status[0] === 1);
  if (Array.isArray(status) || !(isStatus || (!typed && status.length === 32))) throw badReceipt("no status");
  if (readNumber(gas, 8) === null) throw badReceipt("no gas");
  if (Array.isArray(bloom) || bloom.length !== 256 || !Array.isArray(logs)) throw badReceipt("no logs");
  return { succeeded: status.length !== 0, logs: logs.map(readLog) };
}

/** Return the proven receipt of a block's transaction. @throws receipt_absent, and what a trie proof throws. */
export function receiptAt(header, index, nodes) {
  const value = valueInTrie(header.receiptsRoot, encodeRlp(numberBytes(index)), nodes);
  if (value === null) throw wrong("receipt_absent", `the block has no receipt ${index}`);
  return parseReceipt(value);
}

// -- state ------------------------------------------------------------------------------------------

/** Return the storage root of a proven account; that of empty storage if there is no account. */
export function storageRootAt(header, address, nodes) {
  const value = valueInTrie(header.stateRoot, keccak256(address), nodes);
  if (value === null) return EMPTY_TRIE_ROOT;
  const fail = () => wrong("account_malformed", "an account that is none");
  const items = translating(() => decodeRlp(value), fail);
  if (!Array.isArray(items) || items.length !== 4 || items.some(Array.isArray)) throw fail();
  if (readNumber(items[0], 8) === null || readNumber(items[1], 32) === null) throw fail();
  if (items[2].length !== 32 || items[3].length !== 32) throw fail();
  return items[2];
}

/** Return what a proven slot holds, as 32 octets. */
export function slotAt(storageRoot, slot, nodes) {
  const value = valueInTrie(storageRoot, keccak256(slot), nodes);
  if (value === null) return fromNumber(0, 32);
  const fail = () => wrong("storage_malformed", "a slot's value that is no number");
  const octets = translating(() => decodeRlp(value), fail);
  if (Array.isArray(octets) || !octets.length || readNumber(octets, 32) === null) throw fail();
  return padLeft(octets, 32);
}
