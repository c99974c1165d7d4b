"""EPCIS documents in XML for tests, put together from text."""

from __future__ import annotations

NAMESPACES = {"2.0": "urn:epcglobal:epcis:xsd:2", "1.2": "urn:epcglobal:epcis:xsd:1"}
TIMES = (
    "<eventTime>2026-03-01T10:00:00.000Z</eventTime>"
    "<eventTimeZoneOffset>+01:00</eventTimeZoneOffset>"
)
DECLARED = 'xmlns:x="http://x.example/ns/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def pack(serial: int | str) -> str:
    return f"urn:epc:id:sgtin:4012345.011111.{serial}"


def event(
    serial: int | str = 1, *, times: str = TIMES, late: str = "", kind: str = "ObjectEvent"
) -> str:
    """Return an observation of one pack; ``late`` stands behind its action."""
    return (
        f"<{kind}>{times}<epcList><epc>{pack(serial)}</epc></epcList>"
        f"<action>OBSERVE</action>{late}</{kind}>"
    )


def document(*events: str, version: str = "2.0", header: str = "", doctype: str = "") -> bytes:
    """Return a capture document; each event begins on a line of its own, the first on line 4."""
    listed = "".join(f"\n{each}" for each in events)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{doctype}\n'
        f'<epcis:EPCISDocument xmlns:epcis="{NAMESPACES[version]}" {DECLARED} schemaVersion="{version}"\n'
        f' creationDate="2026-03-01T10:00:00Z">{header}<EPCISBody><EventList>{listed}\n'
        "</EventList></EPCISBody></epcis:EPCISDocument>\n"
    ).encode()
