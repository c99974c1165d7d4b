"""Whether a member's log names an item in these entries and in no others: the complete list.

An index entry, verified as any other, says what the index is; the proof leads from an item to what that says.
"""

from __future__ import annotations

import msgspec

from sealtrail.errors import VerificationError
from sealtrail.evidence.record import EntryRecord
from sealtrail.evidence.report import VerifiedEntry
from sealtrail.evidence.verify import Verifier
from sealtrail.log.item_index import IndexHead, parse_index_document
from sealtrail.log.item_proof import ItemProof, verify_item_proof
from sealtrail.signing import Kind


class CompleteList(msgspec.Struct, frozen=True, kw_only=True):
    """The leaves of a log that name an item, of all before ``index.covers``; ``entry`` is the index entry, verified."""

    entry: VerifiedEntry
    index: IndexHead
    leaf_indices: tuple[int, ...]


def verify_complete_list(
    verifier: Verifier, record: EntryRecord, key: bytes, proof: ItemProof
) -> CompleteList:
    """Verify an index entry and an item's proof against it.

    The entry's grade says how well it is proven; that the index says what the log's entries do, only recomputing it
    shows.

    Args:
        record: the index entry, with its content.
        key: the item's, from the log's own salt (leaf 0 vouches for that).

    Raises:
        InputError: ``leaf_…``, the leaf's bytes are no entry at all.
        VerificationError: ``not_an_index_entry``; a step of the entry's does not hold; or the proof does not (codes of
            :func:`sealtrail.log.item_proof.verify_item_proof`).
    """
    verified = verifier.verify(record)
    verified.require()
    if verified.entry.kind is not Kind.INDEX or record.content is None or record.seed is None:
        raise VerificationError(
            "not_an_index_entry",
            f"an entry of kind {verified.entry.kind.name.lower()}, or without its content",
        )
    index = parse_index_document(record.content)
    leaves = verify_item_proof(index, key, proof)
    return CompleteList(entry=verified, index=index, leaf_indices=leaves)
