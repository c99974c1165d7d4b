"""Random Clique chains, honest and broken, judged by geth itself: it takes as many blocks of each as we do."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
import rlp

from sealed_chains import ADDRESSES, KEYS, CliqueChain, seal_clique
from sealtrail.chainproof.clique import follow, sealer, signers_at_epoch
from sealtrail.chainproof.consensus import Form
from sealtrail.chainproof.headers import Header, header_items
from sealtrail.errors import VerificationError

pytestmark = pytest.mark.full

BLOCKS = 24
_FORKS = (
    *("homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg"),
    *("istanbul", "berlin"),
)


def genesis_file(chain: CliqueChain, epoch: int) -> str:
    """The genesis document that makes the chain's block 0 in geth."""
    header = chain.headers[0]
    config: dict[str, Any] = {f"{fork}Block": 0 for fork in _FORKS}
    config |= {"chainId": 7, "clique": {"period": 0, "epoch": epoch}}
    return json.dumps(
        {
            "config": config,
            "difficulty": hex(header.difficulty),
            "gasLimit": hex(header.gas_limit),
            "timestamp": hex(header.time),
            "extraData": "0x" + header.extra_data.hex(),
            "alloc": {},
        }
    )


def random_chain(source: random.Random, epoch: int) -> CliqueChain:
    """A chain that obeys the rules as far as the dice let it: strangers seal, turns and lists are wrong at times."""
    chain = CliqueChain(range(source.randint(1, 5)))
    form = Form(name="clique", epoch=epoch)
    state = signers_at_epoch(chain.headers[0], form)
    for _ in range(BLOCKS):
        header = _random_header(source, chain, epoch)
        chain.headers.append(header)
        try:
            state, _ = follow(state, header)
        except VerificationError:
            break
        chain.signers = {ADDRESSES.index(m) for m in state.members if m in ADDRESSES}
    return chain


def _random_header(source: random.Random, chain: CliqueChain, epoch: int) -> Header:
    number = len(chain.headers)
    by = source.choice([*sorted(chain.signers), source.randrange(6)])
    if chain.signers and source.random() < 0.9:
        by = _willing(source, chain)
    fields: dict[str, Any] = {}
    if number % epoch == 0:
        listed = b"".join(ADDRESSES[s] for s in sorted(chain.signers))
        fields["extra_data"] = source.choice([bytes(32)] + [bytes(32) + listed] * 12)
    elif source.random() < 0.7:
        fields["beneficiary"] = source.choice(ADDRESSES[:6])
        fields["nonce"] = source.choice([b"\xff", b"\0"]) * 8
    fields |= source.choice(
        [
            *[{}] * 60,
            {"difficulty": source.choice([1, 2, 3])},
            {"nonce": b"\1" * 8},
            {"mix_hash": b"\1" * 32},
            {"extra_data": bytes(33)},
            {"extra_data": bytes(31)},
            {"time": chain.headers[-1].time},
            {"time": chain.headers[-1].time - 1},
            {"beneficiary": ADDRESSES[0]},
        ]
    )
    return seal_clique(chain.next_header(by, **fields), KEYS[by])


def _willing(source: random.Random, chain: CliqueChain) -> int:
    """A signer that has not sealed lately, if there is one."""
    waiting = len(chain.signers) // 2
    lately = [_by(h) for h in chain.headers[1:][-waiting:]] if waiting else []
    free = sorted(chain.signers - set(lately))
    return source.choice(free or sorted(chain.signers))


def _by(header: Header) -> int:
    return ADDRESSES.index(sealer(header))


def taken_by_us(chain: CliqueChain, epoch: int) -> tuple[int, str]:
    state = signers_at_epoch(chain.headers[0], Form(name="clique", epoch=epoch))
    for header in chain.headers[1:]:
        try:
            state, _ = follow(state, header)
        except VerificationError as error:
            return state.number, error.code
    return state.number, ""


def taken_by_geth(geth: str, folder: Path, chain: CliqueChain, epoch: int) -> tuple[int, str]:
    (folder / "genesis.json").write_text(genesis_file(chain, epoch))
    blocks = [rlp.encode([header_items(h), [], []]) for h in chain.headers[1:]]
    (folder / "blocks.rlp").write_bytes(b"".join(blocks))
    base = [geth, "--datadir", str(folder / "data"), "--cache", "64", "--verbosity", "2"]
    _run([*base, "init", str(folder / "genesis.json")])
    said = _run([*base, "import", str(folder / "blocks.rlp")], check=False)
    _run([*base, "export", str(folder / "taken.rlp")])
    taken = (folder / "taken.rlp").read_bytes()
    count, at = 0, 0
    while at < len(taken):
        _, _, length, start = rlp.codec.consume_length_prefix(taken, at)
        at = start + length
        count += 1
    return count - 1, said


def _run(command: list[str], *, check: bool = True) -> str:
    done = subprocess.run(command, check=check, capture_output=True, text=True, timeout=60)
    return done.stderr


@pytest.mark.parametrize("seed", range(24))
def test_geth_takes_as_many_blocks(geth: str, tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)
    epoch = source.choice([3, 4, 7, 30_000])
    chain = random_chain(source, epoch)
    # a broken header is followed by no other: what geth does with a block is told apart only at its end
    ours, code = taken_by_us(chain, epoch)
    theirs, said = taken_by_geth(geth, tmp_path, chain, epoch)
    assert theirs == ours, (code, said[-600:])


def test_the_dice_make_chains_of_every_kind() -> None:
    ends = set()
    sets = set()
    for seed in range(200):
        source = random.Random(seed)
        epoch = source.choice([3, 4, 7, 30_000])
        chain = random_chain(source, epoch)
        ends.add(taken_by_us(chain, epoch)[1])
        sets.add(len(chain.signers))
    assert {
        "",
        "sealer_unauthorized",
        "sealer_too_soon",
        "difficulty_wrong",
        "epoch_signers_wrong",
    } <= ends
    assert len(sets) >= 5
