/**
 * How a section's leaves lead to its checkpoints: read from left to right, or each by a path of its own.
 *
 * Source: protocol section 18 (log, entry, checkpoint) and 20 (step 7).
 */

import { equal, split, toHex } from "./bytes.js";
import { translating, wrong } from "./errors.js";
import { badLine } from "./form.js";
import { leafHash, SparseTree, verifyInclusion } from "./tree.js";

/** The tree is read from left to right. */
export class LeavesInOrder {
  constructor() {
    this.tree = new SparseTree();
  }

  addEntry(line, number) {
    if (line.path.length) throw badLine(number, "/path", "the section's tree is read from left to right");
    this.skip(BigInt(line.index), line.gap, number);
    this.tree.append(leafHash(line.leaf));
  }

  /** Go on to a checkpoint; `fails` is told what does not hold, and of which leaf. */
  addCheckpoint(note, line, number, fails) {
    this.skip(note.size, line.gap, number);
    if (!equal(this.tree.root(), note.root)) {
      const reason = `leaves and gaps give ${toHex(this.tree.root())}, the checkpoint has ${toHex(note.root)}`;
      fails(wrong("checkpoint_root_differs", reason), note.size);
    }
  }

  skip(target, gap, number) {
    if (gap.length % 32) throw badLine(number, "/gap", "no whole number of hashes");
    const refuse = (error) => badLine(number, "/gap", `${error.code}: ${error.message}`);
    translating(() => this.tree.skip(target, split(gap, 32)), refuse);
  }

  /** Tell whether the section ends with that checkpoint. */
  endsWith(note) {
    return note.size === this.tree.size;
  }
}

/** Each entry has its own path to the one checkpoint. */
export class LeavesByPaths {
  constructor() {
    this.paths = []; // { index, hash, proof }
    this.closed = false;
  }

  addEntry(line, number) {
    const ascends = !this.paths.length || line.index > this.paths.at(-1).index;
    if (this.closed || line.gap.length || !ascends) {
      throw badLine(number, "/index", "a gap, not in ascending order, or behind the section's one checkpoint");
    }
    this.paths.push({ index: line.index, hash: leafHash(line.leaf), proof: split(line.path, 32) });
  }

  addCheckpoint(note, line, number, fails) {
    if (this.closed || line.gap.length) throw badLine(number, "", "a gap, or a second checkpoint, in a section of paths");
    this.closed = true;
    for (const { index, hash, proof } of this.paths) {
      try {
        verifyInclusion(index, note.size, hash, proof, note.root);
      } catch (error) {
        fails(error, index);
      }
    }
    this.paths = [];
  }

  endsWith() {
    return this.closed;
  }
}
