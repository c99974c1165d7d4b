"""The query language over events: read from a URL or from JSON, kept as values, told of one event at a time.

Source: EPCIS 2.0 section 8.2.7.1 (SimpleEventQuery).
"""

from sealtrail.epcis.query.conditions import (
    ARRIVAL,
    AnyOf,
    Compared,
    Condition,
    EventFilter,
    Has,
    ItemMatch,
    Pattern,
    TimeRange,
    WithAttribute,
    WithId,
    Within,
)
from sealtrail.epcis.query.evaluate import MasterData, matches, resolved
from sealtrail.epcis.query.index import EventIndex, Value, index_of, term, value_name
from sealtrail.epcis.query.names import Prefixes, attribute_spellings
from sealtrail.epcis.query.parameters import (
    PAGING,
    VALUES_MAX,
    each_given_once,
    filter_of_query,
    parse_extensions,
    parse_filter,
    parse_query_object,
)
from sealtrail.epcis.query.refusals import refusal

__all__ = [
    "ARRIVAL",
    "PAGING",
    "VALUES_MAX",
    "AnyOf",
    "Compared",
    "Condition",
    "EventFilter",
    "EventIndex",
    "Has",
    "ItemMatch",
    "MasterData",
    "Pattern",
    "Prefixes",
    "TimeRange",
    "Value",
    "WithAttribute",
    "WithId",
    "Within",
    "attribute_spellings",
    "each_given_once",
    "filter_of_query",
    "index_of",
    "matches",
    "parse_extensions",
    "parse_filter",
    "parse_query_object",
    "refusal",
    "resolved",
    "term",
    "value_name",
]
