"""The ten development accounts, the same as in anvil and Hardhat.

Their keys are published with those tools: whoever can read this file can spend from them.
They exist so that tools know them, and must never hold anything of value.
"""

from __future__ import annotations

from dataclasses import dataclass

import coincurve

from sealtrail_localchain.hashing import keccak

DEVELOPMENT_MNEMONIC = "test test test test test test test test test test test junk"
DEVELOPMENT_BALANCE_WEI = 10_000 * 10**18
WARNING = "development accounts: their keys are published, never use them for anything of value"

# BIP-39/BIP-32 derivations of the mnemonic at m/44'/60'/0'/0/0 to 9, written out: no derivation code,
# and tests compare them with eth_account's.
_PRIVATE_KEYS = (
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    "47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
    "8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
    "92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e",
    "4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356",
    "dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97",
    "2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6",
)


@dataclass(frozen=True, slots=True)
class DevelopmentAccount:
    """A funded account whose private key everybody knows."""

    address: bytes
    private_key: bytes


def address_of(private_key: bytes) -> bytes:
    """Return the 20-byte address that a secp256k1 private key controls."""
    public = coincurve.PrivateKey(private_key).public_key.format(compressed=False)
    return keccak(public[1:])[12:]


def development_accounts() -> tuple[DevelopmentAccount, ...]:
    """Return the ten accounts in the order every tool lists them."""
    keys = [bytes.fromhex(key) for key in _PRIVATE_KEYS]
    return tuple(DevelopmentAccount(address_of(key), key) for key in keys)


def checksum_address(address: bytes) -> str:
    """Return the address in EIP-55's mixed case."""
    plain = address.hex()
    digest = keccak(plain.encode()).hex()
    return "0x" + "".join(
        letter.upper() if int(nibble, 16) >= 8 else letter
        for letter, nibble in zip(plain, digest, strict=False)
    )
