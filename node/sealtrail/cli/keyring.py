"""This member's keys, opened as the configuration says: four that a node needs, and its witness key if it has one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import msgspec

from sealtrail.config import Config
from sealtrail.membership.records import Purpose
from sealtrail.store.keystore import KeyLabel, load_key, load_label
from sealtrail.store.passphrase import load_passphrase

PURPOSES = (Purpose.EVENT, Purpose.OPERATOR, Purpose.LOG, Purpose.PEER, Purpose.WITNESS)


class KeyFiles(msgspec.Struct, frozen=True):
    """Where the key for each purpose is that the member has."""

    paths: Mapping[Purpose, Path]

    @classmethod
    def of(cls, config: Config) -> KeyFiles:
        """Return the configuration's key files; a member without a file of a witness key is no witness."""
        paths = {p: config.resolve(getattr(config.keys, p.name.lower())) for p in PURPOSES}
        if not paths[Purpose.WITNESS].exists():
            del paths[Purpose.WITNESS]
        return cls(paths)

    def label(self, purpose: Purpose) -> KeyLabel:
        """Read what a key file says in clear. Raises: as :func:`load_label`."""
        return load_label(self.paths[purpose])


def open_keys(config: Config, *purposes: Purpose) -> dict[Purpose, bytes]:
    """Return the private keys for ``purposes`` (all, if none is named), asking for the passphrase where need be.

    Raises:
        SealtrailError: as :func:`load_key` and :func:`load_passphrase`.
    """
    files = KeyFiles.of(config)
    wanted = purposes or tuple(files.paths)
    encrypted = any(files.label(p).encrypted for p in wanted)
    passphrase = configured_passphrase(config) if encrypted else None
    return {
        p: load_key(
            files.paths[p],
            p,
            passphrase=passphrase,
            allow_plaintext=config.keys.devnet_plaintext,
        )
        for p in wanted
    }


def configured_passphrase(config: Config) -> str | None:
    """Return the passphrase from where the configuration says. Raises: as :func:`load_passphrase`."""
    file = config.resolve(config.keys.passphrase_file) if config.keys.passphrase_file else None
    return load_passphrase(file, config.keys.passphrase_env, os.environ, terminal_prompt())


def terminal_prompt(*, confirm: bool = False) -> Callable[[], str] | None:
    """Return a function that asks at the terminal; None if nobody is there."""
    if not sys.stdin.isatty():
        return None
    return lambda: str(
        click.prompt(
            "Passphrase of the keys", hide_input=True, confirmation_prompt=confirm, err=True
        )
    )
