"""EPCIS 2.0 events: read strictly, kept as canonical content, hashed.

Knows nothing of logs, signatures or storage; fetches nothing (contexts are never looked up).
"""

from sealtrail.epcis.content import MEDIA_TYPE
from sealtrail.epcis.documents import (
    event_hash_uri,
    hash_document,
    parse_document,
    pre_hash,
    read_content,
)
from sealtrail.epcis.limits import DEFAULT, Limits
from sealtrail.epcis.records import Document, HashedEvent, ItemMention, Place, RecordedEvent

__all__ = [
    "DEFAULT",
    "MEDIA_TYPE",
    "Document",
    "HashedEvent",
    "ItemMention",
    "Limits",
    "Place",
    "RecordedEvent",
    "event_hash_uri",
    "hash_document",
    "parse_document",
    "pre_hash",
    "read_content",
]
