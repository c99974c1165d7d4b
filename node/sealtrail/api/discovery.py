"""What the node says of itself in the standard's headers: versions, formats, limits; and ``OPTIONS``.

Source: EPCIS 2.0 section 12.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from sealtrail.api.auth import for_discovery
from sealtrail.api.negotiation import DISCOVERY_HEADERS
from sealtrail.config import HttpSettings

COLLECTIONS = ("eventTypes", "epcs", "bizSteps", "bizLocations", "readPoints", "dispositions")
"""The top-level resources that are of one kind each, with the events of each of them below it."""


def capture_limits(settings: HttpSettings) -> dict[str, str]:
    """Return the headers that say how much one capture may have, for discovery and beside 413."""
    return {
        "GS1-EPCIS-Capture-Limit": str(settings.events_per_document_max),
        "GS1-EPCIS-Capture-File-Size-Limit": str(settings.body_bytes_max),
    }


def discovery(*methods: str, headers: Mapping[str, str] | None = None) -> Handler:
    """Return the handler of ``OPTIONS`` for a resource that has these other methods.

    A client that asks which versions are spoken has no token yet, perhaps: the answer is the same whether what the
    address names was ever recorded or not: versions, methods, and the two limits of a capture.
    """
    told = {**DISCOVERY_HEADERS, **(headers or {}), "Allow": ", ".join(("OPTIONS", *methods))}

    @for_discovery
    async def discover(_: web.Request) -> web.Response:
        return web.Response(status=204, headers=told)

    return discover
