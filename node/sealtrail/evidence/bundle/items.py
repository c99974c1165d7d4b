"""Item proofs as a bundle has them."""

from __future__ import annotations

from sealtrail.evidence.bundle.lines import Item, Line, Part
from sealtrail.evidence.wire import Count, Digest, from_hex, to_hex
from sealtrail.log.item_proof import ItemProof, RunProof


class WireRunProof(Part, frozen=True, kw_only=True):
    """One leaf of a run and its path; lists and hashes joined."""

    tree_leaves: Count
    position: Count
    key: Digest
    next_key: Digest
    leaf_indices: bytes = b""
    hashes: bytes = b""


class ItemProofLine(Line, frozen=True, kw_only=True, tag="item_proof"):
    """The proof of an item's complete list in the section's log; ``packs``: of a lot, beside its packs."""

    item: Item
    packs: bool = False
    runs: list[WireRunProof]

    @property
    def proof(self) -> ItemProof:
        """The proof as the verifier takes it."""
        return ItemProof(
            tuple(
                RunProof(
                    tree_leaves=run.tree_leaves,
                    position=run.position,
                    key=from_hex(run.key),
                    next_key=from_hex(run.next_key),
                    leaf_indices=run.leaf_indices,
                    hashes=run.hashes,
                )
                for run in self.runs
            )
        )


def item_proof_line(item: str, *, packs: bool, proof: ItemProof) -> ItemProofLine:
    """Return the line of a proof."""
    return ItemProofLine(
        item=item,
        packs=packs,
        runs=[
            WireRunProof(
                tree_leaves=run.tree_leaves,
                position=run.position,
                key=to_hex(run.key),
                next_key=to_hex(run.next_key),
                leaf_indices=run.leaf_indices,
                hashes=run.hashes,
            )
            for run in proof.runs
        ],
    )
