"""EPCIS 2.0 events: read strictly, kept as canonical content, hashed.

Knows nothing of logs, signatures or storage; fetches nothing (contexts are never looked up).
"""

from sealtrail.epcis.limits import DEFAULT, Limits
from sealtrail.epcis.records import Document, ItemMention, Place, RecordedEvent

__all__ = ["DEFAULT", "Document", "ItemMention", "Limits", "Place", "RecordedEvent"]
