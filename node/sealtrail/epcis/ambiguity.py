"""Why two honest implementations may come to different event hashes for one event."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from enum import StrEnum


class Ambiguity(StrEnum):
    """Reasons, in the order in which they are listed when there are several."""

    TIME_FRACTION = "time_fraction"
    TRANSACTION_TYPE = "biz_transaction_without_type"
    NAMESPACE = "extension_namespace"
    FIELD_NAMESPACE = "field_extension_namespace"
    LIST = "extension_list"
    NULL_VALUE = "null_value"
    NUMERIC_TEXT = "numeric_text"
    BARE_WORD = "vocabulary_word_in_text"
    EVENT_TYPE = "event_type"
    UNRESOLVED = "context_not_read"
    EVENT_CONTEXT = "event_context"


def listed(reasons: AbstractSet[Ambiguity]) -> str | None:
    """Return the reasons as they are stored; None if there are none."""
    if not reasons:
        return None
    return ",".join(reason for reason in Ambiguity if reason in reasons)
