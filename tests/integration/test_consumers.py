"""Webhooks over real sockets: what a name leads to is checked when it is resolved, and that address is called."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from aiohttp import ThreadedResolver, web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from capture_node import TO_THIS_MACHINE, capture_node
from sealtrail.config import SubscriptionsSettings
from sealtrail.consumers import connecting
from sealtrail.consumers.connecting import open_session
from sealtrail.consumers.destinations import allowed_destinations
from sealtrail.consumers.webhook import WebhookClient
from sealtrail.errors import InputError, NotFoundError, TooLargeError, UnavailableError
from subscription_world import (
    Consumer,
    Received,
    client_of,
    consumer,
    make_query,
    record,
    subscribe,
    until_shown,
)


class Names(AbstractResolver):
    """A DNS that answers as it is told to; each name's answers in turn, and the last one from then on."""

    def __init__(self, **names: Sequence[Sequence[str]]) -> None:
        self.names = {name.replace("_", "."): list(answers) for name, answers in names.items()}
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked += 1
        answers = self.names[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


async def post(
    dest: str, *, resolver: AbstractResolver | None = None, times: int = 1, **settings: object
) -> None:
    wanted = SubscriptionsSettings(**{"plain_http": True, **settings})  # type: ignore[arg-type]
    allowed = allowed_destinations(wanted)
    session = open_session(allowed, resolver or ThreadedResolver())
    async with session:
        client = WebhookClient(session, allowed, timeout_seconds=wanted.timeout_seconds)
        for _ in range(times):
            await client.post(dest, b"{}", {})


async def refused(dest: str, **more: object) -> None:
    with pytest.raises(InputError) as error:
        await post(dest, **more)  # type: ignore[arg-type]
    assert error.value.code == "destination_refused"


def port_of(taker: Consumer) -> str:
    return taker.url.rpartition(":")[2].partition("/")[0]


async def test_a_name_that_leads_inside_is_not_called() -> None:
    async with consumer() as taker:
        for address in ("127.0.0.1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254"):
            names = Names(evil_example=[[address]])
            await refused(f"http://evil.example:{port_of(taker)}", resolver=names)
        assert taker.received == []


async def test_a_name_of_which_one_address_leads_inside_is_not_called_at_all() -> None:
    async with consumer() as taker:
        for addresses in (["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"]):
            names = Names(evil_example=[addresses])
            await refused(f"http://evil.example:{port_of(taker)}", resolver=names)
        assert taker.received == []


async def test_a_name_is_resolved_once_for_a_call_and_judged_at_each() -> None:
    async with consumer() as taker:
        names = Names(hooks_example=[["127.0.0.1"], ["169.254.169.254"]])
        dest = f"http://hooks.example:{port_of(taker)}"
        await post(dest, resolver=names, allow=["127.0.0.0/8"])
        assert names.asked == 1
        await refused(dest, resolver=names, allow=["127.0.0.0/8"])
        assert len(taker.received) == 1


async def test_a_node_whose_consumers_name_leads_inside_by_turns_calls_nothing_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the name's owner answers the node with an allowed address, then with one that is not, at once."""
    outside, inside = "127.0.0.2", "127.0.0.1"
    names = Names(rebinding_example=[[outside], [inside]] * 10)
    monkeypatch.setattr(connecting.aiohttp, "ThreadedResolver", lambda: names)

    async def answer(_: Received) -> web.StreamResponse:
        response = web.Response()
        response.force_close()  # so that the name is asked for each time
        return response

    settings = msgspec.structs.replace(TO_THIS_MACHINE, allow=[outside])
    async with (
        consumer(host=outside, answer=answer) as taker,
        consumer(host=inside, port=int(port_of(taker))) as victim,
        capture_node(tmp_path / "node.db", subscriptions=settings) as node,
        client_of(node.url) as client,
    ):
        await make_query(client)
        await subscribe(client, f"http://rebinding.example:{port_of(taker)}/")
        for number in range(6):
            await record(node, number)
            await taker.until(lambda c, number=number: len(c.serials) > number)
        assert taker.serials == [str(number) for number in range(6)]
        assert names.asked > 6
        assert victim.received == []
        names.names["rebinding.example"] = [[inside]]
        await record(node, 6)
        await until_shown(client, lambda shown: "may be sent to" in shown.get("failure", ""))
        assert victim.received == []


@pytest.mark.parametrize("host", ["localhost", "localhost.", "LOCALHOST"])
async def test_the_systems_own_names_for_itself_are_not_called(host: str) -> None:
    async with consumer() as taker:
        await refused(f"http://{host}:{port_of(taker)}")
        assert taker.received == []


async def test_an_address_in_the_url_is_not_called_either() -> None:
    async with consumer() as taker:
        await refused(taker.url)
        await refused(taker.url, allow=["some.name.internal"])
        assert taker.received == []


async def test_a_host_that_the_operator_names_is_called_where_it_is() -> None:
    async with consumer() as taker:
        names = Names(hooks_internal=[["127.0.0.1"]])
        dest = f"http://hooks.internal:{port_of(taker)}"
        await post(dest, resolver=names, allow=["hooks.internal"])
        assert len(taker.received) == 1
        await refused(dest, resolver=names)


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with consumer() as proxy, consumer() as taker:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        await post(taker.url, allow=["127.0.0.1"])
        assert (len(proxy.received), len(taker.received)) == (0, 1)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (301, UnavailableError, "consumer_not_taking"),
        (308, UnavailableError, "consumer_not_taking"),
        (400, UnavailableError, "consumer_not_taking"),
        (401, UnavailableError, "consumer_not_taking"),
        (404, UnavailableError, "consumer_not_taking"),
        (500, UnavailableError, "consumer_not_taking"),
        (410, NotFoundError, "consumer_gone"),
        (413, TooLargeError, "consumer_wants_less"),
    ],
)
async def test_every_answer_but_a_success_is_a_failure(
    status: int, kind: type[Exception], code: str
) -> None:
    async def answer(_: Received) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": "http://127.0.0.1:1/"})

    async with consumer(answer=answer) as taker:
        with pytest.raises(kind) as error:
            await post(taker.url, allow=["127.0.0.1"])
        assert getattr(error.value, "code", None) == code


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_success_is_one(status: int) -> None:
    async def answer(_: Received) -> int:
        return status

    async with consumer(answer=answer) as taker:
        await post(taker.url, times=2, allow=["127.0.0.1"])
        assert len(taker.received) == 2


async def test_an_answer_without_an_end_is_not_read() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 1000)
            try:
                await writer.drain()
            except ConnectionError:
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await post(f"http://127.0.0.1:{port}/", allow=["127.0.0.1"])


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 2000 OK\r\n\r\n"])
async def test_who_speaks_no_http_is_unreachable(said: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(UnavailableError) as error:
            await post(f"http://127.0.0.1:{port}/", allow=["127.0.0.1"])
        assert error.value.code == "consumer_unreachable"


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return the server's side of TLS with a certificate that it made for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "own.pem").write_bytes(
        certificate.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem")
    return context


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    async with consumer(tls=self_signed(tmp_path)) as taker:
        assert taker.url.startswith("https:")
        with pytest.raises(UnavailableError) as error:
            await post(taker.url, allow=["127.0.0.1"])
        assert error.value.code == "consumer_unreachable"
        assert "certificate" in error.value.message
        assert taker.received == []


async def test_a_name_that_leads_nowhere_is_unreachable() -> None:
    with pytest.raises(UnavailableError) as error:
        await post("http://nowhere.invalid/")
    assert error.value.code == "consumer_unreachable"
