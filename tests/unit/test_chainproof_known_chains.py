"""The first blocks of chains that everybody knows: the hash and the signers that their networks started from."""

from __future__ import annotations

import pytest

from sealtrail.chainproof.clique import listed_signers
from sealtrail.chainproof.headers import Header, header_from_json
from sealtrail.chainproof.validators import block_hash, form_of_genesis, validators_at_genesis

NO_UNCLES = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"
EMPTY_TRIE = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
GOERLI_SIGNERS = ["e0a2bd4258d2768837baa26a28fe71dc079f84c7"]
RINKEBY_SIGNERS = [
    "42eb768f2244c8811c63729a21a3569731535f06",
    "7ffc57839b00206d1ad20c69a1981b489f772031",
    "b279182d99e65703f0076e4812653aab85fca0f0",
]


def genesis(extra_data: str, gas_limit: str, timestamp: str, state_root: str) -> Header:
    """Return block 0 as ``eth_getBlockByNumber`` shows it."""
    return header_from_json(
        {
            "parentHash": "0x" + "00" * 32,
            "sha3Uncles": NO_UNCLES,
            "miner": "0x" + "00" * 20,
            "stateRoot": state_root,
            "transactionsRoot": EMPTY_TRIE,
            "receiptsRoot": EMPTY_TRIE,
            "logsBloom": "0x" + "00" * 256,
            "difficulty": "0x1",
            "number": "0x0",
            "gasLimit": gas_limit,
            "gasUsed": "0x0",
            "timestamp": timestamp,
            "extraData": extra_data,
            "mixHash": "0x" + "00" * 32,
            "nonce": "0x0000000000000000",
        }
    )


def extra_data(vanity: str, signers: list[str]) -> str:
    return "0x" + vanity.ljust(64, "0") + "".join(signers) + "00" * 65


# Source: params.GoerliGenesisHash and params.RinkebyGenesisHash with core.DefaultGoerliGenesisBlock and
# core.DefaultRinkebyGenesisBlock, go-ethereum 1.10
GOERLI = genesis(
    extra_data("22466c6578692069732061207468696e6722202d2041667269", GOERLI_SIGNERS),
    "0xa00000",
    "0x5c51a607",
    "0x5d6cded585e73c4e322c30c2f782a336316f17dd85a4863b9d838d2d4b8b3008",
)
RINKEBY = genesis(
    extra_data("52657370656374206d7920617574686f7269746168207e452e436172746d616e", RINKEBY_SIGNERS),
    "0x47b760",
    "0x58ee40ba",
    "0x53580584816f617295ea26c0e17641e0120cab2f0a8ffb53a866fd53aa8e8c2d",
)


@pytest.mark.parametrize(
    ("header", "signers", "known"),
    [
        (
            GOERLI,
            GOERLI_SIGNERS,
            "bf7e331f7f7c1dd2e05159666b3bf8bc7a8a3a9eb1d518969eab529dd9b88c1a",
        ),
        (
            RINKEBY,
            RINKEBY_SIGNERS,
            "6341fd3daf94b748c72ced5a5b26028f2474f5f00d824504e4fa37a75767e177",
        ),
    ],
)
def test_clique_networks_begin_as_known(header: Header, signers: list[str], known: str) -> None:
    form = form_of_genesis(header)
    assert (form.name, block_hash(header, form).hex()) == ("clique", known)
    assert [each.hex() for each in listed_signers(header)] == signers
    assert [each.hex() for each in validators_at_genesis(header, form).members] == signers
