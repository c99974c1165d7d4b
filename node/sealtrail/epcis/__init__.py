"""EPCIS 2.0 events: read strictly, kept as canonical content, hashed.

Knows nothing of logs, signatures or storage; fetches nothing (contexts are never looked up).
"""

from sealtrail.epcis.content import MEDIA_TYPE
from sealtrail.epcis.division import Division, Part, divide
from sealtrail.epcis.documents import (
    event_hash_uri,
    hash_document,
    parse_document,
    pre_hash,
    read_content,
    read_parts,
)
from sealtrail.epcis.limits import DEFAULT, Limits
from sealtrail.epcis.records import (
    Document,
    HashedEvent,
    ItemMention,
    PartialEvent,
    Place,
    RecordedEvent,
)

__all__ = [
    "DEFAULT",
    "MEDIA_TYPE",
    "Division",
    "Document",
    "HashedEvent",
    "ItemMention",
    "Limits",
    "Part",
    "PartialEvent",
    "Place",
    "RecordedEvent",
    "divide",
    "event_hash_uri",
    "hash_document",
    "parse_document",
    "pre_hash",
    "read_content",
    "read_parts",
]
