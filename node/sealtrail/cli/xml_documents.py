"""EPCIS documents in XML, cut into parts that a node takes at once.

Each part is the document with some of its events. Nothing is serialised anew: an event stays the bytes that stood in
the file, under the same tags, so its namespaces, and what is wrong with it, are those of the file.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from xml.parsers import expat

import msgspec

from sealtrail.epcis.xml.decoding import refuse_declarations, to_utf8
from sealtrail.errors import InputError

_LIST = "EventList"
_step = re.compile(r"(/(?:[^/\[]+:)?EventList(?:\[[0-9]+\])?/)([^/\[]+)\[([0-9]+)\]").search


class XmlPart(msgspec.Struct, frozen=True, kw_only=True):
    """A document with some of the events of a larger one.

    ``first``: number of its first event, from 0. ``lines``: lines of the larger one that stood before that event and
    are not in the part, which begin with line ``head_lines``. ``before``: how many of each name stood before.
    """

    document: bytes
    events: int
    first: int = 0
    lines: int = 0
    head_lines: int = 0
    before: dict[str, int] = {}

    def shifted(self, problem: dict[str, Any]) -> dict[str, Any]:
        """Return a problem whose path and line lead into the larger document, not into the part."""
        found = dict(problem)
        line, pointer = found.get("line"), found.get("pointer")
        if isinstance(line, int) and line >= self.head_lines and self.lines:
            found["line"] = line + self.lines
            detail = str(found.get("detail", ""))
            found["detail"] = re.sub(
                rf"\bLine {line}\b", f"Line {line + self.lines}", detail, count=1
            )
        step = _step(pointer) if isinstance(pointer, str) else None
        if step is not None and isinstance(pointer, str):
            number = int(step[3]) + self.before.get(step[2], 0)
            head, tail = pointer[: step.start()], pointer[step.end() :]
            found["pointer"] = f"{head}{step[1]}{step[2]}[{number}]{tail}"
        return found


def split_xml(content: bytes, events_max: int) -> Iterator[XmlPart]:
    """Yield documents of at most ``events_max`` events each: the document itself if it has no more.

    Raises:
        InputError: ``xml_malformed``, and the codes of :mod:`sealtrail.epcis.xml.decoding`.
    """
    octets = to_utf8(content, octets_max=len(content))
    refuse_declarations(octets)
    events = _Events(octets)
    count = len(events.starts) if events.end else 1
    if count <= events_max:
        yield XmlPart(document=content, events=count)
        return
    begin, tail = events.starts[0], octets[events.end :]
    ends = [*events.starts[1:], events.end]
    head, before, lines = codecs.BOM_UTF8 + octets[:begin], Counter[str](), 0
    for first in range(0, count, events_max):
        last = min(first + events_max, count)
        part = octets[events.starts[first] : ends[last - 1]]
        yield XmlPart(
            document=head + part + tail,
            events=last - first,
            first=first,
            lines=lines,
            head_lines=head.count(b"\n") + 1,
            before=dict(before),
        )
        before.update(events.names[first:last])
        lines += part.count(b"\n")


class _Events:
    """Where the children of a document's event list stand: in bytes, up to the list's end tag; 0 if there is none."""

    def __init__(self, octets: bytes) -> None:
        self.starts: list[int] = []
        self.names: list[str] = []
        self.end = 0
        self._depth = 0
        self._list_depth = 0
        # the encoding is UTF-8 by now, whatever the document declares
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._close
        try:
            self._parser.Parse(octets, True)
        except expat.ExpatError as error:
            line, column = error.lineno, error.offset + 1
            reason = expat.ErrorString(error.code)
            raise InputError(
                "xml_malformed",
                f"Not XML. Line {line}, column {column}: {reason}.",
                line=line,
                column=column,
            ) from None

    def _start(self, name: str, _: dict[str, str]) -> None:
        self._depth += 1
        if self._list_depth and self._depth == self._list_depth + 1 and not self.end:
            self.starts.append(self._parser.CurrentByteIndex)
            self.names.append(name)
        elif not self._list_depth and name.rpartition(":")[2] == _LIST:
            self._list_depth = self._depth

    def _close(self, _: str) -> None:
        if self._depth == self._list_depth and not self.end and self.starts:
            self.end = self._parser.CurrentByteIndex
        self._depth -= 1
