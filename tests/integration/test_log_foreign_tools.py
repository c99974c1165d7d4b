"""Programs of others read, copy and witness a node's log: what this project says of itself is not only its own word."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from conftest import TOOLS
from peers_world import LOG_TOKEN, OTHER_TOKEN, Peer, PeersWorld, peers_world, until
from provenance_world import commissioning, derived
from scenarios import MAKER
from sealtrail.config import OtherWitnessSettings, WitnessesSettings
from sealtrail.log.checkpoint import parse_note, verifier_key
from sealtrail.log.cosignature import Witness, find_cosignature, parse_witness
from sealtrail.log.ed25519 import Ed25519Signer
from sealtrail.log.tree import EMPTY_ROOT
from sealtrail.signing import origin_of
from sealtrail.store.cosignatures import cosigned_sizes

ENTRIES = 1_300  # five full tiles and a partial one
READ_SECONDS_MAX = 60.0
# A log that does not hold may keep fsck waiting for ever: it is given so long to say that all is well.
DOUBT_SECONDS = 8.0
SUCCESS = "Successfully fsck'd"


@pytest.fixture(scope="session")
def fsck() -> str:
    """Tessera's fsck; skips where there is none."""
    path = TOOLS / "bin" / "fsck"  # never from PATH: a system has an fsck of its own
    if not path.exists():
        pytest.skip("Tessera's fsck is not at hand: scripts/tools --logs builds it")
    return str(path)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[PeersWorld]:
    async with peers_world(tmp_path, (MAKER,)) as made:
        yield made


async def maker_with_a_long_log(world: PeersWorld, *sizes: int) -> Peer:
    maker = await world.peer(MAKER)
    for size in sizes:
        await grow(maker, size)
    return maker


async def grow(maker: Peer, size: int) -> None:
    """Anchor the log at that size."""
    new = range(maker.log.size, size - 1)  # the last is the index entry
    packs = (f"urn:epc:id:sgtin:4012345.011122.F{n}" for n in new)
    await maker.record(*(commissioning(MAKER, 10, each) for each in packs))
    await maker.anchor()


def log_verifier_key(world: PeersWorld) -> str:
    public = Ed25519Signer(derived(MAKER.name, "log")).public_key
    return verifier_key(origin_of(world.domain, MAKER.member), public)


def log_of(maker: Peer) -> str:
    return f"{maker.url}/log/"


async def run_fsck(
    fsck: str, world: PeersWorld, log_url: str, seconds: float, token: str = LOG_TOKEN
) -> str:
    """Have fsck read the whole log; return what it said until it ended or its time was over."""
    key = world.folder / "log.pub"
    key.write_text(log_verifier_key(world))
    return await what_it_says(
        *(fsck, "-ui=false", "-v=1", "-logtostderr", "-N=2", f"-bearer_token={token}"),
        *(f"-storage_url={log_url}", f"-public_key={key}"),
        seconds=seconds,
    )


async def what_it_says(*command: str, seconds: float) -> str:
    """Run a program; return what it said until it ended or its time was over."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    said = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while chunk := await process.stderr.read(1 << 16):
                said += chunk
    except TimeoutError:
        said += b"(time over)"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    return said.decode()


@pytest.mark.full
@pytest.mark.parametrize("sizes", [(ENTRIES,), (3, 256, 700)])
async def test_tesseras_fsck_reads_the_whole_log_and_agrees_on_its_root(
    fsck: str, world: PeersWorld, sizes: tuple[int, ...]
) -> None:
    maker = await maker_with_a_long_log(world, *sizes)
    said = await run_fsck(fsck, world, log_of(maker), READ_SECONDS_MAX)
    assert SUCCESS in said, said
    assert f"size {sizes[-1]}" in said, said


def flip(peer: Peer, column: str, row: str, at: int) -> None:
    """Flip one bit of what a column holds in the node's database."""
    table = "tile" if column == "hashes" else "entry"

    def change(connection: sqlite3.Connection) -> None:
        (found,) = connection.execute(f"SELECT {column} FROM {table} WHERE {row}").fetchone()
        flipped = found[:at] + bytes([found[at] ^ 1]) + found[at + 1 :]
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {row}", (flipped,))

    peer.database.write_sync(change)


@pytest.mark.full
@pytest.mark.parametrize(
    ("column", "row", "at"),
    [
        ("leaf", "leaf_index = 300", 40),
        ("leaf", "leaf_index = 1299", 190),
        ("hashes", "level = 0 AND tile_index = 1", 0),
    ],
    ids=["an entry", "the last entry", "a tile"],
)
async def test_tesseras_fsck_does_not_pass_a_log_with_a_flipped_bit(
    fsck: str, world: PeersWorld, column: str, row: str, at: int
) -> None:
    maker = await maker_with_a_long_log(world, ENTRIES)
    flip(maker, column, row, at)
    said = await run_fsck(fsck, world, log_of(maker), DOUBT_SECONDS)
    assert SUCCESS not in said, said
    assert "fsck failed" in said or "(time over)" in said, said


@pytest.mark.full
async def test_tesseras_fsck_reads_nothing_with_a_token_of_another_scope(
    fsck: str, world: PeersWorld
) -> None:
    maker = await maker_with_a_long_log(world, 3)
    said = await run_fsck(fsck, world, log_of(maker), READ_SECONDS_MAX, OTHER_TOKEN)
    assert SUCCESS not in said
    assert "403" in said


# -- Tessera's mirror ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def mirror() -> str:
    """Tessera's mirror; skips where there is none."""
    path = TOOLS / "bin" / "tessera-mirror"
    if not path.exists():
        pytest.skip("Tessera's mirror is not at hand: scripts/tools --logs builds it")
    return str(path)


@asynccontextmanager
async def with_the_token(maker: Peer) -> AsyncIterator[str]:
    """Serve the log to a program that sends no token, as an operator's proxy would; give its URL."""

    async def forward(request: web.Request) -> web.Response:
        coding = request.headers.get("Accept-Encoding", "identity")
        headers = {"Authorization": f"Bearer {LOG_TOKEN}", "Accept-Encoding": coding}
        async with session.get(maker.url + request.path, headers=headers) as response:
            kept = {k: v for k, v in response.headers.items() if k.startswith("Content-")}
            return web.Response(body=await response.read(), status=response.status, headers=kept)

    application = web.Application()
    application.add_routes([web.get("/log/{path:.+}", forward)])
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/log/"
    finally:
        await runner.cleanup()


@pytest.mark.full
async def test_tesseras_mirror_copies_a_log_as_it_grows_and_the_copy_holds(
    mirror: str, fsck: str, world: PeersWorld
) -> None:
    copy = world.folder / "mirror"
    maker = await world.peer(MAKER)
    for size in (300, ENTRIES):
        await grow(maker, size)
        async with with_the_token(maker) as url:
            said = await what_it_says(
                *(mirror, "-logtostderr", "-num_workers=2"),
                *(f"-storage_dir={copy}", f"-source_url={url}"),
                seconds=READ_SECONDS_MAX,
            )
        assert "Log mirrored successfully" in said, said
        said = await run_fsck(fsck, world, f"file://{copy}/", READ_SECONDS_MAX)
        assert SUCCESS in said, said
        assert f"size {size}" in said, said


# -- litewitness ---------------------------------------------------------------------------------

WITNESS_NAME = "witness.example/lite"


@pytest.fixture(scope="session")
def litewitness() -> str:
    """Torchwood's litewitness; skips where it, or the ssh-agent that holds its key, is missing."""
    path = TOOLS / "bin" / "litewitness"
    if not path.exists():
        pytest.skip("litewitness is not at hand: scripts/tools --logs builds it")
    missing = [
        name for name in ("ssh-agent", "ssh-add", "ssh-keygen") if shutil.which(name) is None
    ]
    if missing:
        pytest.skip(f"litewitness takes its key from an ssh-agent: {', '.join(missing)} missing")
    return str(path)


class LiteWitness:
    """One running litewitness: its submission prefix, and who it is."""

    def __init__(self, url: str, witness: Witness) -> None:
        self.url = url
        self.witness = witness


@asynccontextmanager
async def running(
    *command: str, folder: Path, until_said: str, **environment: str
) -> AsyncIterator[str]:
    """Run a program from when it has said something until the block ends; give what it said."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = ""
    try:
        async with asyncio.timeout(READ_SECONDS_MAX):
            while until_said not in said:
                chunk = await process.stdout.readline()
                assert chunk, said
                said += chunk.decode()
        yield said
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def shell(*command: str, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


@asynccontextmanager
async def lite_witness(program: str, world: PeersWorld) -> AsyncIterator[LiteWitness]:
    """Run litewitness with a fresh key, knowing the maker's log."""
    folder = Path(tempfile.mkdtemp(prefix="lw"))  # a socket's path must be short
    try:
        shell("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "key", folder=folder)
        fingerprint = shell("ssh-keygen", "-lf", "key.pub", folder=folder).split()[1]
        prepare_database(folder / "w.db", world)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        agent = ("ssh-agent", "-D", "-a", "agent")
        async with running(*agent, folder=folder, until_said="SSH_AUTH_SOCK"):
            shell("ssh-add", "-q", "key", folder=folder, SSH_AUTH_SOCK=str(folder / "agent"))
            command = (
                *(program, f"-name={WITNESS_NAME}", "-db=w.db", "-ssh-agent=agent"),
                *(f"-key={fingerprint}", f"-listen=127.0.0.1:{port}", "-obscurity"),
            )
            async with running(*command, folder=folder, until_said="vkey=") as said:
                vkey = said.partition("vkey=")[2].split()[0].strip('"')
                yield LiteWitness(f"http://127.0.0.1:{port}", parse_witness(vkey))
    finally:
        shutil.rmtree(folder)


def prepare_database(path: Path, world: PeersWorld) -> None:
    """Add the log as its operator would. Its tables are litewitness's own (its witnessctl does not build)."""
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL);"
        "CREATE TABLE key (origin TEXT NOT NULL, key TEXT NOT NULL, FOREIGN KEY(origin) REFERENCES log(origin));"
    )
    origin = origin_of(world.domain, MAKER.member)
    empty = base64.b64encode(EMPTY_ROOT).decode()
    connection.execute("INSERT INTO log VALUES (?, 0, ?)", (origin, empty))
    connection.execute("INSERT INTO key VALUES (?, ?)", (origin, log_verifier_key(world)))
    connection.commit()
    connection.close()


@pytest.mark.full
async def test_litewitness_cosigns_a_nodes_checkpoints(litewitness: str, world: PeersWorld) -> None:
    async with lite_witness(litewitness, world) as other:
        maker = await world.peer(MAKER)
        witnesses = WitnessesSettings(
            ask="none",
            others=[OtherWitnessSettings(url=other.url, verifier_key=other.witness.verifier_key)],
        )
        cosigning = await maker.ask_witnesses(witnesses)
        for size in (3, 256, 300):
            await grow(maker, size)
            await until(lambda n=size: maker_cosigned(maker) == n, "the cosignature")
        assert (cosigning.received, cosigning.failed) == (3, 0)
        note = await maker.published.checkpoint()
        signed = parse_note(note)
        assert signed.checkpoint.size == 300
        assert find_cosignature(signed.checkpoint, signed.signatures, other.witness)


def maker_cosigned(maker: Peer) -> int:
    """The size that some witness cosigned last."""
    sizes = maker.database.read_sync(cosigned_sizes)
    return max(sizes.values(), default=0)
