/**
 * One section of a bundle: a log as a tree of which some leaves are shown, its checkpoints, anchors and item lists.
 *
 * Source: protocol sections 16, 18 and 20 (steps 7 to 12).
 */

import { equal, split, toBigInt, toHex, to0x } from "./bytes.js";
import { countCosignatures, parseNote, verifyNote } from "./checkpoint.js";
import { isEvent, itemKey, KIND, originOf, parseLeaf } from "./entry.js";
import { entrySteps } from "./entry_steps.js";
import { SealtrailError, translating, wrong } from "./errors.js";
import { itemsOf } from "./event.js";
import { badLine, compareItems } from "./form.js";
import { parseIndexDocument, verifyItemProof } from "./item_index.js";
import { anchorSlots, PURPOSE, readAnchored } from "./record.js";
import { COULD_NOT_CHECK, DOES_NOT_HOLD } from "./report.js";
import { leafHash, SparseTree } from "./tree.js";

const ENTRIES_MAX = 50_000; // of a question about items: they are looked at together
const ENTRY_BYTES_MAX = 256 * 1024 * 1024;
const ITEM_PROOFS_MAX = 10_000;
const CLOCK_MS_TOLERANCE = 3_600_000n; // between members' clocks and the chain's
const OTHER_MEDIA_TYPE = "application/json";
// A step that what was left out would have shown is counted as withheld, and no reason against the entry.
const NOT_GIVEN = new Set(["content_withheld", "seed_withheld", "item_keys_withheld", "item_salt_withheld"]);

export class Section {
  /** @param parts `{ notebook, trust, network, separator, chain, members, keep }`. */
  constructor(line, number, parts) {
    Object.assign(this, parts);
    this.member = line.member;
    this.salt = line.item_salt;
    this.covered = line.covered;
    this.tree = new SparseTree();
    this.entries = []; // if they are kept
    this.bytes = 0;
    this.signers = new Map(); // since the last checkpoint: hex to { signer, first leaf }
    this.times = { latest: 0n, earliest: null, last: null };
    this.index = null; // what the last leaf says of the item index, if it is an index entry
    this.lists = [];
    this.anchor = null;
    this.note = null;
    this.place = `log of ${to0x(this.member)}`;
    if (this.covered && this.salt === null) throw badLine(number, "", "a covered log without its item salt");
  }

  // -- entries --------------------------------------------------------------------------------------

  addEntry(line, number) {
    const refuse = (error) => badLine(number, "/leaf", `${error.code}: ${error.message}`);
    const entry = translating(() => parseLeaf(line.leaf), refuse);
    if (!isEvent(entry.kind) && line.media_type !== OTHER_MEDIA_TYPE) {
      throw badLine(number, "/media_type", `of an entry that is no event's: not ${OTHER_MEDIA_TYPE}`);
    }
    if (!equal(entry.member, this.member)) throw badLine(number, "/leaf", "another member's entry");
    if (line.item_keys.length % 32) throw badLine(number, "/item_keys", "no whole number of keys");
    this.skip(BigInt(line.index), line.gap, number);
    this.tree.append(leafHash(line.leaf));
    const shown = {
      content: line.content, mediaType: line.media_type, seed: line.seed, references: line.references,
      itemKeys: line.item_keys, itemSalt: this.salt, leafIndex: line.index,
    };
    const found = entrySteps(shown, entry, this.network, this.separator);
    this.noteSteps(found.steps, shown);
    if (found.signer !== null && !this.signers.has(toHex(found.signer))) {
      this.signers.set(toHex(found.signer), { signer: found.signer, first: line.index });
    }
    this.noteTime(line.index, entry.recordTimeMs);
    this.index = entry.kind === KIND.index && line.content !== null ? indexOf(line.content) : null;
    if (this.keep) this.hold(line, entry, found, number);
  }

  hold(line, entry, { event, id, steps }, number) {
    this.bytes += line.content?.length ?? 0;
    if (this.entries.length === ENTRIES_MAX || this.bytes > ENTRY_BYTES_MAX) {
      throw badLine(number, "", "more entries than one question may have");
    }
    let items = [];
    if (event !== null) items = itemsOrNone(event);
    const isOne = isEvent(entry.kind);
    const disclosed = steps.find((step) => step.name === "disclosure_root").outcome;
    this.entries.push({
      index: line.index, kind: entry.kind, items, event, id,
      withheld: isOne && (event === null || disclosed === DOES_NOT_HOLD),
      unsure: isOne && event !== null && disclosed === COULD_NOT_CHECK, // whether this is what was signed
    });
  }

  noteSteps(steps, shown) {
    for (const step of steps) {
      const given = shown.content !== null && !NOT_GIVEN.has(step.code);
      if (step.outcome === DOES_NOT_HOLD || (step.outcome === COULD_NOT_CHECK && given)) {
        const reason = `step ${step.number}, ${step.name}: ${step.reason}`;
        this.notebook.note("entries", step.outcome, step.code, reason, `leaf ${shown.leafIndex}, ${this.place}`);
      }
    }
  }

  skip(target, gap, number) {
    if (gap.length % 32) throw badLine(number, "/gap", "no whole number of hashes");
    const refuse = (error) => badLine(number, "/gap", `${error.code}: ${error.message}`);
    translating(() => this.tree.skip(target, split(gap, 32)), refuse);
  }

  // -- record times ---------------------------------------------------------------------------------

  noteTime(index, time) {
    const times = this.times;
    if (time < times.latest - CLOCK_MS_TOLERANCE) this.timeFails(index, "back_dated", "recorded before one before it");
    if (time > times.latest) times.latest = time;
    if (times.earliest === null || time < times.earliest.time) times.earliest = { time, index };
    if (times.last === null || time > times.last.time) times.last = { time, index };
  }

  compareTimes(anchor) {
    const { earliest, last } = this.times;
    this.times.earliest = this.times.last = null;
    if (anchor === null || earliest === null) return;
    const anchored = BigInt(anchor.time) * 1000n;
    if (earliest.time < anchored - BigInt(this.trust.anchor_delay_seconds) * 1000n) {
      this.timeFails(earliest.index, "back_dated", "recorded longer before its anchor than the network allows");
    }
    if (last.time > anchored + CLOCK_MS_TOLERANCE) {
      this.timeFails(last.index, "recorded_after_anchor", "recorded more than an hour after its own anchor");
    }
  }

  timeFails(index, code, reason) {
    this.notebook.fails("times", code, reason, `leaf ${index}, ${this.place}`);
  }

  // -- checkpoints ----------------------------------------------------------------------------------

  async addCheckpoint(line, number) {
    const refuse = (error) => badLine(number, "/note", error.message);
    const note = translating(() => parseNote(line.note), refuse);
    if (this.note && note.size <= this.note.size) throw badLine(number, "/note", "checkpoints do not ascend");
    this.skip(note.size, line.gap, number);
    if (!equal(this.tree.root(), note.root)) {
      const reason = `leaves and gaps give ${toHex(this.tree.root())}, the checkpoint has ${toHex(note.root)}`;
      this.notebook.fails("logs", "checkpoint_root_differs", reason, this.place);
    }
    const anchor = this.locate(line.anchor, note, `${this.place}, line ${number}`);
    const block = anchor ? anchor.block : this.members.proofBlock;
    await this.trying("logs", () => this.checkSigned(note, block));
    for (const { signer, first } of this.signers.values()) {
      await this.trying("entries", () => this.members.checkKey(this.member, PURPOSE.event, signer, block, "event_key"),
        `from leaf ${first}, ${this.place}`);
    }
    this.signers.clear();
    await this.checkCosignatures(note);
    this.compareTimes(anchor);
    this.note = note;
  }

  async trying(step, act, place = this.place) {
    try {
      await act();
    } catch (error) {
      this.notebook.error(step, error, place);
    }
  }

  /** Return `{ sequence, block, time }` of the anchor that a line names, or null if it is another or none. */
  locate(place, note, where) {
    let anchored;
    try {
      anchored = readAnchored(this.chain.logAt(place), this.network.anchors);
      if (!equal(anchored.member, this.member) || !equal(anchored.checkpointHash, note.hash)) {
        throw wrong("anchor_differs", "the event there anchors another checkpoint, or is another member's");
      }
    } catch (error) {
      this.notebook.error("anchors", error, where);
      return null;
    }
    if (anchored.suspended) {
      this.notebook.fails("anchors", "member_suspended", `the member was suspended in block ${place.block}`, where);
    }
    const anchor = {
      sequence: anchored.sequence, block: place.block, time: this.chain.timeOf(place.block), hash: note.hash,
    };
    if (this.anchor && !(this.anchor.sequence < anchor.sequence && this.anchor.block <= anchor.block)) {
      this.notebook.fails("anchors", "anchors_out_of_order", `anchor ${anchor.sequence} does not follow`, where);
    }
    this.anchor = anchor;
    return anchor;
  }

  /** Check that one of the member's log keys signed a note. @throws log_key_missing, and what `verifyNote` does. */
  async checkSigned(note, block) {
    this.members.checkKnownAt(this.member, block);
    let failure = wrong("log_key_missing", `the member has no log key at block ${block}`);
    for (const key of this.members.keysAt(this.member, PURPOSE.log, block)) {
      try {
        await verifyNote(note, originOf(this.network, this.member), key);
        return;
      } catch (error) {
        if (!(error instanceof SealtrailError)) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  async checkCosignatures(note) {
    note.cosigned = new Set();
    for (const { name, public_key: key } of this.trust.cosignatures.witnesses) {
      await this.trying("cosignatures", async () => {
        if (await countCosignatures(note, name, key)) note.cosigned.add(toHex(key));
      });
    }
  }

  // -- item lists -----------------------------------------------------------------------------------

  addItemProof(line, number) {
    if (this.lists.length === ITEM_PROOFS_MAX) throw badLine(number, "", "more item proofs than a bundle may have");
    if (!this.covered) throw badLine(number, "", "an item proof of a log that is not covered");
    const before = this.lists.at(-1);
    if (before && (compareItems(before.item, line.item) || before.packs - line.packs) >= 0) {
      throw badLine(number, "/item", "item proofs do not ascend");
    }
    let indices = [];
    if (this.index !== null) {
      const parts = line.runs.map((run) => ({
        treeLeaves: run.tree_leaves, position: run.position, key: run.key, nextKey: run.next_key,
        leafIndices: run.leaf_indices, hashes: run.hashes,
      }));
      try {
        indices = verifyItemProof(this.index, itemKey(this.salt, line.item, line.packs), parts);
      } catch (error) {
        this.notebook.error("item_index", error, `line ${number}`);
      }
    }
    this.lists.push({ item: line.item, packs: line.packs, indices });
  }

  // -- the end --------------------------------------------------------------------------------------

  close(number) {
    if (this.note === null || this.note.size !== this.tree.size) {
      throw badLine(number, "", "the section before it does not end with a checkpoint");
    }
    if (!this.covered) return;
    this.checkLatest();
    this.checkLists();
    const { needed } = this.trust.cosignatures;
    if (this.note.cosigned.size < needed) {
      const reason = `${this.note.cosigned.size} known witnesses cosigned it, ${needed} are demanded`;
      this.notebook.fails("cosignatures", "cosignatures_too_few", reason, this.place);
    }
  }

  checkLatest() {
    const [nextSlot, hashSlot] = anchorSlots(this.member);
    let next, latest;
    try {
      next = toBigInt(this.chain.storage(this.network.anchors, nextSlot).subarray(24));
      latest = this.chain.storage(this.network.anchors, hashSlot);
    } catch (error) {
      this.notebook.error("anchors", error, this.place);
      return;
    }
    if (!this.anchor || this.anchor.sequence !== next - 1n || !equal(this.anchor.hash, latest)) {
      this.notebook.fails("anchors", "anchor_not_latest", `the latest at the proof block is ${next - 1n}`, this.place);
    }
  }

  checkLists() {
    const fails = (code, reason) => this.notebook.fails("item_index", code, reason, this.place);
    if (this.index === null) fails("index_entry_missing", "its last leaf is no index entry");
    else if (BigInt(this.index.covers) !== this.tree.size - 1n) {
      fails("index_entry_covers_less", `it covers ${this.index.covers} of ${this.tree.size - 1n} leaves`);
    }
    if (!this.keep) return;
    const shown = new Set(this.entries.map((each) => each.index));
    const first = this.entries[0];
    if (!first || first.index !== 0 || first.kind !== KIND.genesis) {
      fails("genesis_missing", "leaf 0, which commits the log to its item salt, is not shown");
    }
    for (const { item, indices } of this.lists) {
      for (const index of indices) {
        if (!shown.has(index)) fails("entry_left_out", `leaf ${index} names ${item} and is not in the bundle`);
      }
    }
  }
}

function indexOf(content) {
  try {
    return parseIndexDocument(content);
  } catch {
    return null;
  }
}

function itemsOrNone(event) {
  try {
    return itemsOf(event);
  } catch {
    return [];
  }
}
