/**
 * What others signed under a bundle's checkpoints: cosignatures, whose count, and whether there are enough; index audits.
 *
 * Source: protocol sections 7, 15, 16 and 20 (steps 11 and 13).
 */

import { equal, to0x, toHex } from "./bytes.js";
import { AUDITED, COSIGNED, keyId, verifyCosignature, verifyIndexAudit } from "./checkpoint.js";
import { originOf } from "./entry.js";
import { ACTIVE, isValidAt, PURPOSE, ROLE } from "./record.js";

const nameOf = (network, member, first) => originOf(network, member).replace("sealtrail/", first);
const lineId = (name, id) => `${name} ${toHex(id)}`;

export class Cosigners {
  constructor(notebook, trust, members, network) {
    this.notebook = notebook;
    this.needed = trust.cosignatures.needed;
    this.named = trust.cosignatures.witnesses.map((each) => ({ name: each.name, key: each.public_key }));
    this.members = members;
    this.network = network;
    this.known = null;
  }

  /** Return the known witnesses, `{ name, key, member }`, by name and key id; a member's own keys among them. */
  witnesses() {
    if (this.known !== null) return this.known;
    this.known = new Map();
    const add = (name, key, member) =>
      this.known.set(lineId(name, keyId(name, COSIGNED, key)), { name, key, member });
    for (const { name, key } of this.named) add(name, key, null);
    for (const record of this.members.latestRecords()) {
      const name = nameOf(this.network, record.member, "sealtrail-witness/");
      for (const key of this.witnessKeys(record)) add(name, key, record.member);
    }
    return this.known;
  }

  witnessKeys({ keys }) {
    return keys
      .filter((key) => key.purpose === PURPOSE.witness && isValidAt(key, this.members.proofBlock) && !key.compromiseReported)
      .map((key) => key.publicKey);
  }

  /** Return how many members audited the item index of a member's checkpoint; wrong lines of auditors are noted. */
  async auditors(member, note, place) {
    const found = new Set();
    for (const record of this.members.latestRecords()) {
      const isAuditor = record.status === ACTIVE && record.roles & (ROLE.regulator | ROLE.auditor);
      if (!isAuditor || equal(record.member, member)) continue;
      const name = nameOf(this.network, record.member, "sealtrail-index-audit/");
      for (const key of this.witnessKeys(record)) {
        const id = lineId(name, keyId(name, AUDITED, key));
        for (const line of note.signatures.filter((each) => lineId(each.name, each.keyId) === id)) {
          try {
            await verifyIndexAudit(note, line, key);
            found.add(name);
          } catch (error) {
            this.notebook.error("cosignatures", error, place);
          }
        }
      }
    }
    return found.size;
  }

  /** Return the known witnesses that cosigned a checkpoint of a member's log; nobody is his own witness. */
  async check(member, note, place) {
    const found = [];
    for (const line of note.signatures) {
      const witness = this.witnesses().get(lineId(line.name, line.keyId));
      if (witness === undefined || (witness.member !== null && equal(witness.member, member))) continue;
      try {
        await verifyCosignature(note, line, witness.key);
        found.push(witness);
      } catch (error) {
        this.notebook.error("cosignatures", error, place);
      }
    }
    return found;
  }

  /** Note it if a covered log's last checkpoint has fewer than the trust file demands. */
  require(member, found) {
    const isNamed = ({ name, key }) => this.named.some((each) => each.name === name && equal(each.key, key));
    const counted = this.named.length
      ? new Set(found.filter(isNamed).map(({ key }) => toHex(key)))
      : new Set(found.map(({ name }) => name));
    if (counted.size < this.needed) {
      const reason = `${counted.size} known witnesses cosigned it, ${this.needed} are demanded`;
      this.notebook.fails("cosignatures", "cosignatures_too_few", reason, `log of ${to0x(member)}`);
    }
  }
}
