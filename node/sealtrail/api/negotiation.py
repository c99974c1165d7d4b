"""What client and node agree on: media types, forms, EPCIS and CBV versions (EPCIS 2.0 section 12)."""

from __future__ import annotations

import re
from typing import Literal, TypeVar, get_args

import msgspec
from aiohttp import web

from sealtrail.api.accept import choose
from sealtrail.epcis.fields import is_uri
from sealtrail.errors import InputError, NotAcceptableError, UnsupportedMediaError
from sealtrail.services.answers.presentation import CbvFormat, EpcFormat, Form, Presentation
from sealtrail.signing import Kind

Format = TypeVar("Format", EpcFormat, CbvFormat)

_is_prefix = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}").fullmatch
_READ = ("application/json", "application/ld+json")
_XML = ("application/xml", "text/xml")
# In this order where a client would take either; the forms of a media type by what is produced of them.
_PRODUCED: dict[str, Form] = {
    "application/json": "json-2.0",
    "application/ld+json": "json-2.0",
}
_EPC_FORMATS: tuple[EpcFormat, ...] = ("No_Preference", "Never_Translates")
_CBV_FORMATS: tuple[CbvFormat, ...] = get_args(CbvFormat)


class Agreed(msgspec.Struct, frozen=True):
    """What an answer is to be: its media type, and the form of the events in it."""

    media_type: str
    presentation: Presentation


def check_body(request: web.Request) -> str:
    """Return the media type of a body; refuse one that isn't JSON in UTF-8, or is of another EPCIS version.

    Raises:
        UnsupportedMediaError: ``media_type_unsupported``.
        NotAcceptableError: ``epcis_version_unsupported``.
    """
    given = request.content_type if "Content-Type" in request.headers else "none"
    if given not in _READ:
        later = "; EPCIS XML is not read yet" if given in _XML else ""
        raise UnsupportedMediaError(
            "media_type_unsupported",
            f"the body's media type is {given}, expected application/json{later}",
            advice="send the header Content-Type: application/json",
        )
    charset = request.charset
    if charset is not None and charset.lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaError("media_type_unsupported", f"charset {charset}, expected utf-8")
    check_versions(request)
    return given


def agree(request: web.Request, offered: tuple[str, ...] = tuple(_PRODUCED)) -> Agreed:
    """Return what the answer is to be, as the request's headers ask.

    Args:
        offered: media types that the resource has, the preferred one first.

    Raises:
        NotAcceptableError: nothing that is produced here is accepted (``media_type_unavailable``,
            ``epc_format_unavailable``, ``cbv_format_unavailable``, ``epcis_version_unsupported``).
    """
    media_type = choose(accepted(request), offered)
    if media_type is None:
        raise NotAcceptableError(
            "media_type_unavailable",
            f"produced here: {', '.join(offered)}",
            advice=f"send the header Accept: {offered[0]}",
        )
    check_versions(request)
    presentation = Presentation(
        form=_PRODUCED.get(media_type, "json-2.0"),
        epc_format=_format(request, "GS1-EPC-Format", _EPC_FORMATS, "epc_format_unavailable"),
        cbv_format=_format(request, "GS1-CBV-XML-Format", _CBV_FORMATS, "cbv_format_unavailable"),
    )
    return Agreed(media_type, presentation)


def accepted(request: web.Request) -> str:
    """Return the request's ``Accept`` header, all its lines as one."""
    return ",".join(request.headers.getall("Accept", ()))


def extension_prefixes(request: web.Request) -> dict[str, str]:
    """Return prefix → namespace of the request's ``GS1-Extensions``; what is no such pair has no effect."""
    pairs = ",".join(request.headers.getall("GS1-Extensions", ())).split(",")
    found = {}
    for prefix, _, namespace in (each.strip().partition("=") for each in pairs):
        if _is_prefix(prefix) and is_uri(namespace):
            found[prefix] = namespace
    return found


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


def prefers(request: web.Request, preference: str) -> bool:
    """Tell whether the client has a preference, such as ``return=representation`` (RFC 7240)."""
    return any(
        each.strip().lower() == preference for each in request.headers.get("Prefer", "").split(",")
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


def _format(request: web.Request, header: str, produced: tuple[Format, ...], code: str) -> Format:
    wanted = request.headers.get(header, "No_Preference")
    for each in produced:
        if each == wanted:
            return each
    raise NotAcceptableError(
        code, f"{header} {wanted[:40]}: produced here are {', '.join(produced)}"
    )
