"""What client and node agree on: media types, EPCIS and CBV versions (EPCIS 2.0 section 12)."""

from __future__ import annotations

from typing import Literal

from aiohttp import web

from sealtrail.epcis import XML_MEDIA_TYPES
from sealtrail.errors import InputError, NotAcceptableError, UnsupportedMediaError
from sealtrail.signing import Kind

EPCIS_VERSION = "2.0.0"
CBV_VERSION = "2.0.0"
VERSION_HEADERS = {
    "GS1-EPCIS-Version": EPCIS_VERSION,
    "GS1-CBV-Version": CBV_VERSION,
    "GS1-Extensions": "sealtrail=https://sealtrail.org/epcis/",
}
DISCOVERY_HEADERS = {
    **VERSION_HEADERS,
    "GS1-EPCIS-Min": EPCIS_VERSION,
    "GS1-EPCIS-Max": EPCIS_VERSION,
    "GS1-CBV-Min": CBV_VERSION,
    "GS1-CBV-Max": CBV_VERSION,
    "GS1-EPC-Format": "Never_Translates",
}

_JSON = frozenset({"application/json", "application/ld+json"})
_ACCEPTABLE = _JSON | {"*/*", "application/*", ""}


def check_body(request: web.Request) -> str:
    """Return the media type of a body; refuse one that is neither JSON in UTF-8 nor XML, or of another EPCIS version.

    Raises:
        UnsupportedMediaError: ``media_type_unsupported``.
        NotAcceptableError: ``epcis_version_unsupported``.
    """
    given = request.content_type if "Content-Type" in request.headers else "none"
    if given not in _JSON and given not in XML_MEDIA_TYPES:
        raise UnsupportedMediaError(
            "media_type_unsupported",
            f"the body's media type is {given}, expected application/json or application/xml",
            advice="send the header Content-Type: application/json, or application/xml",
        )
    charset = request.charset
    if given in _JSON and charset is not None and charset.lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaError("media_type_unsupported", f"charset {charset}, expected utf-8")
    check_versions(request)
    return given


def check_accept(request: web.Request) -> None:
    """Refuse a request that accepts nothing that can be produced here.

    Raises:
        NotAcceptableError: ``media_type_unavailable``, ``epcis_version_unsupported``.
    """
    ranges = [each.strip() for each in request.headers.get("Accept", "").split(",")]
    if not any(_accepts_json(each) for each in ranges):
        raise NotAcceptableError(
            "media_type_unavailable",
            "only application/json is produced here; XML comes later",
            advice="send the header Accept: application/json",
        )
    wanted = request.headers.get("GS1-EPC-Format", "No_Preference")
    if wanted not in ("No_Preference", "Never_Translates"):
        raise NotAcceptableError(
            "epc_format_unavailable",
            f"GS1-EPC-Format {wanted}: identifiers are given as recorded (Never_Translates)",
        )
    check_versions(request)


def check_versions(request: web.Request) -> None:
    """Refuse versions of EPCIS and CBV that this node doesn't speak.

    Raises:
        NotAcceptableError: ``epcis_version_unsupported``.
    """
    for name in _VERSION_NAMES:
        given = request.headers.get(name)
        if given is None:
            continue
        try:
            version = tuple(int(part) for part in given.split("."))[:2]
        except ValueError:
            version = ()
        if not _speaks(name, version):
            raise NotAcceptableError(
                "epcis_version_unsupported", f"{name} is {given}, this node speaks 2.0"
            )


def error_behaviour(request: web.Request) -> Literal["rollback", "proceed"]:
    """Return what to do with the rest when an event is refused; rollback unless told.

    Raises:
        InputError: ``error_behaviour_unknown``.
    """
    given = request.headers.get("GS1-Capture-Error-Behaviour", "rollback")
    if given == "rollback":
        return "rollback"
    if given == "proceed":
        return "proceed"
    raise InputError(
        "error_behaviour_unknown",
        f"GS1-Capture-Error-Behaviour is {given[:40]}, expected rollback or proceed",
    )


def capture_kind(request: web.Request) -> Kind:
    """Return the entry kind asked for with ``?kind=``: ``event`` unless told, or ``imported``.

    Raises:
        InputError: ``query_parameter_invalid``, ``query_parameter_unknown``.
    """
    for name in request.query:
        if name != "kind":
            raise InputError("query_parameter_unknown", f"{name[:80]} is not known here")
    given = request.query.get("kind", "event")
    kind = {"event": Kind.EVENT, "imported": Kind.IMPORTED}.get(given)
    if kind is None:
        raise InputError(
            "query_parameter_invalid", f"kind is {given[:40]}, expected event or imported"
        )
    return kind


def wants_representation(request: web.Request) -> bool:
    """Tell whether the client asked for the result in the answer (RFC 7240)."""
    return any(
        each.strip().lower() == "return=representation"
        for each in request.headers.get("Prefer", "").split(",")
    )


_VERSION_NAMES = (
    "GS1-EPCIS-Version",
    "GS1-EPCIS-Min",
    "GS1-EPCIS-Max",
    "GS1-CBV-Version",
    "GS1-CBV-Min",
    "GS1-CBV-Max",
)


def _speaks(name: str, version: tuple[int, ...]) -> bool:
    if not version:
        return False
    if name.endswith("-Min"):
        return version <= (2, 0)
    if name.endswith("-Max"):
        return version >= (2, 0)
    return version in ((2,), (2, 0))


def _accepts_json(media_range: str) -> bool:
    name, _, parameters = media_range.partition(";")
    refused = any(part.strip() in ("q=0", "q=0.0") for part in parameters.split(";"))
    return name.strip().lower() in _ACCEPTABLE and not refused
