/**
 * A member's record as the registry has it: decoded, encoded again, and compared.
 *
 * Source: protocol section 11; the contract ABI specification, "Formal specification of the encoding".
 */

import { concat, equal, fromNumber, isZero, padLeft, shownText, toBigInt, utf8 } from "./bytes.js";
import { malformed, wrong } from "./errors.js";
import { keccak256 } from "./keccak.js";

export const PURPOSE = Object.freeze({ event: 1, operator: 2, log: 3, peer: 4, witness: 5 });
export const ROLE = Object.freeze({ regulator: 16, auditor: 32 });
export const ACTIVE = 1;

const LISTS_MAX = 4096; // the contract allows 256 each, and one more key for each recovery
const RECORD_BYTES_MAX = 1024 * 1024;
const RECORDED = keccak256(utf8("MemberRecorded(address,uint64,bytes)"));
const ANCHORED = keccak256(utf8("Anchored(address,uint64,bytes32,bool)"));

const fail = (what) => malformed("record_malformed", `not a member's record: ${what}`);

/** Reads words of an ABI encoding; `base` is where offsets count from. */
class Words {
  constructor(bytes, base = 0) {
    this.bytes = bytes;
    this.base = base;
  }

  word(n) {
    const at = this.base + 32 * n;
    if (at + 32 > this.bytes.length) throw fail("it ends too early");
    return this.bytes.subarray(at, at + 32);
  }

  number(n, bits) {
    const value = toBigInt(this.word(n));
    if (value >> BigInt(bits)) throw fail(`a number of more than ${bits} bits`);
    return bits <= 48 ? Number(value) : value;
  }

  /** Return the reader of what the offset in word n points to. */
  behind(n) {
    return new Words(this.bytes, this.base + this.number(n, 32));
  }

  string(n) {
    const start = this.behind(n);
    const length = start.number(0, 32);
    const at = start.base + 32;
    if (at + length > this.bytes.length) throw fail("it ends too early");
    return this.bytes.subarray(at, at + length);
  }

  /** Return what `read` gives for each of a list's elements; `heads` words each (0: an offset each). */
  list(n, heads, read) {
    const start = this.behind(n);
    const count = start.number(0, 32);
    if (count > LISTS_MAX) throw fail("a list that is too long");
    const elements = new Words(this.bytes, start.base + 32);
    return Array.from({ length: count }, (_, k) =>
      heads ? read(new Words(this.bytes, elements.base + 32 * heads * k)) : read(elements, k),
    );
  }
}

const readKey = (words) => ({
  purpose: words.number(0, 8),
  publicKey: words.word(1),
  validFrom: words.number(2, 40),
  validUntil: words.number(3, 40),
  compromisedSince: words.number(4, 40),
  compromiseReported: words.number(5, 40),
  recovered: words.number(6, 1) === 1,
});

function readRight(elements, n) {
  const words = elements.behind(n);
  return { digits: words.string(0), validFrom: words.number(1, 64), validUntil: words.number(2, 64) };
}

const encodedString = (bytes) =>
  concat(fromNumber(bytes.length, 32), bytes, new Uint8Array((32 - (bytes.length % 32)) % 32));

/** Join heads and tails: a part that is an array stands behind, and its offset in its place. */
function encodedTuple(parts) {
  const heads = [];
  const tails = [];
  let offset = 32 * parts.length;
  for (const part of parts) {
    if (Array.isArray(part)) {
      heads.push(fromNumber(offset, 32));
      tails.push(part[0]);
      offset += part[0].length;
    } else {
      heads.push(part);
    }
  }
  return concat(...heads, ...tails);
}

const encodedList = (elements) => concat(fromNumber(elements.length, 32), encodedTuple(elements));
const word = (number) => fromNumber(number, 32);

/** Return a record's octets. */
export function encodeRecord(record) {
  const rights = record.rights.map((right) => [
    encodedTuple([[encodedString(right.digits)], word(right.validFrom), word(right.validUntil)]),
  ]);
  const keys = record.keys.map((key) =>
    concat(
      word(key.purpose),
      key.publicKey,
      word(key.validFrom),
      word(key.validUntil),
      word(key.compromisedSince),
      word(key.compromiseReported),
      word(key.recovered ? 1 : 0),
    ),
  );
  const tuple = encodedTuple([
    padLeft(record.member, 32),
    word(record.version),
    word(record.status),
    word(record.roles),
    [encodedString(record.nameBytes)],
    [encodedString(record.nodeUrl)],
    [encodedList(record.glns.map((gln) => [encodedString(gln)]))],
    [encodedList(rights)],
    [concat(word(keys.length), ...keys)],
  ]);
  return concat(word(32), tuple);
}

/** Read a record's octets. @throws record_malformed. */
export function parseRecord(bytes) {
  if (bytes.length > RECORD_BYTES_MAX) throw fail("more than a megabyte");
  const words = new Words(bytes).behind(0);
  const member = words.word(0);
  const record = {
    member: member.subarray(12),
    version: words.number(1, 64),
    status: words.number(2, 8),
    roles: words.number(3, 16),
    nameBytes: words.string(4),
    nodeUrl: words.string(5),
    glns: words.list(6, 0, (elements, n) => elements.string(n)),
    rights: words.list(7, 0, readRight),
    keys: words.list(8, 7, readKey),
  };
  if (!isZero(member.subarray(0, 12))) throw fail("its member is no address");
  checkValues(record);
  if (!equal(encodeRecord(record), bytes)) throw fail("another spelling than its one byte form");
  return { ...record, name: shownText(record.nameBytes) };
}

function checkValues(record) {
  if (record.status !== 1 && record.status !== 2) throw fail(`status ${record.status}`);
  if (record.roles & ~0x3f) throw fail(`roles ${record.roles}`);
  for (const key of record.keys) {
    if (key.purpose < 1 || key.purpose > 5) throw fail(`a key's purpose ${key.purpose}`);
  }
}

export const recordDigest = (bytes) => keccak256(bytes);

/** Return the key of a record by its purpose and public key: 20 octets or 32. */
export function findKey(record, purpose, publicKey) {
  const padded = padLeft(publicKey, 32);
  return record.keys.find((key) => key.purpose === purpose && equal(key.publicKey, padded)) ?? null;
}

export const isValidAt = (key, block) =>
  key.validFrom <= block && (key.validUntil === 0 || block < key.validUntil);

/** Tell whether its owner says that others had the key at that block. */
export const isCompromisedAt = (key, block) =>
  key.compromisedSince !== 0 && key.compromisedSince <= block;

// -- what the contracts store and emit --------------------------------------------------------------

const mappingSlot = (member, slot) => keccak256(padLeft(member, 32), word(slot));

export const recordDigestSlot = (member) => mappingSlot(member, 4);

/** Return the slots of the Anchors contract: of the next sequence, and of the latest checkpoint hash. */
export function anchorSlots(member) {
  const first = mappingSlot(member, 0);
  return [first, fromNumber((toBigInt(first) + 1n) & ((1n << 256n) - 1n), 32)];
}

function memberAndNumber(log, contract, topic, name) {
  const differs = (what) => wrong("log_differs", `not the event ${name}: ${what}`);
  if (!equal(log.address, contract)) throw wrong("log_of_another_contract", `${name} of another contract`);
  if (log.topics.length !== 3 || !equal(log.topics[0], topic)) throw differs("its topics are another event's");
  const [, member, number] = log.topics;
  if (!isZero(member.subarray(0, 12)) || !isZero(number.subarray(0, 24))) {
    throw differs("its topics are no address and number");
  }
  return [member.subarray(12), toBigInt(number)];
}

/** Read an `Anchored` event. @throws log_of_another_contract, log_differs. */
export function readAnchored(log, anchors) {
  const [member, sequence] = memberAndNumber(log, anchors, ANCHORED, "Anchored");
  const flag = log.data.subarray(32);
  if (log.data.length !== 64 || !isZero(flag.subarray(0, 31)) || flag[31] > 1) {
    throw wrong("log_differs", "not the event Anchored: its data are not a hash and a flag");
  }
  return { member, sequence, checkpointHash: log.data.subarray(0, 32), suspended: flag[31] === 1 };
}

/** Read a `MemberRecorded` event. @throws log_of_another_contract, log_differs. */
export function readRecorded(log, registry) {
  const [member, version] = memberAndNumber(log, registry, RECORDED, "MemberRecorded");
  const differs = () => wrong("log_differs", "not the event MemberRecorded: its data are not one byte string");
  const length = log.data.length >= 64 ? toBigInt(log.data.subarray(32, 64)) : -1n;
  if (length < 0n || length > BigInt(log.data.length - 64)) throw differs();
  const record = log.data.subarray(64, 64 + Number(length));
  if (!equal(log.data, concat(word(32), encodedString(record)))) throw differs();
  return { member, version, record };
}
