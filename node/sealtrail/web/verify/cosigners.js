/**
 * Cosignatures under a bundle's checkpoints: whose count, and whether there are enough.
 *
 * Source: protocol sections 7, 15 and 20 (step 11).
 */

import { equal, to0x, toHex } from "./bytes.js";
import { keyId, verifyCosignature, COSIGNED } from "./checkpoint.js";
import { originOf } from "./entry.js";
import { isValidAt, PURPOSE } from "./record.js";

const witnessName = (network, member) => originOf(network, member).replace("sealtrail/", "sealtrail-witness/");

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
      this.known.set(`${name} ${toHex(keyId(name, COSIGNED, key))}`, { name, key, member });
    for (const { name, key } of this.named) add(name, key, null);
    for (const { member, keys } of this.members.latestRecords()) {
      for (const { purpose, publicKey, ...key } of keys) {
        const isWitness = purpose === PURPOSE.witness && isValidAt(key, this.members.proofBlock);
        if (isWitness && !key.compromiseReported) add(witnessName(this.network, member), publicKey, member);
      }
    }
    return this.known;
  }

  /** Return the known witnesses that cosigned a checkpoint of a member's log; nobody is his own witness. */
  async check(member, note, place) {
    const found = [];
    for (const line of note.signatures) {
      const witness = this.witnesses().get(`${line.name} ${toHex(line.keyId)}`);
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
