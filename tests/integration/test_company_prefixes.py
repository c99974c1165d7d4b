"""Where company prefixes end, by the members' numbering rights as this node followed them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from provenance_world import World, record_of
from scenarios import MAKER
from sealtrail.gs1 import to_urn
from sealtrail.membership.encoding import encode_record
from sealtrail.membership.records import NumberingRight
from sealtrail.services.answers.company_prefixes import KnownPrefixes, published_length
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.store.database import Database


async def test_members_rights_tell_and_the_configuration_tells_better(tmp_path: Path) -> None:
    world = World(tmp_path)
    record = record_of(MAKER)
    rights = ("040123459", "04012345", "123456789012345")
    more = tuple(NumberingRight(digits=digits) for digits in rights)
    world.chain.record(
        MAKER.member, 2, encode_record(msgspec.structs.replace(record, rights=more, version=2))
    )
    node = await world.node(MAKER)
    await node.anchor()
    table = await KnownPrefixes(node.database, node.networks, []).table()
    assert table.length("0401234590000") == 8  # a right within a right is no prefix
    assert published_length("0401234590000") != 8
    assert table.length("9521234543213") == 7  # GS1's table

    configured = await KnownPrefixes(node.database, node.networks, ["0401234590"]).table()
    assert configured.length("0401234590000") == 10
    link = "https://id.gs1.org/00/004012345900000007"
    assert to_urn(link, table) != to_urn(link, configured)
    world.close()


async def test_a_node_that_never_followed_the_chain_knows_what_is_configured(
    tmp_path: Path,
) -> None:
    database = Database.open(tmp_path / "new.db")
    networks = FollowedNetworks(World(tmp_path).identity)
    table = await KnownPrefixes(database, networks, ["040123459000"]).table()
    assert table.length("0401234590000") == 12
    database.close()
