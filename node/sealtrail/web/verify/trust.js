/**
 * The trust file: what the reader of a bundle takes as given.
 *
 * Source: protocol section 19.
 */

import { equal, EMPTY, toHex, to0x } from "./bytes.js";
import { malformed, translating } from "./errors.js";
import { parseJson } from "./json.js";
import { networkShape } from "./network.js";
import { parseRecord } from "./record.js";
import { base64, count, hex, listOf, object, oneOf, optional, shaped, tableOf, text } from "./shape.js";

const BYTES_MAX = 4 * 1024 * 1024;
const ADDRESS = /^0x[0-9a-f]{40}$/;
const name = text(1024);
const maybe = (type, unless) => optional(type, unless, { spelt: true });

const shape = object({
  type: oneOf("sealtrail/trust/1"),
  network: networkShape,
  consensus: object({
    form: oneOf("clique", "qbft", "ibft2", "none"),
    epoch: maybe(count(1, 2 ** 32), 30_000),
  }),
  validators: maybe(listOf(object({ from: count(), validators: listOf(hex(20)) })), () => []),
  pinned: object({ block: count(), hash: hex(32), time: count() }),
  operators: maybe(tableOf(ADDRESS, name), () => new Map()),
  members: maybe(
    listOf(object({ member: hex(20), name: maybe(name, ""), record: maybe(base64, EMPTY) })),
    () => [],
  ),
  anchor_delay_seconds: maybe(count(1, 10 * 365 * 86_400), 86_400),
  cosignatures: maybe(
    object({
      needed: maybe(count(0, 1000), 0),
      witnesses: maybe(listOf(object({ name, public_key: hex(32) })), () => []),
    }),
    () => ({ needed: 0, witnesses: [] }),
  ),
});

const refuse = (pointer, what) => malformed("trust_malformed", what, pointer || "/");

/** Read a trust file. @throws trust_malformed, trust_too_large. */
export function parseTrust(bytes) {
  if (bytes.length > BYTES_MAX) throw malformed("trust_too_large", `${bytes.length} bytes, at most ${BYTES_MAX}`);
  const trust = shaped(() => shape(parseJson(bytes, "trust_malformed"), ""), refuse);
  trust.members.forEach(checkRecord);
  checkValidators(trust);
  const { needed, witnesses } = trust.cosignatures;
  const keys = new Set(witnesses.map((each) => toHex(each.public_key)));
  const names = new Set(witnesses.map((each) => each.name));
  if (keys.size && needed > Math.min(keys.size, names.size)) throw refuse("/cosignatures/needed", "more than there are witnesses");
  const intervals = trust.validators.map((each) => ({ from: each.from, members: each.validators.map(toHex).sort() }));
  return { ...trust, form: { name: trust.consensus.form, epoch: trust.consensus.epoch }, intervals };
}

function checkRecord({ member, record }, n) {
  if (!record.length) return;
  const place = `/members/${n}/record`;
  const read = translating(() => parseRecord(record), (error) => refuse(place, error.message));
  if (!equal(read.member, member)) throw refuse(place, `the record of ${to0x(read.member)}`);
}

function checkValidators({ validators, consensus, pinned }) {
  if (consensus.form === "none") {
    if (validators.length) throw refuse("/validators", "a chain without seals has none");
    return;
  }
  if (!validators.length || validators[0].from > 1) throw refuse("/validators", "the first begins at block 0 or 1");
  validators.forEach((each, n) => {
    if (n && each.from <= validators[n - 1].from) throw refuse("/validators", "not in ascending order");
    const distinct = new Set(each.validators.map(toHex));
    if (!distinct.size || distinct.size !== each.validators.length) {
      throw refuse(`/validators/${n}`, "no validators, or one twice");
    }
  });
  if (validators.at(-1).from > pinned.block + 1) throw refuse("/validators", "of blocks after the pinned one");
}
