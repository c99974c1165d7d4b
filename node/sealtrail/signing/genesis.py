"""The genesis document: content of leaf 0, which ties a log to its chain, registry, member and item salt.

Source: docs/protocol.md section 8.
"""

from __future__ import annotations

from hashlib import sha256

import rfc8785

from sealtrail.log.checkpoint import Origin
from sealtrail.signing.entry import Domain

GENESIS_TYPE = "sealtrail/genesis/1"


def origin_of(domain: Domain, member: bytes) -> str:
    """Return the origin of a member's log."""
    return str(Origin(genesis_hash=domain.genesis_hash, registry=domain.registry, member=member))


def genesis_document(domain: Domain, member: bytes, item_salt: bytes) -> bytes:
    """Return the document's bytes: one form for given arguments, so that it is compared, never parsed."""
    return rfc8785.dumps(
        {
            "chain_id": domain.chain_id,
            "genesis_hash": "0x" + domain.genesis_hash.hex(),
            "item_salt_hash": "0x" + sha256(item_salt).hexdigest(),
            "member": "0x" + member.hex(),
            "origin": origin_of(domain, member),
            "registry": "0x" + domain.registry.hex(),
            "type": GENESIS_TYPE,
        }
    )
