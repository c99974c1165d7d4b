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

/**
 * Return how many there are at most of which no two have a name or a key in common.
 *
 * A signature does not say under which name it was made: whoever has another's key registered as his own can show its
 * signatures once more.
 */
function countDistinct(signers) {
  const keysOf = new Map();
  for (const { name, key } of signers) keysOf.set(name, [...(keysOf.get(name) ?? []), toHex(key)]);
  const taken = new Map(); // key to the name that it counts for
  const place = (name, tried) =>
    keysOf.get(name).some((key) => {
      if (tried.has(key)) return false;
      tried.add(key);
      if (taken.has(key) && !place(taken.get(key), tried)) return false;
      taken.set(key, name);
      return true;
    });
  for (const name of keysOf.keys()) place(name, new Set());
  return taken.size;
}

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
      .filter((key) => key.purpose === PURPOSE.witness && isValidAt(key, this.members.proofBlock) && !key.compromisedSince)
      .map((key) => key.publicKey);
  }

  /** Return whether a member has or had that witness key: by whatever name it signs, it is no other. */
  isOwn(member, key) {
    const record = this.members.latestRecords().find((each) => equal(each.member, member));
    return record !== undefined && record.keys.some((each) => each.purpose === PURPOSE.witness && equal(each.publicKey, key));
  }

  /** Return how many members audited the item index of a member's checkpoint; wrong lines of auditors are noted. */
  async auditors(member, note, place) {
    const found = [];
    for (const record of this.members.latestRecords()) {
      const isAuditor = record.status === ACTIVE && record.roles & (ROLE.regulator | ROLE.auditor);
      if (!isAuditor || equal(record.member, member)) continue;
      const name = nameOf(this.network, record.member, "sealtrail-index-audit/");
      for (const key of this.witnessKeys(record).filter((each) => !this.isOwn(member, each))) {
        const id = lineId(name, keyId(name, AUDITED, key));
        for (const line of note.signatures.filter((each) => lineId(each.name, each.keyId) === id)) {
          try {
            await verifyIndexAudit(note, line, key);
            found.push({ name, key });
          } catch (error) {
            this.notebook.error("cosignatures", error, place);
          }
        }
      }
    }
    return countDistinct(found);
  }

  /** Return the known witnesses that cosigned a checkpoint of a member's log; nobody is his own witness. */
  async check(member, note, place) {
    const found = [];
    for (const line of note.signatures) {
      const witness = this.witnesses().get(lineId(line.name, line.keyId));
      if (witness === undefined || (witness.member !== null && equal(witness.member, member))) continue;
      if (this.isOwn(member, witness.key)) continue;
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
    const counted = countDistinct(this.named.length ? found.filter(isNamed) : found);
    if (counted < this.needed) {
      const reason = `${counted} known witnesses cosigned it, ${this.needed} are demanded`;
      this.notebook.fails("cosignatures", "cosignatures_too_few", reason, `log of ${to0x(member)}`);
    }
  }
}
