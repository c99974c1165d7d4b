"""What others put below a note can't spoil an answer: of a handed-over note only the log's own signatures go in."""

from __future__ import annotations

import pytest

from bundle_story import Story
from sealtrail.errors import InputError
from sealtrail.evidence.bundle.form import encode_line
from sealtrail.evidence.bundle.lines import CheckpointLine, LogLine, LogPlace
from sealtrail.evidence.wire import to_hex
from sealtrail.log.checkpoint import NoteSignature, with_signatures
from sealtrail.log.cosignature import witness_name
from sealtrail.membership.records import Anchor
from sealtrail.services.evidence.peers import read_section
from sealtrail.services.evidence.sections import AnchoredNote, ForeignPart, foreign_lines
from sealtrail.signing import origin_of

PLACE = LogPlace(block=9, receipt=0, log=0)


def forged(story: Story) -> tuple[str, str]:
    """Return the maker's last note, and the same with a line below it that claims to be a partner's cosignature."""
    note = story.maker.anchored[-1].note
    name = witness_name(origin_of(story.world.domain, b"\x77" * 20))
    return note, with_signatures(note, [NoteSignature(name, b"\1\2\3\4", b"\0" * 72)])


def test_a_forged_cosignature_below_a_handed_over_note_stays_out() -> None:
    story = Story()
    note, with_more = forged(story)
    anchor = Anchor(
        member=story.maker.member,
        sequence=2,
        checkpoint_hash=b"\5" * 32,
        suspended=False,
        block_number=9,
        block_hash=b"\6" * 32,
        block_time=0,
        transaction_hash=b"",
    )
    part = ForeignPart(
        member=story.maker.member,
        checkpoint=AnchoredNote(size=len(story.maker.entries), note=with_more, anchor=anchor),
        records=(),
        item_salt=None,
    )
    *_, line = foreign_lines(part, {anchor.checkpoint_hash: PLACE})
    assert isinstance(line, CheckpointLine)
    assert line.note == note


@pytest.mark.parametrize("note", ["", "no note\n", "sealtrail/x\n1\nAAAA\n\n— a b\n"])
def test_a_peers_section_with_what_is_no_note_is_refused(note: str) -> None:
    member = to_hex(b"\x11" * 20)
    opening = LogLine(member=member, item_salt=to_hex(b"\x22" * 32), covered=True)
    data = b"".join(map(encode_line, (opening, CheckpointLine(note=note, anchor=PLACE))))
    with pytest.raises(InputError) as caught:
        read_section(data, b"\x11" * 20)
    assert caught.value.code in {"note_malformed", "origin_malformed"}
