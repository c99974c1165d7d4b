"""What client and node agree on: media types, forms, EPCIS and CBV versions (EPCIS 2.0 section 12)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, TypeAlias, TypeVar, get_args

import msgspec
from aiohttp import web

from sealtrail import __version__
from sealtrail.api.accept import choose
from sealtrail.epcis import XML_MEDIA_TYPES
from sealtrail.epcis.query import parse_extensions
from sealtrail.epcis.views import CbvFormat, Form
from sealtrail.errors import InputError, NotAcceptableError, UnsupportedMediaError
from sealtrail.gs1 import NO_PREFIXES, CompanyPrefixes
from sealtrail.services.answers.presentation import EpcFormat, Presentation
from sealtrail.signing import Kind

Format = TypeVar("Format", EpcFormat, CbvFormat)

EPCIS_VERSION = "2.0.0"
CBV_VERSION = "2.0.0"
EXTENSION_NAMESPACE = "https://sealtrail.org/epcis/"

VERSION_HEADERS: Mapping[str, str] = {
    "GS1-EPCIS-Version": EPCIS_VERSION,
    "GS1-CBV-Version": CBV_VERSION,
    "GS1-Extensions": f"sealtrail={EXTENSION_NAMESPACE}",
}
"""On every answer of the binding."""

DISCOVERY_HEADERS: Mapping[str, str] = {
    **VERSION_HEADERS,
    "GS1-EPCIS-Min": "1.2.0",
    "GS1-EPCIS-Max": EPCIS_VERSION,
    "GS1-CBV-Min": "1.2.0",
    "GS1-CBV-Max": CBV_VERSION,
    "GS1-EPC-Format": "No_Preference",
    "GS1-CBV-XML-Format": "No_Preference",
    "GS1-Vendor-Version": f"sealtrail-{__version__}",
}
"""On every answer to ``OPTIONS``."""

JSON_OFFERED = ("application/json", "application/ld+json")
XML_OFFERED = ("application/xml", "text/xml")
EVENTS_OFFERED = (*JSON_OFFERED, *XML_OFFERED)
"""Media types of answers with events; the first one where a client would take either."""
# No standard says how the node is to spell identifiers that nobody asked about: see docs/decisions/0126
_UNASKED = "No_Preference"

Prefixes: TypeAlias = Callable[[], Awaitable[CompanyPrefixes]]
"""Gives where company prefixes end, as far as it is known by now."""


async def no_prefixes() -> CompanyPrefixes:
    """Return that none is known."""
    return NO_PREFIXES


class Agreed(msgspec.Struct, frozen=True):
    """What an answer is to be: its media type, the form of the events in it, and the headers that say so."""

    media_type: str
    presentation: Presentation

    @property
    def headers(self) -> dict[str, str]:
        """The versions of the answer."""
        if self.presentation.form == "xml-1.2":
            return {**VERSION_HEADERS, "GS1-EPCIS-Version": "1.2.0", "GS1-CBV-Version": "1.2.2"}
        return dict(VERSION_HEADERS)


class Negotiator:
    """Agrees with clients on the form of events."""

    def __init__(self, prefixes: Prefixes) -> None:
        self._prefixes = prefixes

    async def agree(
        self, request: web.Request, offered: tuple[str, ...] = EVENTS_OFFERED
    ) -> Agreed:
        """Return what :func:`agree` does, with the company prefixes that EPC URNs need.

        Raises:
            NotAcceptableError: as :func:`agree`.
        """
        agreed = agree(request, offered)
        if agreed.presentation.epc_format != "Always_EPC_URN":
            return agreed
        known = await self._prefixes()
        presentation = msgspec.structs.replace(agreed.presentation, prefixes=known)
        return msgspec.structs.replace(agreed, presentation=presentation)


def check_body(request: web.Request) -> str:
    """Return the media type of a body; refuse one that is neither JSON in UTF-8 nor XML, or of another EPCIS version.

    Raises:
        UnsupportedMediaError: ``media_type_unsupported``.
        NotAcceptableError: ``epcis_version_unsupported``.
    """
    given = media_type_of_body(request)
    _check_spoken(request, _READ_FROM_XML if given in XML_MEDIA_TYPES else _JSON_VERSIONS)
    return given


def media_type_of_body(request: web.Request) -> str:
    """Return the media type of a body; refuse one that is neither JSON in UTF-8 nor XML.

    Raises:
        UnsupportedMediaError: ``media_type_unsupported``.
    """
    given = request.content_type if "Content-Type" in request.headers else "none"
    if given not in JSON_OFFERED and given not in XML_MEDIA_TYPES:
        raise UnsupportedMediaError(
            "media_type_unsupported",
            f"the body's media type is {given}, expected application/json or application/xml",
            advice="send the header Content-Type: application/json, or application/xml",
        )
    charset = request.charset
    if given in JSON_OFFERED and charset is not None and charset.lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaError("media_type_unsupported", f"charset {charset}, expected utf-8")
    return given


def agree(request: web.Request, offered: tuple[str, ...]) -> Agreed:
    """Return what the answer is to be, as the request's headers ask.

    Args:
        offered: media types that the resource has, the preferred one first.

    Raises:
        NotAcceptableError: nothing that is produced here is accepted (``media_type_unavailable``,
            ``epc_format_unknown``, ``cbv_format_unknown``, ``epcis_version_unsupported``).
    """
    media_type = choose(accepted(request), offered)
    if media_type is None:
        raise NotAcceptableError(
            "media_type_unavailable",
            f"produced here: {', '.join(offered)}",
            advice=f"send the header Accept: {offered[0]}",
        )
    form: Form = "json-2.0"
    if media_type in XML_OFFERED:
        form = _FORMS_OF_XML[_check_spoken(request, tuple(_FORMS_OF_XML))]
    else:
        _check_spoken(request, _JSON_VERSIONS)
    epc_format = _format(request, "GS1-EPC-Format", get_args(EpcFormat), "epc_format_unknown")
    if form == "xml-1.2" and epc_format == "No_Preference":
        epc_format = "Always_EPC_URN"  # EPCIS 1.2 came before Digital Links
    return Agreed(
        media_type,
        Presentation(
            form=form,
            epc_format=epc_format,
            cbv_format=_format(
                request, "GS1-CBV-XML-Format", get_args(CbvFormat), "cbv_format_unknown"
            ),
        ),
    )


def check_accept(request: web.Request) -> str:
    """Return the media type for an answer that only JSON has.

    Raises:
        NotAcceptableError: ``media_type_unavailable``, ``epcis_version_unsupported``.
    """
    return agree(request, JSON_OFFERED).media_type


def accepted(request: web.Request) -> str:
    """Return the request's ``Accept`` header, all its lines as one."""
    return ",".join(request.headers.getall("Accept", ()))


def extension_prefixes(request: web.Request) -> dict[str, str]:
    """Return prefix → namespace of the request's ``GS1-Extensions``.

    Raises:
        InputError: ``extensions_malformed``.
    """
    return parse_extensions(",".join(request.headers.getall("GS1-Extensions", ())))


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


Version: TypeAlias = tuple[int, int]
_JSON_VERSIONS: tuple[Version, ...] = ((2, 0),)
_READ_FROM_XML: tuple[Version, ...] = ((2, 0), (1, 2), (1, 1), (1, 0))
_FORMS_OF_XML: dict[Version, Form] = {(2, 0): "xml-2.0", (1, 2): "xml-1.2"}


def _check_spoken(request: web.Request, versions: Sequence[Version]) -> Version:
    """Return the first of these versions that the request's headers allow."""
    for version in versions:
        if all(_allows(request, standard, version) for standard in ("EPCIS", "CBV")):
            return version
    spoken = ", ".join(f"{first}.{second}" for first, second in versions)
    raise NotAcceptableError(
        "epcis_version_unsupported",
        f"this is spoken here in the versions {spoken} of EPCIS and CBV",
        advice="see the headers GS1-EPCIS-Version, -Min and -Max, and GS1-CBV-Version, -Min and -Max",
    )


def _allows(request: web.Request, standard: str, version: Version) -> bool:
    """Tell whether a client that says this of itself can be spoken to in that version."""
    exact, lowest, highest = (
        request.headers.get(f"GS1-{standard}-{name}") for name in ("Version", "Min", "Max")
    )
    return (
        (exact is None or _number(exact) in (version, version[:1]))
        and (lowest is None or () < _number(lowest) <= version)
        and (highest is None or _is_within(version, _number(highest)))
    )


def _is_within(version: Version, highest: tuple[int, ...]) -> bool:
    # 1 stands for all versions that begin so
    return highest != () and version[: len(highest)] <= highest


def _number(text: str) -> tuple[int, ...]:
    """Return a version's first two numbers; () if it is none, which nothing comes up to."""
    try:
        return tuple(int(part) for part in text.split("."))[:2]
    except ValueError:
        return ()


def _format(request: web.Request, header: str, known: tuple[Format, ...], code: str) -> Format:
    wanted = request.headers.get(header, _UNASKED)
    for each in known:
        if each == wanted:
            return each
    raise NotAcceptableError(code, f"{header} is {wanted[:40]}, expected {', '.join(known)}")
