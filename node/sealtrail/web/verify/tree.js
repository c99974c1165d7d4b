/**
 * The RFC 9162 tree: roots, inclusion and consistency proofs, and a tree of which only some leaves are shown.
 *
 * The sizes and indices of proofs are whole numbers below 2^53, which is also the most that a bundle can name; a
 * checkpoint's size may be up to 2^63, so that of a tree that is followed is a BigInt.
 * Source: RFC 9162 section 2.1; protocol sections 6 and 18.
 */

import { concat, equal } from "./bytes.js";
import { wrong } from "./errors.js";
import { sha256 } from "./sha2.js";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const PROOF_HASHES_MAX = 64;

export const HASH_BYTES = 32;
export const EMPTY_ROOT = sha256();
export const leafHash = (leaf) => sha256(LEAF, leaf);
export const nodeHash = (left, right) => sha256(NODE, left, right);

/** Follows a tree from left to right, as the roots of the complete subtrees that make up what was read. */
export class SparseTree {
  constructor() {
    this.size = 0n;
    this.peaks = []; // { level, hash }, levels descending
  }

  append(hash) {
    this.push(0, hash);
  }

  /** Take the subtree of 2^level leaves that begins at the position. */
  push(level, hash) {
    this.size += 1n << BigInt(level);
    let peak = { level, hash };
    while (this.peaks.length && this.peaks.at(-1).level === peak.level) {
      peak = { level: peak.level + 1, hash: nodeHash(this.peaks.pop().hash, peak.hash) };
    }
    this.peaks.push(peak);
  }

  /** Step over leaves that are not shown up to a BigInt, given the hashes of a gap. @throws tree_not_ascending, gap_length. */
  skip(target, hashes) {
    if (target < this.size) throw wrong("tree_not_ascending", `${target} lies before ${this.size}`);
    let taken = 0;
    while (this.size < target) {
      let level = 0;
      for (let next = 2n; this.size % next === 0n && this.size + next <= target; next *= 2n) level++;
      if (taken === hashes.length) throw wrong("gap_length", `${taken} hashes do not lead to ${target}`);
      this.push(level, hashes[taken++]);
    }
    if (taken !== hashes.length) {
      throw wrong("gap_length", `${hashes.length} hashes, ${taken} lead to ${target}`);
    }
  }

  root() {
    if (!this.peaks.length) return EMPTY_ROOT;
    return this.peaks.reduceRight((right, { hash }) =>
      right === null ? hash : nodeHash(hash, right), null);
  }
}

/**
 * Return the root of a tree of `size` leaves from some leaf hashes, `shown` by index, and what covers the others.
 *
 * @throws tree_size_out_of_range, leaf_index_out_of_range, proof_too_long, proof_too_short, proof_hash_length.
 */
export function coveredRoot(size, shown, hashes) {
  checkSize(size);
  const indices = [...shown.keys()].sort((a, b) => a - b);
  if (indices.length && indices.at(-1) >= size) {
    throw wrong("leaf_index_out_of_range", `leaf ${indices.at(-1)} of ${size}`);
  }
  checkHashes(hashes);
  let taken = 0;
  // Of the leaves from `begin` up to `end`, of which those that are shown stand from `from` up to `to`.
  const join = (begin, end, from, to) => {
    if (from === to) {
      if (taken === hashes.length) throw wrong("proof_too_short", `nothing covers leaves ${begin} to ${end - 1}`);
      return hashes[taken++];
    }
    if (end - begin === 1) return shown.get(begin);
    const middle = begin + leftWidth(end - begin);
    let cut = from;
    while (cut < to && indices[cut] < middle) cut++;
    const left = join(begin, middle, from, cut);
    return nodeHash(left, join(middle, end, cut, to));
  };
  const root = size ? join(0, size, 0, indices.length) : EMPTY_ROOT;
  if (taken !== hashes.length) throw wrong("proof_too_long", `${hashes.length} hashes, ${taken} are covered by`);
  return root;
}

/** Return the largest power of two below a width of at least 2. */
function leftWidth(width) {
  let left = 1;
  while (left * 2 < width) left *= 2;
  return left;
}

/** Return the root over leaf hashes. */
export function rootOf(leafHashes) {
  const tree = new SparseTree();
  for (const hash of leafHashes) tree.append(hash);
  return tree.root();
}

function checkProof(proof) {
  if (proof.length > PROOF_HASHES_MAX) throw wrong("proof_too_long", `${proof.length} hashes`);
  checkHashes(proof);
}

function checkHashes(hashes) {
  if (hashes.some((hash) => hash.length !== HASH_BYTES)) {
    throw wrong("proof_hash_length", "a hash of another length than 32 bytes");
  }
}

function checkSize(size) {
  if (!Number.isSafeInteger(size) || size < 0) throw wrong("tree_size_out_of_range", `${size}`);
}

/** Check that a leaf hash stands at an index of a tree; numbers or BigInts. RFC 9162 section 2.1.3.2. */
export function verifyInclusion(leafIndex, size, hash, proof, root) {
  checkProof(proof);
  let [fn, sn, result] = [BigInt(leafIndex), BigInt(size) - 1n, hash];
  if (fn < 0n || fn > sn) throw wrong("leaf_index_out_of_range", `leaf ${leafIndex} of a tree of ${size}`);
  for (const sibling of proof) {
    if (sn === 0n) throw wrong("proof_too_long", "hashes are left over");
    if (fn & 1n || fn === sn) {
      result = nodeHash(sibling, result);
      while (!(fn & 1n) && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      result = nodeHash(result, sibling);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  if (sn !== 0n) throw wrong("proof_too_short", "hashes are missing");
  if (!equal(result, root)) throw wrong("inclusion_root_differs", "the proof leads to another root");
}

/** Check that one tree is the beginning of another. RFC 9162 section 2.1.4.2. */
export function verifyConsistency(first, firstRoot, second, secondRoot, proof) {
  checkSize(first);
  checkSize(second);
  checkProof(proof);
  if (first > second) throw wrong("tree_shrank", `${second} is less than ${first}`);
  if (first === 0 && !equal(firstRoot, EMPTY_ROOT)) {
    throw wrong("consistency_first_root_differs", "not the root of no leaves");
  }
  if (first === second && !equal(firstRoot, secondRoot)) {
    throw wrong("consistency_second_root_differs", "two roots at one size");
  }
  if (first === 0 || first === second) {
    if (proof.length) throw wrong("proof_not_empty", "nothing is to be proven");
    return;
  }
  checkGrowth(first, firstRoot, second, secondRoot, proof);
}

function checkGrowth(first, firstRoot, second, secondRoot, proof) {
  const isPower = Number.isInteger(Math.log2(first)) && 2 ** Math.round(Math.log2(first)) === first;
  const path = isPower ? [firstRoot, ...proof] : proof;
  if (!path.length) throw wrong("proof_too_short", "hashes are missing");
  let [fn, sn] = [first - 1, second - 1];
  while (fn % 2) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  let [fr, sr] = [path[0], path[0]];
  for (const sibling of path.slice(1)) {
    if (sn === 0) throw wrong("proof_too_long", "hashes are left over");
    if (fn % 2 || fn === sn) {
      fr = nodeHash(sibling, fr);
      sr = nodeHash(sibling, sr);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn / 2, Math.floor(sn / 2)];
    } else {
      sr = nodeHash(sr, sibling);
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  if (sn !== 0) throw wrong("proof_too_short", "hashes are missing");
  if (!equal(fr, firstRoot)) throw wrong("consistency_first_root_differs", "another first root");
  if (!equal(sr, secondRoot)) throw wrong("consistency_second_root_differs", "another second root");
}
