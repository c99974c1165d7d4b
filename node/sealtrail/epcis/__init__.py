"""EPCIS 2.0 events: read strictly, kept as canonical content, hashed.

Knows nothing of logs, signatures or storage; fetches nothing (contexts are never looked up).
"""

from sealtrail.epcis.content import MEDIA_TYPE
from sealtrail.epcis.division import Division, Part, divide
from sealtrail.epcis.documents import (
    XML_MEDIA_TYPES,
    detect_media_type,
    event_hash_uri,
    hash_document,
    json_form,
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
from sealtrail.epcis.xml import XML_MEDIA_TYPE

__all__ = [
    "DEFAULT",
    "MEDIA_TYPE",
    "XML_MEDIA_TYPE",
    "XML_MEDIA_TYPES",
    "Division",
    "Document",
    "HashedEvent",
    "ItemMention",
    "Limits",
    "Part",
    "PartialEvent",
    "Place",
    "RecordedEvent",
    "detect_media_type",
    "divide",
    "event_hash_uri",
    "hash_document",
    "json_form",
    "parse_document",
    "pre_hash",
    "read_content",
    "read_parts",
]
