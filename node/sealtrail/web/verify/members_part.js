/**
 * The members' part of a bundle: every version of a record where it was recorded, the latest against storage.
 *
 * Source: protocol sections 11, 18 and 20 (step 4).
 */

import { compare, equal, toHex, to0x } from "./bytes.js";
import { translating, unavailable, wrong } from "./errors.js";
import { badLine } from "./form.js";
import { findKey, isCompromisedAt, isValidAt, parseRecord, readRecorded, recordDigest, recordDigestSlot } from "./record.js";

const MEMBERS_MAX = 10_000;
const BYTES_MAX = 64 * 1024 * 1024;

export class MembersPart {
  constructor(notebook, chain, network, proofBlock) {
    this.notebook = notebook;
    this.chain = chain;
    this.network = network;
    this.proofBlock = proofBlock;
    this.members = new Map(); // by hex: [{ block, record }] in order of version
    this.last = null;
    this.bytes = 0;
  }

  add(line, number) {
    if (this.last && compare(this.last, line.member) >= 0) throw badLine(number, "/member", "members do not ascend");
    this.last = line.member;
    this.bytes += line.records.reduce((sum, each) => sum + each.record.length, 0);
    if (this.members.size === MEMBERS_MAX || this.bytes > BYTES_MAX) {
      throw badLine(number, "", "more members than a bundle may have");
    }
    const versions = line.records.map((each, n) => ({
      block: each.block,
      record: translating(
        () => parseRecord(each.record),
        (error) => badLine(number, `/records/${n}/record`, error.message),
      ),
    }));
    if (!versions.length) throw badLine(number, "/records", "there are none");
    this.members.set(toHex(line.member), versions);
    try {
      this.check(line);
    } catch (error) {
      this.notebook.error("members", error, `member ${to0x(line.member)}`);
    }
  }

  check({ member, records }) {
    let before = 0;
    records.forEach((each, n) => {
      const found = readRecorded(this.chain.logAt(each), this.network.registry);
      const same = equal(found.member, member) && found.version === BigInt(n + 1) && equal(found.record, each.record);
      if (!same) throw wrong("record_differs", `version ${n + 1} is not what block ${each.block} recorded`);
      if (each.block < before || each.block > this.proofBlock) {
        throw wrong("record_out_of_order", `version ${n + 1} in block ${each.block}`);
      }
      before = each.block;
    });
    const stored = this.chain.storage(this.network.registry, recordDigestSlot(member));
    if (!equal(stored, recordDigest(records.at(-1).record))) {
      throw wrong("record_not_latest", `the registry has ${to0x(stored)} at block ${this.proofBlock}`);
    }
  }

  /** Return a member's latest record. @throws member_not_in_bundle. */
  latest(member) {
    const versions = this.members.get(toHex(member));
    if (!versions) throw unavailable("member_not_in_bundle", `the bundle has no record of ${to0x(member)}`);
    return versions.at(-1).record;
  }

  /** Check that the member was recorded at a block. @throws member_unknown, member_not_in_bundle. */
  checkKnownAt(member, block) {
    this.latest(member);
    if (!this.members.get(toHex(member)).some((version) => version.block <= block)) {
      throw wrong("member_unknown", `${to0x(member)} was no member yet at block ${block}`);
    }
  }

  /** Check that a key of that purpose was a member's at a block. @throws what section 10, step 7 says. */
  checkKey(member, purpose, publicKey, block, name) {
    this.checkKnownAt(member, block);
    const key = findKey(this.latest(member), purpose, publicKey);
    if (key === null || !isValidAt(key, block)) {
      throw wrong(`${name}_unknown`, `${to0x(publicKey)} is no such key of the member at block ${block}`);
    }
    if (isCompromisedAt(key, block)) {
      throw unavailable(`${name}_compromised`, `${to0x(publicKey)} was reported compromised since then or before`);
    }
  }

  /** Return a member's public keys of a purpose that are valid at a block. */
  keysAt(member, purpose, block) {
    return this.latest(member)
      .keys.filter((key) => key.purpose === purpose && isValidAt(key, block))
      .map((key) => key.publicKey);
  }

  /** Return the latest record of every member that the bundle has. */
  latestRecords() {
    return [...this.members.values()].map((versions) => versions.at(-1).record);
  }

  name(member) {
    return this.members.get(toHex(member))?.at(-1).record.name || to0x(member);
  }
}
