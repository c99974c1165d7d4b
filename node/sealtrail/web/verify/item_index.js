/**
 * The item index: the runs of a number of postings, and the proof of an item's complete list.
 *
 * Source: protocol section 16.
 */

import { compare, concat, equal, fromNumber, split, to0x } from "./bytes.js";
import { parseDocument } from "./document.js";
import { wrong } from "./errors.js";
import { sha256 } from "./sha2.js";
import { leafHash, nodeHash, rootOf } from "./tree.js";

const TAIL = 4096;
const FULL_LIST_MAX = 4;
const HASHED_LIST_BYTES = 36; // their number and hash
const LEAVES_MAX = 250_000;
const FIRST_KEY = new Uint8Array(32);

/** Return the runs over `count` postings, in order: `{ first, postings }` each. */
export function runsOf(count) {
  const runs = [];
  let first = 0;
  while (count - first >= TAIL) {
    let length = TAIL;
    // The longest aligned range that is ripe: half of its length lies behind it.
    for (let next = TAIL * 4; first % next === 0 && count >= first + next + next / 2; next *= 4) length = next;
    runs.push({ first, postings: length });
    first += length;
  }
  if (count > first) runs.push({ first, postings: count - first });
  return runs;
}

/** Read an index entry's content: `{ covers, postings, root }`. @throws index_document_malformed. */
export const parseIndexDocument = (content) =>
  parseDocument(content, "index_document_malformed", "sealtrail/item-index/1", {
    counts: ["covers", "postings"],
    digests: ["root"],
  });

/** Return leaf indices of joined u64. @throws item_list_malformed. */
function parseList(bytes) {
  if (bytes.length % 8) throw wrong("item_list_malformed", "no whole number of leaf indices");
  if (bytes.length / 8 > LEAVES_MAX) throw wrong("item_list_too_long", `${bytes.length / 8} leaf indices`);
  return split(bytes, 8).map((each) => {
    const number = new DataView(each.buffer, each.byteOffset, 8).getBigUint64(0);
    if (number > BigInt(Number.MAX_SAFE_INTEGER)) throw wrong("item_list_outside", `leaf ${number}`);
    return Number(number);
  });
}

/** Return the list as the leaf has it: as it is, or its number and hash. */
const listInLeaf = (indices) =>
  indices.length / 8 <= FULL_LIST_MAX ? indices : concat(fromNumber(indices.length / 8, 4), sha256(indices));

function rootOfRun(part, run, isOwn) {
  if (part.treeLeaves < 1 || part.treeLeaves > run.postings + 1) {
    throw wrong("item_leaf_malformed", `a tree of ${part.treeLeaves} leaves over ${run.postings} postings`);
  }
  if (part.hashes.length % 32) throw wrong("item_leaf_malformed", "no whole number of hashes");
  const leaf = concat(part.key, part.nextKey, isOwn ? listInLeaf(part.leafIndices) : part.leafIndices);
  return followPath(part.position, part.treeLeaves, leafHash(leaf), split(part.hashes, 32));
}

/** Return the root that an inclusion proof leads to. */
function followPath(position, size, hash, path) {
  const steps = [];
  let [fn, sn] = [position, size - 1];
  if (position >= size) throw wrong("leaf_index_out_of_range", `leaf ${position} of ${size}`);
  for (; sn > 0; [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)]) {
    if (fn % 2) steps.push(true);
    else if (fn < sn) steps.push(false);
  }
  if (steps.length !== path.length) {
    const code = path.length > steps.length ? "proof_too_long" : "proof_too_short";
    throw wrong(code, `${path.length} hashes, not ${steps.length}`);
  }
  return steps.reduce((sum, left, n) => (left ? nodeHash(path[n], sum) : nodeHash(sum, path[n])), hash);
}

/**
 * Check an item's complete list at an index entry, and return it.
 *
 * @param head what `parseIndexDocument` gave. @param key the item's.
 * @param parts `{ treeLeaves, position, key, nextKey, leafIndices, hashes }` for each run.
 */
export function verifyItemProof(head, key, parts) {
  const runs = runsOf(head.postings);
  if (parts.length !== runs.length) {
    throw wrong("item_runs_differ", `${parts.length} parts, ${head.postings} postings have ${runs.length}`);
  }
  const found = [];
  const descriptors = parts.map((part, n) => {
    const isOwn = equal(part.key, key);
    const root = rootOfRun(part, runs[n], isOwn);
    if (isOwn) found.push(...ownList(part, key));
    else checkGap(part, key);
    return concat(
      fromNumber(runs[n].first, 8),
      fromNumber(runs[n].postings, 8),
      fromNumber(part.treeLeaves, 8),
      root,
    );
  });
  if (!equal(rootOf(descriptors.map(leafHash)), head.root)) {
    throw wrong("item_index_root_differs", `the parts do not lead to ${to0x(head.root)}`);
  }
  checkList(found, head.covers);
  return found;
}

/** Check a leaf of another key: its list as the leaf has it, and the gap that the item's key lies in. */
function checkGap(part, key) {
  const { length } = part.leafIndices;
  if (length !== HASHED_LIST_BYTES && (length % 8 || length / 8 > FULL_LIST_MAX)) {
    throw wrong("item_list_malformed", `${length} bytes are no list as a leaf has it`);
  }
  if (!(compare(part.key, key) < 0 && compare(key, part.nextKey) < 0)) {
    throw wrong("item_gap_differs", "neither the item's key nor a gap that it lies in");
  }
}

function ownList(part, key) {
  const list = parseList(part.leafIndices);
  if (!list.length && !equal(key, FIRST_KEY)) throw wrong("item_list_malformed", "a key without a list");
  return list;
}

function checkList(list, covers) {
  if (list.length > LEAVES_MAX) throw wrong("item_list_too_long", `${list.length} leaf indices`);
  if (list.some((index, n) => n > 0 && index <= list[n - 1])) {
    throw wrong("item_list_order", "leaf indices do not ascend");
  }
  if (list.length && list.at(-1) >= covers) {
    throw wrong("item_list_outside", `leaf ${list.at(-1)} is not among the ${covers} that are covered`);
  }
}
