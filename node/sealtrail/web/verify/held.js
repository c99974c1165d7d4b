/**
 * What is kept of a bundle's entries and lists until all are looked at together: no more than this, over all sections.
 */

import { badLine } from "./form.js";

const ENTRIES_MAX = 50_000;
const BYTES_MAX = 512 * 1024 * 1024;
const ITEM_PROOFS_MAX = 10_000;
const LISTED_MAX = 2_000_000;

export class Held {
  constructor() {
    this.entries = this.bytes = this.lists = this.listed = 0;
  }

  /** Count an entry that is kept, of a line of that number. */
  addEntry(line, number) {
    this.entries++;
    this.bytes += weightOf(line);
    if (this.entries > ENTRIES_MAX || this.bytes > BYTES_MAX) throw badLine(number, "", "more entries than one question may have");
  }

  /** Count a list of so many leaves. */
  addList(count, number) {
    this.lists++;
    this.listed += count;
    if (this.lists > ITEM_PROOFS_MAX || this.listed > LISTED_MAX) {
      throw badLine(number, "", "more item proofs than a bundle may have");
    }
  }
}

const lengthOf = (octets) => octets.reduce((sum, each) => sum + (each?.length ?? 0), 0);

/** Return how many bytes an entry brings. */
function weightOf({ leaf, content, references, item_keys, path, partial }) {
  const whole = lengthOf([leaf, content, references, item_keys, path]);
  if (partial === null) return whole;
  const shown = [...partial.parts, ...(partial.items?.elements ?? [])].flatMap((each) => [each.value, each.salt]);
  const proven = lengthOf([partial.keys?.hashes]) + 8 * (partial.keys?.indices.length ?? 0);
  return whole + lengthOf([...shown, partial.withheld, partial.items?.hashes]) + proven;
}
