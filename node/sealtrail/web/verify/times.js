/**
 * Record times against what cannot be chosen afterwards: the blocks of anchors, and the order of the log.
 *
 * Source: protocol section 20 (step 10).
 */

const TOLERANCE_MS = 3_600_000n; // between members' clocks and the chain's

export class Times {
  /** @param delaySeconds the network's longest time from recording to anchor. @param fails told leaf, code and reason. */
  constructor(delaySeconds, fails) {
    this.delayMs = BigInt(delaySeconds) * 1000n;
    this.fails = fails;
    this.latest = 0n;
    this.earliest = this.last = null; // since the last checkpoint
  }

  addEntry(index, time) {
    if (time < this.latest - TOLERANCE_MS) this.fails(index, "back_dated", "recorded before one before it");
    if (time > this.latest) this.latest = time;
    if (this.earliest === null || time < this.earliest.time) this.earliest = { time, index };
    if (this.last === null || time > this.last.time) this.last = { time, index };
  }

  /** Compare the entries since the last checkpoint with this one's anchor, if it has one. */
  addCheckpoint(anchor) {
    const { earliest, last } = this;
    this.earliest = this.last = null;
    if (anchor === null || earliest === null) return;
    const anchored = BigInt(anchor.time) * 1000n;
    if (earliest.time < anchored - this.delayMs) {
      this.fails(earliest.index, "back_dated", "recorded longer before its anchor than the network allows");
    }
    if (last.time > anchored + TOLERANCE_MS) {
      this.fails(last.index, "recorded_after_anchor", "recorded more than an hour after its own anchor");
    }
  }
}
