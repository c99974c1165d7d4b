"""Points in time as both XML bindings read them."""

from __future__ import annotations

import re

from sealtrail.epcis.views.forms import not_in_xml

# XML Schema has offsets of up to 14 hours; RFC 3339, which JSON goes by, of up to 24
_is_stamp = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:Z|[+\-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
).fullmatch


def time_stamp(text: str) -> str:
    """Return a time of an accepted event as ``DateTimeStamp``.

    Raises:
        NotAcceptableError: ``not_in_xml``.
    """
    stamp = text.upper()
    if not _is_stamp(stamp):
        raise not_in_xml(f"{text[:60]!r} has an offset of more than 14 hours")
    return stamp
