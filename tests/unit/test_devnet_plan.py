"""The devnet's plan: what a folder remembers, and what it refuses."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from sealtrail.cli import devnet_plan
from sealtrail.cli.devnet_plan import (
    NODES_MAX,
    PLAN_NAME,
    continue_plan,
    load_plan,
    make_plan,
    save_plan,
)
from sealtrail.errors import ConflictError, InputError, UnavailableError
from sealtrail.gs1.check_digit import has_check_digit


@pytest.fixture(autouse=True)
def _every_port_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devnet_plan, "port_is_free", lambda _: True)


def test_the_first_three_are_manufacturer_wholesaler_and_pharmacy() -> None:
    nodes = make_plan("embedded", None, 3, None).nodes
    assert [n.name for n in nodes] == ["manufacturer", "wholesaler", "pharmacy"]
    assert [n.roles for n in nodes] == [("manufacturer",), ("distributor",), ("dispenser",)]


def test_no_two_nodes_share_anything() -> None:
    nodes = make_plan("embedded", None, NODES_MAX, None).nodes
    assert len({n.name for n in nodes}) == NODES_MAX
    assert len({g for n in nodes for g in n.glns}) == 2 * NODES_MAX
    assert len({n.port for n in nodes}) == NODES_MAX
    assert len({n.token for n in nodes}) == NODES_MAX
    rights = [r for n in nodes for r in n.numbering_rights]
    assert len(set(rights)) == len(rights)


def test_every_gln_has_its_check_digit_and_stands_under_the_nodes_prefix() -> None:
    for node in make_plan("embedded", None, NODES_MAX, None).nodes:
        assert all(has_check_digit(g) for g in node.glns)
        assert all(g.startswith(r) for r in node.numbering_rights for g in node.glns)


def test_a_base_port_fixes_all_ports() -> None:
    plan = make_plan("embedded", None, 2, 9000)
    assert (plan.chain.port, [n.port for n in plan.nodes]) == (9000, [9001, 9002])


def test_a_plan_survives_its_file_which_is_its_owners(tmp_path: Path) -> None:
    plan = make_plan("rpc", "http://127.0.0.1:1", 2, None)
    save_plan(tmp_path, plan)
    assert load_plan(tmp_path) == plan
    assert stat.S_IMODE((tmp_path / PLAN_NAME).stat().st_mode) == 0o600


def test_a_new_folder_has_no_plan(tmp_path: Path) -> None:
    assert load_plan(tmp_path) is None
    assert load_plan(tmp_path / "none") is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"type": "other"}'])
def test_a_damaged_plan_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / PLAN_NAME).write_text(text)
    with pytest.raises(InputError) as caught:
        load_plan(tmp_path)
    assert caught.value.code == "devnet_plan_malformed"


def test_more_nodes_join_and_those_there_stay_as_they_are() -> None:
    plan = make_plan("embedded", None, 2, None)
    more = continue_plan(plan, None, None, 5)
    assert more.nodes[:2] == plan.nodes
    assert len(more.nodes) == 5
    assert continue_plan(more, None, None, 1) == more


@pytest.mark.parametrize(("kind", "url"), [("anvil", None), ("rpc", "http://x")])
def test_a_devnet_does_not_change_its_chain(kind: devnet_plan.ChainKind, url: str | None) -> None:
    plan = make_plan("embedded", None, 1, None)
    with pytest.raises(ConflictError):
        continue_plan(plan, kind, url, None)


def test_a_url_goes_with_a_chain_of_others_only() -> None:
    with pytest.raises(InputError):
        make_plan("rpc", None, 1, None)
    with pytest.raises(InputError):
        make_plan("embedded", "http://x", 1, None)


def test_no_free_ports_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devnet_plan, "port_is_free", lambda _: False)
    with pytest.raises(UnavailableError) as caught:
        make_plan("embedded", None, 1, None)
    assert caught.value.code == "devnet_no_free_ports"


def test_a_port_that_somebody_listens_on_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    def taken(*_: object) -> None:
        raise OSError("in use")

    monkeypatch.setattr(socket.socket, "bind", taken)
    assert devnet_plan.port_is_free(9) is False
