/**
 * An entry: its leaf, its id (the EIP-712 digest), its roots, and the genesis and index documents.
 *
 * Source: protocol sections 4, 5, 8 and 16; EIP-712.
 */

import { compare, equal, fromNumber, padLeft, split, to0x, toBigInt, utf8 } from "./bytes.js";
import { malformed, translating } from "./errors.js";
import { encodeJson } from "./json.js";
import { keccak256 } from "./keccak.js";
import { checkSignatureForm } from "./secp256k1.js";
import { sha256 } from "./sha2.js";
import { leafHash, rootOf } from "./tree.js";

export const KIND = Object.freeze({
  genesis: 1, event: 2, received: 3, imported: 4, receipt: 5, notice: 6, index: 7, audit: 8, padding: 9,
});
export const KIND_NAMES = Object.freeze(Object.fromEntries(Object.entries(KIND).map(([n, k]) => [k, n])));
export const isEvent = (kind) => kind >= KIND.event && kind <= KIND.imported;
export const LEAF_BYTES = 191;
export const REFERENCE_BYTES = 33;
export const ZERO_32 = new Uint8Array(32);

const DOMAIN_TYPE = keccak256(
  utf8("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"),
);
const ENTRY_TYPE = keccak256(
  utf8(
    "Entry(uint8 version,uint8 kind,address member,uint64 recordTime,bytes32 disclosureRoot,bytes32 itemsRoot," +
      "bytes32 referencesRoot)",
  ),
);
const word = (number) => fromNumber(number, 32);

/** Return the EIP-712 domain separator of a network: `chainId`, `registry`, `genesisHash`. */
export const domainSeparator = ({ chainId, registry, genesisHash }) =>
  keccak256(
    DOMAIN_TYPE,
    keccak256(utf8("Sealtrail")),
    keccak256(utf8("1")),
    word(chainId),
    padLeft(registry, 32),
    genesisHash,
  );

/** Read a leaf of 191 octets. @throws leaf_length, leaf_version, leaf_kind, leaf_signature_form. */
export function parseLeaf(leaf) {
  if (leaf.length !== LEAF_BYTES) throw malformed("leaf_length", `${leaf.length} bytes, not ${LEAF_BYTES}`);
  if (leaf[0] !== 1) throw malformed("leaf_version", `version ${leaf[0]}`);
  if (leaf[1] < 1 || leaf[1] > 9) throw malformed("leaf_kind", `kind ${leaf[1]}`);
  const signature = leaf.subarray(126);
  translating(
    () => checkSignatureForm(signature, "leaf_signature_form"),
    (error) => malformed(error.code, error.message),
  );
  return {
    version: leaf[0],
    kind: leaf[1],
    member: leaf.subarray(2, 22),
    recordTimeMs: toBigInt(leaf.subarray(22, 30)),
    disclosureRoot: leaf.subarray(30, 62),
    itemsRoot: leaf.subarray(62, 94),
    referencesRoot: leaf.subarray(94, 126),
    signature,
  };
}

/** Return an entry's id: the EIP-712 digest of what `parseLeaf` gives. */
export const entryId = (entry, separator) =>
  keccak256(
    Uint8Array.of(0x19, 0x01),
    separator,
    keccak256(
      ENTRY_TYPE,
      word(entry.version),
      word(entry.kind),
      padLeft(entry.member, 32),
      word(entry.recordTimeMs),
      entry.disclosureRoot,
      entry.itemsRoot,
      entry.referencesRoot,
    ),
  );

/** Return the key that the item index files an item under; `packs`: of a lot that is named beside its packs. */
export const itemKey = (itemSalt, canonical, packs = false) =>
  sha256(itemSalt, utf8(packs ? canonical + "#packs" : canonical));

/** Return distinct keys in ascending order. */
export const sortedKeys = (keys) =>
  [...keys].sort(compare).filter((key, n, all) => n === 0 || !equal(key, all[n - 1]));

export const itemsRoot = (keys) => rootOf(sortedKeys(keys).map(leafHash));

/** Read joined references. @throws references_malformed, relation_unknown. */
export function parseReferences(bytes) {
  if (bytes.length % REFERENCE_BYTES) throw malformed("references_malformed", "no whole number of them");
  return split(bytes, REFERENCE_BYTES).map((each) => {
    if (each[0] !== 1 && each[0] !== 2) throw malformed("relation_unknown", `relation ${each[0]}`);
    return each;
  });
}

export const referencesRoot = (references) => rootOf(references.map(leafHash));

export const originOf = ({ genesisHash, registry }, member) =>
  `sealtrail/${to0x(genesisHash)}/${to0x(registry)}/${to0x(member)}`;

/** Return the content that a log's genesis entry must have. */
export const genesisDocument = (network, member, itemSalt) =>
  encodeJson({
    chain_id: network.chainId,
    genesis_hash: to0x(network.genesisHash),
    item_salt_hash: to0x(sha256(itemSalt)),
    member: to0x(member),
    origin: originOf(network, member),
    registry: to0x(network.registry),
    type: "sealtrail/genesis/1",
  });
