/**
 * The chain's part of a bundle: blocks that are final by the seals that the trust file knows, and what they prove.
 *
 * Nothing that a block is said to hold is used unless it was proven from its header; whether the header is final is
 * found once all headers are there.
 * Source: protocol sections 14 and 18 to 20.
 */

import { compare, equal, toHex, to0x } from "./bytes.js";
import { blockHash, checkNumbers, membersFor, verifyFinal } from "./consensus.js";
import { SealtrailError, translating, wrong } from "./errors.js";
import { badLine } from "./form.js";
import { parseHeader, receiptAt, slotAt, storageRootAt } from "./header.js";
import { majorityOf } from "./votes.js";

const BLOCKS_MAX = 200_000;
const BYTES_MAX = 512 * 1024 * 1024;
const RUN_BLOCKS_MAX = 2_048; // on top of a block: with some of the signers away, the others seal in turn
// What a block after the pinned one is refused for that may come of votes which the trust file does not know: with
// more or fewer signers another one is in turn, and may seal again at another time.
const BY_VOTES = new Set([
  "sealer_unauthorized", "seals_too_few", "difficulty_wrong", "sealer_too_soon", "epoch_signers_wrong",
  "validators_not_voted", "proposer_unauthorized",
]);

const ascends = (list, order) => list.every((each, n) => n === 0 || order(list[n - 1], each) < 0);

export class ChainPart {
  constructor(notebook, trust, proofBlock) {
    this.notebook = notebook;
    this.trust = trust;
    this.proofBlock = BigInt(proofBlock);
    this.blocks = [];
    this.byNumber = new Map();
    this.logs = new Map(); // "block receipt" to its logs
    this.slots = new Map(); // "contract slot" to 32 octets
    this.bytes = 0;
  }

  // -- reading --------------------------------------------------------------------------------------

  add(line, number) {
    this.bytes += line.header.length;
    if (this.blocks.length === BLOCKS_MAX || this.bytes > BYTES_MAX) {
      throw badLine(number, "", "more blocks than a bundle may have");
    }
    const refuse = (error) => badLine(number, "/header", error.message);
    const header = translating(() => parseHeader(line.header), refuse);
    const hash = translating(() => blockHash(header, this.trust.form), refuse);
    const last = this.blocks.at(-1);
    if (last && header.number <= last.header.number) throw badLine(number, "/header", "blocks do not ascend");
    const isProofBlock = header.number === this.proofBlock;
    if (line.accounts.length && !isProofBlock) throw badLine(number, "/accounts", "only in the proof block");
    const block = { header, hash, proves: isProofBlock || line.receipts.length > 0 };
    this.blocks.push(block);
    this.byNumber.set(String(header.number), block);
    this.addReceipts(line.receipts, header, number);
    this.addAccounts(line.accounts, header, number);
  }

  addReceipts(receipts, header, number) {
    if (!ascends(receipts, (a, b) => a.index - b.index)) throw badLine(number, "/receipts", "they do not ascend");
    for (const { index, proof } of receipts) {
      this.proving(`receipt ${index} of block ${header.number}`, () =>
        this.logs.set(`${header.number} ${index}`, receiptAt(header, index, proof).logs));
    }
  }

  addAccounts(accounts, header, number) {
    if (!ascends(accounts, (a, b) => compare(a.address, b.address))) {
      throw badLine(number, "/accounts", "they do not ascend");
    }
    accounts.forEach(({ address, proof, slots }, n) => {
      if (!ascends(slots, (a, b) => compare(a.slot, b.slot))) {
        throw badLine(number, `/accounts/${n}/slots`, "they do not ascend");
      }
      this.proving(`state of ${to0x(address)}`, () => {
        const root = storageRootAt(header, address, proof);
        for (const each of slots) {
          this.slots.set(`${toHex(address)} ${toHex(each.slot)}`, slotAt(root, each.slot, each.proof));
        }
      });
    });
  }

  proving(place, act) {
    try {
      act();
    } catch (error) {
      this.notebook.error("chain", error, place);
    }
  }

  // -- once all blocks are there ----------------------------------------------------------------------

  close(minBlock) {
    const { pinned, form } = this.trust;
    const known = this.byNumber.get(String(pinned.block));
    if (known && !equal(known.hash, pinned.hash)) {
      this.notebook.fails("chain", "pinned_block_differs", `block ${pinned.block} is ${to0x(known.hash)}`);
    }
    this.checkAge(minBlock);
    const used = form.name === "none" ? this.linked() : this.sealed();
    this.blocks.forEach(({ header }, at) => {
      if (!used.has(at)) {
        this.notebook.fails("chain", "block_unused", "it proves nothing, nor seals one that does", `block ${header.number}`);
      }
    });
  }

  checkAge(minBlock) {
    const proof = this.byNumber.get(String(this.proofBlock));
    const pinned = BigInt(this.trust.pinned.block);
    if (!proof) {
      this.notebook.fails("chain", "proof_block_missing", `block ${this.proofBlock} is not there`);
    } else if (minBlock !== null && this.proofBlock < BigInt(minBlock)) {
      const reason = `it ends at block ${this.proofBlock}, at least ${minBlock} was asked for`;
      this.notebook.fails("chain", "chain_truncated", reason);
    } else if (minBlock === null && this.proofBlock < pinned) {
      const reason = `it ends at block ${this.proofBlock}, the trust file knows block ${pinned}`;
      this.notebook.unknown("chain", "older_than_trust", reason);
    }
  }

  /** Return for each block the place behind the last of those that follow it without a gap. */
  endsOfRuns() {
    const ends = this.blocks.map((_, at) => at + 1);
    for (let at = ends.length - 2; at >= 0; at--) {
      const [block, after] = [this.blocks[at], this.blocks[at + 1]];
      const follows = after.header.number === block.header.number + 1n && equal(after.header.parentHash, block.hash);
      if (follows) ends[at] = ends[at + 1];
    }
    return ends;
  }

  /** Check the seals of each block that proves something; return the places of all that were needed for that. */
  sealed() {
    const used = new Set();
    const ends = this.endsOfRuns();
    let known = 0; // up to where places are in it
    this.blocks.forEach((block, at) => {
      if (!block.proves) return;
      const until = at + this.checkSealed(block, at, Math.min(ends[at] - at, RUN_BLOCKS_MAX));
      for (let n = Math.max(at, known); n < until; n++) used.add(n);
      known = Math.max(known, until);
    });
    return used;
  }

  /** Return how many headers, this one and those on top, were needed; `longest`: how many follow each other. */
  checkSealed(block, at, longest) {
    const { form, intervals } = this.trust;
    let count = 1;
    if (form.name === "clique") count += majorityOf(membersFor(intervals, block.header.number + 1n).length);
    for (;;) {
      try {
        const run = this.blocks.slice(at, at + Math.min(count, longest)).map((each) => each.header);
        const finality = verifyFinal(run, form, intervals);
        if (block.header.number === this.proofBlock) this.finality = finality;
        return Math.min(count, longest);
      } catch (error) {
        const more = error instanceof SealtrailError && error.code === "seals_too_few" && count < longest;
        if (!more) {
          this.notFinal(block, error);
          return longest;
        }
        count++; // some sealed twice
      }
    }
  }

  notFinal({ header }, error) {
    if (error instanceof SealtrailError && header.number > BigInt(this.trust.pinned.block) && BY_VOTES.has(error.code)) {
      const reason = `${error.message}; who may seal is known up to block ${this.trust.pinned.block}`;
      this.notebook.unknown("chain", "validators_unknown", reason, `block ${header.number}`);
    } else {
      this.notebook.error("chain", error, `block ${header.number}`);
    }
  }

  /** Find whether the blocks are one chain through the pinned one; return their places. */
  linked() {
    const whole = this.blocks.length > 0 && this.endsOfRuns()[0] === this.blocks.length;
    if (!whole || !this.byNumber.has(String(this.trust.pinned.block))) {
      const reason = `a chain without seals, and not linked to block ${this.trust.pinned.block}`;
      this.notebook.unknown("chain", "pinned_block_missing", reason);
    }
    for (const { header } of this.blocks) this.proving(`block ${header.number}`, () => checkNumbers(header));
    return new Set(this.blocks.keys());
  }

  // -- what is proven ---------------------------------------------------------------------------------

  timeOf(number) {
    return Number(this.byNumber.get(String(number)).header.time);
  }

  /** Return the log that stands there. @throws log_missing. */
  logAt({ block, receipt, log }) {
    const found = this.logs.get(`${block} ${receipt}`)?.[log];
    if (!found) throw wrong("log_missing", `log ${log} of receipt ${receipt} in block ${block} is not proven`);
    return found;
  }

  /** Return what a contract has in a slot at the proof block. @throws slot_missing. */
  storage(contract, slot) {
    const value = this.slots.get(`${toHex(contract)} ${toHex(slot)}`);
    if (!value) throw wrong("slot_missing", `slot ${to0x(slot)} is not proven at block ${this.proofBlock}`);
    return value;
  }
}
