"""The report on a bundle as HTML: whatever a bundle says in it is text, and it needs nothing but itself."""

from __future__ import annotations

from html.parser import HTMLParser

import msgspec
import pytest

from bundle_story import Story
from bundle_world import bundle, verify
from sealtrail.cli.verify_html import render_html
from sealtrail.cli.verify_report import Checked, encode_report
from sealtrail.evidence.bundle.lines import ItemQuestion
from sealtrail.evidence.bundle.report import Problem
from sealtrail.evidence.report import Outcome

HOSTILE = '</title></style><script>alert(1)</script><img src=x onerror="alert(2)">\u202e\x00'
VOID = {"meta", "br"}
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "main", "div", "section", "span"),
    *("h1", "h2", "p", "strong", "code", "br", "ol", "ul", "li", "dl", "dt", "dd"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "scope", "aria-hidden"),
}


class Page(HTMLParser):
    """Reads a page strictly: each element ends where it should."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(data.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def checked(story: Story, *, item: str | None = None) -> Checked:
    recipe = story.recipe()
    if item is not None:
        recipe.question = ItemQuestion(item=item)
    trust = story.world.trust(pinned=5)
    trust = msgspec.structs.replace(trust, operators=dict.fromkeys(trust.operators, HOSTILE))
    return Checked(
        report=verify(bundle(story.world, recipe), trust),
        trust=trust,
        bundle_digest=b"\x01" * 32,
        trust_digest=b"\x02" * 32,
        item=item,
        min_block=None,
        verified_at=1_800_000_000,
    )


@pytest.fixture(scope="module")
def hostile() -> Checked:
    found = checked(Story(HOSTILE))
    problem = Problem(
        outcome=Outcome.DOES_NOT_HOLD, code=HOSTILE, reason=HOSTILE, place=HOSTILE, advice=HOSTILE
    )
    steps = [msgspec.structs.replace(s, problems=(problem,), count=9) for s in found.report.steps]
    report = msgspec.structs.replace(
        found.report,
        steps=tuple(steps),
        question=HOSTILE,
        made_by=HOSTILE,
        verified_by=HOSTILE,
        not_covered=(HOSTILE,),
        findings=((HOSTILE, HOSTILE),),
        verdicts=(("identifier", HOSTILE, (HOSTILE,)),),
    )
    return msgspec.structs.replace(found, report=report, item=HOSTILE)


def test_nothing_of_a_hostile_bundle_is_markup(hostile: Checked) -> None:
    page = Page(render_html(hostile))
    assert set(page.elements) <= ALLOWED
    assert page.attributes <= ATTRIBUTES
    assert page.elements.count("title") == 1
    shown = HOSTILE.replace("\u202e", "\\u202e").replace("\x00", "\\x00")
    assert page.text.count(shown) > 14 * 4
    assert "Maker of " + shown in page.text
    assert "\u202e" not in page.text


def test_it_needs_nothing_but_itself(hostile: Checked) -> None:
    text = render_html(hostile).decode()
    for word in ('src=x onerror="', "href=", "url(", "@import", "<script", "<link"):
        assert word not in text
    assert "default-src 'none'" in text


def test_the_same_report_is_the_same_page(hostile: Checked) -> None:
    assert render_html(hostile) == render_html(hostile)
    assert encode_report(hostile) == encode_report(hostile)
    later = msgspec.structs.replace(hostile, verified_at=hostile.verified_at + 1)
    assert render_html(later) != render_html(hostile)
    assert later.digest != hostile.digest


def test_the_page_has_the_facts_of_the_report() -> None:
    found = checked(Story("facts"), item="urn:uuid:nobody-knows-this")
    page = Page(render_html(found))
    report = found.report
    facts = [report.question, report.issuer, report.made_by, found.digest.hex()]
    facts += [found.bundle_digest.hex(), found.trust_digest.hex(), report.digest.hex()]
    facts += [f"{step.name}" for step in report.steps]
    facts += [p.reason for step in report.steps for p in step.problems]
    facts += [log.name for log in report.logs] + [message for _, message in report.findings]
    facts += [reason for _, _, reasons in report.verdicts for reason in reasons]
    facts += ["2027-01-15T08:00:00Z"]
    assert [fact for fact in facts if fact not in page.text] == []


def test_a_mark_is_never_without_its_word() -> None:
    text = render_html(checked(Story("marks"))).decode()
    assert text.count('<span class="mark" aria-hidden="true">') == text.count("</span> ") > 14
    assert text.count("<strong>holds</strong>") == 14


def test_a_time_beyond_the_calendar_is_a_number() -> None:
    found = checked(Story("time"))
    beyond = msgspec.structs.replace(found, verified_at=2**64 - 1)
    assert f"{2**64 - 1} s after 1970" in render_html(beyond).decode()
