"""What ``sealtrail doctor`` says of witnesses outside the network."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from sealtrail.cli.doctor_witnesses import _other
from sealtrail.log.cosignature import Witness

KEY = Witness("w.example/1", bytes(32)).verifier_key


@pytest.fixture
async def refusing() -> AsyncIterator[str]:
    """A witness that refuses what is no request, as each does."""

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=400)

    application = web.Application()
    application.add_routes([web.post("/prefix/add-checkpoint", refuse)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/prefix/"
    await runner.cleanup()


async def test_a_witness_that_answers_is_well(refusing: str) -> None:
    found = await _other(refusing, KEY)
    assert (found.check, found.state) == ("witness", "ok")
    assert "w.example/1" in found.message


async def test_one_that_does_not_answer_is_not_known_to_be() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found = await _other(f"http://127.0.0.1:{port}", KEY)
    assert found.state == "unknown"
    assert found.fix


async def test_a_key_that_is_none_is_a_problem() -> None:
    found = await _other("https://w.example", KEY[:-1])
    assert found.state == "problem"
    assert found.fix
