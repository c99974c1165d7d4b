/**
 * One section of a bundle: a log as a tree of which some leaves are shown, its checkpoints, anchors and item lists.
 *
 * Source: protocol sections 16, 18 and 20 (steps 7 to 12).
 */

import { compare, equal, split, toBigInt, toHex, to0x } from "./bytes.js";
import { parseNote, verifyNote } from "./checkpoint.js";
import { isEvent, itemKey, KIND, originOf, parseLeaf } from "./entry.js";
import { entrySteps } from "./entry_steps.js";
import { SealtrailError, translating, wrong } from "./errors.js";
import { itemsOf } from "./event.js";
import { badLine, compareItems } from "./form.js";
import { parseIndexDocument, verifyItemProof } from "./item_index.js";
import { LeavesByPaths, LeavesInOrder } from "./leaves.js";
import { anchorSlots, PURPOSE, readAnchored } from "./record.js";
import { COULD_NOT_CHECK, DOES_NOT_HOLD, HOLDS } from "./report.js";
import { Times } from "./times.js";

// What this program does not check and another does.
const NOT_CHECKED = new Set(["event_hash_not_computed", "schema_not_checked"]);
// The parts that lots and verdicts are drawn from, beside core and items: parties, master data.
const COUNTING = [1, 3];
const OTHER_MEDIA_TYPE = "application/json";
// A step that what was left out would have shown is counted as withheld, and no reason against the entry.
const NOT_GIVEN = new Set(["seed_withheld", "item_keys_withheld", "item_salt_withheld", "content_in_parts"]);

export class Section {
  /** @param parts `{ notebook, trust, network, separator, chain, members, cosigners, keep, held, after }`; `after`: the section before, or null. */
  constructor(line, number, parts) {
    Object.assign(this, parts);
    this.member = line.member;
    this.salt = line.item_salt;
    this.covered = line.covered;
    this.byPaths = line.paths;
    this.leaves = line.paths ? new LeavesByPaths() : new LeavesInOrder();
    this.entries = []; // if they are kept
    this.signers = new Map(); // since the last checkpoint: hex to { signer, first leaf }
    this.index = null; // what the last leaf says of the item index, if it is an index entry
    this.lists = [];
    this.anchor = null;
    this.note = null;
    this.auditors = 0; // of the item index at the last checkpoint
    this.place = `log of ${to0x(this.member)}`;
    this.times = new Times(this.trust.anchor_delay_seconds, (index, code, reason) =>
      this.notebook.fails("times", code, reason, `leaf ${index}, ${this.place}`));
    if (this.covered && (this.salt === null || line.paths)) {
      throw badLine(number, "", "a covered log without its item salt, or by paths");
    }
  }

  // -- entries --------------------------------------------------------------------------------------

  addEntry(line, number) {
    const refuse = (error) => badLine(number, "/leaf", `${error.code}: ${error.message}`);
    const entry = translating(() => parseLeaf(line.leaf), refuse);
    if (!isEvent(entry.kind) && line.media_type !== OTHER_MEDIA_TYPE) {
      throw badLine(number, "/media_type", `of an entry that is no event's: not ${OTHER_MEDIA_TYPE}`);
    }
    if (!equal(entry.member, this.member)) throw badLine(number, "/leaf", "another member's entry");
    checkShown(line, number);
    this.leaves.addEntry(line, number);
    const shown = {
      content: line.content, mediaType: line.media_type, seed: line.seed, partial: line.partial, references: line.references,
      itemKeys: line.item_keys, itemSalt: this.salt, leafIndex: line.index,
    };
    const found = entrySteps(shown, entry, this.network, this.separator);
    this.noteSteps(found.steps, shown);
    if (found.signer !== null && !this.signers.has(toHex(found.signer))) {
      this.signers.set(toHex(found.signer), { signer: found.signer, first: line.index });
    }
    this.times.addEntry(line.index, entry.recordTimeMs);
    this.index = entry.kind === KIND.index && holds(found.steps, "disclosure_root") ? indexOf(line.content) : null;
    if (this.keep || this.byPaths) this.held.addEntry(line, number);
    if (this.keep) this.hold(line, entry, found);
  }

  hold(line, entry, { id, event, steps }) {
    const disclosed = steps.find((step) => step.name === "disclosure_root");
    // Whether this is an event and what was signed, where this program can't tell.
    const unsure = [disclosed, steps[0]].map((step) => step.code).find((code) => NOT_CHECKED.has(code)) ?? null;
    const unread = steps[0].code === "media_type_unsupported" ? steps[0].code : null; // given, in a form not read here
    const isPassedOn = event !== null && (disclosed.outcome === HOLDS || NOT_CHECKED.has(disclosed.code));
    this.entries.push({
      id: toHex(id), index: line.index, leaf: line.leaf, kind: entry.kind, unsure: isPassedOn ? unsure : unread,
      event: isPassedOn ? event : null, items: isPassedOn ? itemsOrNone(event) : [],
      withheld: isEvent(entry.kind) && !isPassedOn && unread === null, inParts: isPassedOn && line.partial !== null,
      hides: isPassedOn && line.partial !== null && !COUNTING.every((part) => isShown(line.partial, part)),
      isCommitment: entry.kind === KIND.genesis && holds(steps, "content") && holds(steps, "disclosure_root"),
    });
  }

  noteSteps(steps, shown) {
    for (const step of steps) {
      const given = (shown.content !== null || shown.partial !== null) && !NOT_GIVEN.has(step.code);
      if (step.outcome === DOES_NOT_HOLD || (step.outcome === COULD_NOT_CHECK && given)) {
        const reason = `step ${step.number}, ${step.name}: ${step.reason}`;
        this.notebook.note("entries", step.outcome, step.code, reason, `leaf ${shown.leafIndex}, ${this.place}`);
      }
    }
  }

  // -- checkpoints ----------------------------------------------------------------------------------

  async addCheckpoint(line, number) {
    const refuse = (error) => badLine(number, "/note", error.message);
    const note = translating(() => parseNote(line.note), refuse);
    if (this.note && note.size <= this.note.size) throw badLine(number, "/note", "checkpoints do not ascend");
    this.leaves.addCheckpoint(note, line, number, (error, leaf) =>
      this.notebook.error("logs", error, `leaf ${leaf}, ${this.place}`));
    const anchor = this.locate(line.anchor, note, `${this.place}, line ${number}`);
    const block = anchor ? anchor.block : this.members.proofBlock;
    await this.trying("logs", () => this.checkSigned(note, block));
    for (const { signer, first } of this.signers.values()) {
      await this.trying("entries", () => this.members.checkKey(this.member, PURPOSE.event, signer, block, "event_key"),
        `from leaf ${first}, ${this.place}`);
    }
    this.signers.clear();
    this.cosigned = await this.cosigners.check(this.member, note, `checkpoint of ${note.size} leaves, ${this.place}`);
    this.times.addCheckpoint(anchor);
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
    // a log has one course, however many sections show parts of it
    const sameLog = this.after !== null && equal(this.after.member, this.member);
    const before = this.anchor ?? (sameLog ? this.after.anchor : null);
    if (before && !(before.sequence < anchor.sequence && before.block <= anchor.block)) {
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

  // -- item lists -----------------------------------------------------------------------------------

  addItemProof(line, number) {
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
    this.held.addList(indices.length, number);
    this.lists.push({ item: line.item, packs: line.packs, indices });
  }

  // -- the end --------------------------------------------------------------------------------------

  async close(number) {
    if (this.note === null || !this.leaves.endsWith(this.note)) {
      throw badLine(number, "", "the section before it does not end with a checkpoint");
    }
    if (!this.covered) return;
    this.checkLatest();
    this.checkLists();
    this.cosigners.require(this.member, this.cosigned);
    this.auditors = await this.cosigners.auditors(this.member, this.note, this.place);
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
    if (this.index === null) fails("index_entry_missing", "its last leaf is no index entry that is shown whole");
    else if (BigInt(this.index.covers) !== this.note.size - 1n) {
      fails("index_entry_covers_less", `it covers ${this.index.covers} of ${this.note.size - 1n} leaves`);
    }
    const shown = new Map(this.entries.map((each) => [each.index, each]));
    const first = this.entries[0];
    if (!first || first.index !== 0 || !first.isCommitment) {
      fails("genesis_missing", "leaf 0, which commits the log to its item salt, is not shown whole");
    }
    for (const list of this.lists) {
      for (const index of list.indices) {
        const entry = shown.get(index);
        if (entry) this.checkNames(list, entry);
        else fails("entry_left_out", `leaf ${index} names ${list.item} and is not in the bundle`);
      }
    }
  }

  /** Check that an entry on a list names the item, if all of its event is shown. */
  checkNames(list, entry) {
    if (entry.event === null || entry.inParts || names(entry, list)) return;
    const place = `leaf ${entry.index}, ${this.place}`;
    const reason = `the list of ${list.item} has an entry that does not name it`;
    if (entry.unsure !== null) this.notebook.unknown("item_index", entry.unsure, reason, place);
    else this.notebook.fails("item_index", "item_list_differs", reason, place);
  }
}

/** Tell whether what is shown of an entry names an item: a lot in its own right, or beside its packs. */
export const names = (entry, { item, packs }) =>
  entry.items.some((each) => each.item === item && (each.place === "lot") === packs);

const isShown = (partial, part) => partial.parts.some((each) => each.number === part);

/** Check the form of what an entry's line shows. */
function checkShown(line, number) {
  if (line.item_keys.length % 32) throw badLine(number, "/item_keys", "no whole number of keys");
  if (!split(line.item_keys, 32).every((key, n, all) => n === 0 || compare(all[n - 1], key) < 0)) {
    throw badLine(number, "/item_keys", "not in ascending order");
  }
  if (line.partial !== null && (line.content !== null || line.seed !== null)) {
    throw badLine(number, "/partial", "beside the content or its seed");
  }
}

function indexOf(content) {
  try {
    return parseIndexDocument(content);
  } catch {
    return null;
  }
}

/** Tell whether a step holds; of what is withheld it does not, and that is no failure of the entry. */
const holds = (steps, name) => steps.find((step) => step.name === name).outcome === HOLDS;

function itemsOrNone(event) {
  try {
    return itemsOf(event);
  } catch {
    return [];
  }
}
