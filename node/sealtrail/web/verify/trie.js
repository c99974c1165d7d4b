/**
 * Proofs in a Merkle Patricia trie: the value of a key, or that it has none.
 *
 * Source: protocol section 14.6; Yellow Paper, appendices C and D.
 */

import { equal } from "./bytes.js";
import { translating, wrong } from "./errors.js";
import { keccak256 } from "./keccak.js";
import { decodeRlp, encodeRlp } from "./rlp.js";

const NODES_MAX = 65;
const NODE_BYTES_MAX = 16 * 1024 * 1024;
const EMPTY_NODE = Uint8Array.of(0x80);
export const EMPTY_TRIE_ROOT = keccak256(EMPTY_NODE);

const bad = (what) => wrong("proof_node_malformed", `a node of the proof is none: ${what}`);

const nibblesOf = (bytes) => [...bytes].flatMap((byte) => [byte >> 4, byte & 15]);

/** Return [nibbles, whether it is a leaf] of a hex-prefix encoding. */
function readPath(bytes) {
  if (Array.isArray(bytes) || !bytes.length) throw bad("no path");
  const flag = bytes[0] >> 4;
  if (flag > 3 || (!(flag & 1) && bytes[0] & 15)) throw bad("a wrong hex prefix");
  return [nibblesOf(bytes).slice(flag & 1 ? 1 : 2), flag >= 2];
}

/** Refuse what is no reference to a node: empty, a hash, or a short node itself. */
function checkReference(item) {
  if (Array.isArray(item)) {
    if (encodeRlp(item).length >= 32) throw bad("a long node within another");
    readNode(item);
  } else if (item.length !== 0 && item.length !== 32) {
    throw bad("a reference that is neither a hash nor a node");
  }
}

/** Return a decoded node with its kind: "branch", "leaf" or "extension". */
function readNode(item) {
  if (!Array.isArray(item)) throw bad("not a list");
  if (item.length === 17) return readBranch(item);
  if (item.length !== 2) throw bad(`a list of ${item.length}`);
  const [path, isLeaf] = readPath(item[0]);
  const target = item[1];
  if (isLeaf) {
    if (Array.isArray(target) || !target.length) throw bad("a leaf without a value");
    return { kind: "leaf", path, value: target };
  }
  if (!path.length) throw bad("an extension by nothing");
  checkReference(target);
  if (!target.length || (Array.isArray(target) && target.length !== 17)) throw bad("an extension to no branch");
  return { kind: "extension", path, target };
}

function readBranch(item) {
  item.slice(0, 16).forEach(checkReference);
  if (Array.isArray(item[16])) throw bad("a branch's value is a list");
  if (item.filter((each) => each.length).length < 2) throw bad("a branch with less than two ways");
  return { kind: "branch", ways: item.slice(0, 16), value: item[16] };
}

/** Hands out the proof's nodes one after another, each checked against the reference to it. */
class Proof {
  constructor(nodes) {
    if (nodes.length > NODES_MAX) throw wrong("proof_too_long", `${nodes.length} nodes, at most ${NODES_MAX}`);
    this.nodes = nodes;
    this.at = 0;
  }

  node(reference) {
    if (Array.isArray(reference)) return readNode(reference);
    if (this.at === this.nodes.length) throw wrong("proof_incomplete", "the proof ends before the key does");
    const encoded = this.nodes[this.at++];
    if (!equal(keccak256(encoded), reference)) throw wrong("proof_node_wrong", "a node that none above it names");
    if (this.at > 1 && encoded.length < 32) throw bad("a short node by itself");
    if (encoded.length > NODE_BYTES_MAX) throw bad("more than 16 MiB");
    return readNode(translating(() => decodeRlp(encoded), (error) => bad(error.message)));
  }

  close(value) {
    if (this.at !== this.nodes.length) {
      throw wrong("proof_node_unused", `${this.nodes.length - this.at} nodes are not on the way`);
    }
    return value;
  }
}

/** Return the value of a key in the trie of that root; null if the proof shows that there is none. */
export function valueInTrie(root, key, nodes) {
  if (equal(root, EMPTY_TRIE_ROOT)) {
    if (nodes.length > 1) throw wrong("proof_node_unused", "the trie is empty");
    if (nodes.length && !equal(nodes[0], EMPTY_NODE)) throw wrong("proof_node_wrong", "the trie is empty");
    return null;
  }
  const proof = new Proof(nodes);
  return proof.close(walk(proof, root, nibblesOf(key)));
}

function walk(proof, root, nibbles) {
  let [reference, at, afterExtension] = [root, 0, false];
  for (;;) {
    const node = proof.node(reference);
    if (afterExtension && node.kind !== "branch") throw bad("an extension to no branch");
    afterExtension = false;
    if (node.kind === "branch") {
      if (at === nibbles.length) return node.value.length ? node.value : null;
      reference = node.ways[nibbles[at++]];
      if (!reference.length) return null;
      continue;
    }
    const matches = node.path.every((nibble, n) => nibbles[at + n] === nibble);
    if (node.kind === "leaf") return matches && at + node.path.length === nibbles.length ? node.value : null;
    if (!matches) return null;
    at += node.path.length;
    reference = node.target;
    afterExtension = true;
  }
}
