"""What members sign: entries (EIP-712), their leaves and roots, and the keys. No I/O, no randomness."""

from sealtrail.log.ed25519 import Ed25519Signer, verify_ed25519
from sealtrail.signing.disclose import WITHHELD_BY_DEFAULT, disclose
from sealtrail.signing.disclosure import (
    PartialContent,
    Shown,
    ShownItems,
    ShownKeys,
    event_disclosure_root,
    partial_root,
)
from sealtrail.signing.entry import (
    EVENT_KINDS,
    Domain,
    Entry,
    Kind,
    SignedEntry,
    entry_id,
)
from sealtrail.signing.genesis import genesis_document, origin_of
from sealtrail.signing.keys import EventSigner, recover
from sealtrail.signing.leaf import LEAF_BYTES, encode_leaf, parse_leaf
from sealtrail.signing.roots import (
    NO_EVENT_HASH,
    REFERENCE_BYTES,
    SEED_BYTES,
    ZERO_SEED,
    Reference,
    Relation,
    disclosure_root,
    encode_references,
    item_key,
    item_keys,
    items_root,
    parse_references,
    references_root,
)

__all__ = [
    "EVENT_KINDS",
    "LEAF_BYTES",
    "NO_EVENT_HASH",
    "REFERENCE_BYTES",
    "SEED_BYTES",
    "WITHHELD_BY_DEFAULT",
    "ZERO_SEED",
    "Domain",
    "Ed25519Signer",
    "Entry",
    "EventSigner",
    "Kind",
    "PartialContent",
    "Reference",
    "Relation",
    "Shown",
    "ShownItems",
    "ShownKeys",
    "SignedEntry",
    "disclose",
    "disclosure_root",
    "encode_leaf",
    "encode_references",
    "entry_id",
    "event_disclosure_root",
    "genesis_document",
    "item_key",
    "item_keys",
    "items_root",
    "origin_of",
    "parse_leaf",
    "parse_references",
    "partial_root",
    "recover",
    "references_root",
    "verify_ed25519",
]
