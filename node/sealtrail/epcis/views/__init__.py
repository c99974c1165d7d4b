"""Recorded events as documents: EPCIS 2.0 JSON and XML, EPCIS 1.2 XML, with identifiers in the form asked for.

A view is for reading: it is made from what was recorded, which it never changes, and is no content to be hashed.
"""

from sealtrail.epcis.context import STANDARD_CONTEXT
from sealtrail.epcis.views.documents import (
    Frame,
    Header,
    capture_frame,
    common_context,
    distinct_context,
    encode_view,
    query_frame,
    write_capture_document,
    write_event,
    write_query_document,
)
from sealtrail.epcis.views.events import event_element
from sealtrail.epcis.views.forms import MEDIA_TYPES, CbvFormat, Form
from sealtrail.epcis.views.master_data import vocabulary_list
from sealtrail.epcis.views.translation import Convert, named_in, translate

__all__ = [
    "MEDIA_TYPES",
    "STANDARD_CONTEXT",
    "CbvFormat",
    "Convert",
    "Form",
    "Frame",
    "Header",
    "capture_frame",
    "common_context",
    "distinct_context",
    "encode_view",
    "event_element",
    "named_in",
    "query_frame",
    "translate",
    "vocabulary_list",
    "write_capture_document",
    "write_event",
    "write_query_document",
]
