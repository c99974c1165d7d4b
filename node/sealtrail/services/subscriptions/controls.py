"""What a client asks for with a subscription, read strictly: where to, when, and since when.

Source: EPCIS 2.0 section 8.2.5 (SubscriptionControls); OpenAPI of the REST binding, ``QueryStreamSubscription`` and
``QueryScheduleSubscription`` for webhooks, the parameters of ``/queries/{queryName}/events`` for WebSockets.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from sealtrail.errors import InputError
from sealtrail.services.answers.presentation import AS_RECORDED, Presentation
from sealtrail.services.receipts import TIME_MS_MAX
from sealtrail.services.subscriptions.schedule import FIELDS, Schedule, parse_schedule
from sealtrail.store.subscriptions import Controls

TOKEN_CHARACTERS_MAX = 1_000
FEED_PARAMETERS = FIELDS | {"stream", "reportIfEmpty", "initialRecordTime"}
_MEMBERS = frozenset(
    {"dest", "signatureToken", "secret", "initialRecordTime", "reportIfEmpty", "schedule", "stream"}
)


class WantedSubscription(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription as its client asks for it; ``dest`` is not checked yet."""

    dest: str
    signature_token: str | None
    controls: Controls


def parse_subscription(tree: Any, presentation: Presentation) -> WantedSubscription:
    """Read the body of ``POST /queries/{queryName}/subscriptions``.

    Args:
        presentation: how identifiers and words are to be spelt in what is sent.

    Raises:
        InputError: ``subscription_malformed``, ``subscription_member_unknown``, ``subscription_controls_missing``,
            ``subscription_controls_conflict``, ``subscription_controls_invalid``; as :func:`parse_schedule`.
    """
    if not isinstance(tree, dict):
        raise InputError("subscription_malformed", "a subscription is a JSON object", pointer="")
    for name in tree:
        if name not in _MEMBERS:
            known = ", ".join(sorted(_MEMBERS - {"secret"}))
            raise InputError(
                "subscription_member_unknown",
                f"{name[:80]!r} is not known here",
                pointer=f"/{name[:80]}",
                advice=f"known are {known}",
            )
    dest = tree.get("dest")
    if not isinstance(dest, str):
        raise InputError("subscription_malformed", "dest must be a URL", pointer="/dest")
    # The OpenAPI demands a "secret" where it describes and shows a signatureToken.
    token = tree.get("signatureToken", tree.get("secret"))
    if token is not None and not _is_token(token):
        raise InputError(
            "subscription_malformed",
            f"signatureToken must be text of 1 to {TOKEN_CHARACTERS_MAX} characters",
            pointer="/signatureToken",
        )
    report_if_empty = tree.get("reportIfEmpty")
    return WantedSubscription(
        dest=dest,
        signature_token=token,
        controls=_controls(
            stream=tree.get("stream"),
            schedule=_fields_of(tree.get("schedule")),
            report_if_empty=False if report_if_empty is None else report_if_empty,
            initial=tree.get("initialRecordTime"),
            presentation=presentation,
        ),
    )


def parse_feed(given: Mapping[str, str]) -> Controls:
    """Read the parameters of a WebSocket's address; those of other names are passed over.

    Raises:
        InputError: as :func:`parse_subscription`.
    """
    schedule = {name: given[name] for name in FIELDS & given.keys()}
    return _controls(
        stream=_flag(given, "stream"),
        schedule=schedule or None,
        report_if_empty=_flag(given, "reportIfEmpty") or False,
        initial=given.get("initialRecordTime"),
        presentation=AS_RECORDED,
    )


def schedule_of(controls: Controls) -> Schedule | None:
    """Return when it runs; None of a stream."""
    return None if controls.schedule is None else parse_schedule(controls.schedule, "/schedule")


def _controls(
    *,
    stream: Any,
    schedule: Mapping[str, str] | None,
    report_if_empty: Any,
    initial: Any,
    presentation: Presentation,
) -> Controls:
    if stream is False and schedule is not None:
        stream = None  # says only what the schedule says as well
    if stream is not None and stream is not True:
        raise _fault("invalid", "stream can only be true", "/stream")
    if schedule is None and stream is None:
        raise _fault(
            "missing", "neither stream nor schedule: nobody would know when to send", "/stream"
        )
    if schedule is not None and stream is not None:
        raise _fault("conflict", "stream and schedule exclude each other", "/stream")
    if not isinstance(report_if_empty, bool):
        raise _fault("invalid", "reportIfEmpty must be true or false", "/reportIfEmpty")
    if schedule is not None:
        parse_schedule(schedule, "/schedule")
    return Controls(
        schedule=schedule,
        report_if_empty=report_if_empty and schedule is not None,
        initial_ms=None if initial is None else _time_ms(initial),
        epc_format=presentation.epc_format,
        cbv_format=presentation.cbv_format,
    )


def _fields_of(schedule: Any) -> dict[str, str] | None:
    """Return a schedule's fields that are not null; numbers, which the OpenAPI's own examples have, as text."""
    if schedule is None:
        return None
    if not isinstance(schedule, dict):
        raise _fault("invalid", "schedule must be an object", "/schedule")
    fields = {name: value for name, value in schedule.items() if value is not None}
    for name, value in fields.items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise _fault("invalid", f"{name[:40]} must be text", f"/schedule/{name[:40]}")
    return {name: str(value) for name, value in fields.items()}


def _flag(given: Mapping[str, str], name: str) -> bool | None:
    if name not in given:
        return None
    text = given[name].lower()
    if text not in ("true", "false"):
        raise _fault("invalid", f"{name} must be true or false", f"/{name}")
    return text == "true"


def _time_ms(given: Any) -> int:
    try:
        # a + that nobody encoded in an address is a blank
        moment = datetime.fromisoformat(given.replace(" ", "+")) if isinstance(given, str) else None
        if moment is not None and moment.tzinfo is not None:
            return min(max(0, int(moment.timestamp() * 1000)), TIME_MS_MAX)
    except (ValueError, OverflowError):
        pass
    raise _fault(
        "invalid", "initialRecordTime must be a date and time with an offset", "/initialRecordTime"
    )


def _is_token(token: Any) -> bool:
    if not isinstance(token, str) or not 0 < len(token) <= TOKEN_CHARACTERS_MAX:
        return False
    return token.isprintable()


def _fault(what: str, message: str, pointer: str) -> InputError:
    return InputError(f"subscription_controls_{what}", message, pointer=pointer)
