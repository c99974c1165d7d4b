"""The HTTP session in which a node asks other nodes and witnesses."""

from __future__ import annotations

import aiohttp


def open_session() -> aiohttp.ClientSession:
    """Return a session that keeps no cookies, and whose answers come as they are.

    Answers are limited by the bytes that arrive; decoded, few bytes may become many. So nothing compressed is asked
    for: unless told, aiohttp asks for gzip even where it does not decode it, and a proxy before a peer then sends it.

    Source: RFC 9110, section 12.5.3.
    """
    return aiohttp.ClientSession(
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
    )
