"""How much of a bundle is kept in memory at once: limits are of the bundle, not of each of its sections."""

from __future__ import annotations

import pytest

from bundle_story import Story
from bundle_world import Member, bundle, event
from sealtrail.errors import InputError
from sealtrail.evidence.bundle.form import BundleLimits
from sealtrail.evidence.bundle.report import BundleReport
from sealtrail.evidence.bundle.trust import TrustFile
from sealtrail.evidence.bundle.verify import verify_bundle


class TwoLogs(Story):
    """A dealer has seen the pack, too: 10 entries, 8 lists, 5 leaves on them."""

    def __init__(self) -> None:
        super().__init__("two logs")
        dealer = Member(self.world, "Dealer", gln="9521234000020")
        dealer.append(event(12))
        dealer.seal()
        self.world.empty(6)
        recipe = self.recipe()
        recipe.logs = [self.maker, dealer]
        self.data = bundle(self.world, recipe)


@pytest.fixture(scope="module")
def story() -> TwoLogs:
    return TwoLogs()


def read(story: TwoLogs, limits: BundleLimits) -> BundleReport:
    trust: TrustFile = story.world.trust(pinned=5)
    return verify_bundle(story.data.splitlines(keepends=True), trust, limits=limits)


@pytest.mark.parametrize(
    ("limit", "most"),
    [("judged_entries_max", 10), ("item_proofs_max", 8), ("listed_max", 5)],
)
def test_limits_are_of_all_sections_together(story: TwoLogs, limit: str, most: int) -> None:
    assert read(story, BundleLimits(**{limit: most})).exit_code == 0
    with pytest.raises(InputError) as caught:
        read(story, BundleLimits(**{limit: most - 1}))
    assert caught.value.code == "bundle_malformed"


@pytest.mark.parametrize("limit", ["judged_bytes_max", "blocks_bytes_max"])
def test_more_bytes_than_may_be_kept_are_refused(story: TwoLogs, limit: str) -> None:
    with pytest.raises(InputError) as caught:
        read(story, BundleLimits(**{limit: 2_000}))
    assert caught.value.code == "bundle_malformed"
