"""``sealtrail trust``: the file that the reader of evidence takes as given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from sealtrail.cli.download import download
from sealtrail.cli.output import common_options, print_json, say
from sealtrail.cli.target import connect, node_options
from sealtrail.errors import InputError
from sealtrail.evidence.bundle.trust import TrustFile, encode_trust, parse_trust


@click.group("trust")
def trust_group() -> None:
    """Make the file that evidence is read with."""


@trust_group.command("export")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Where to put the file.",
)
@click.option(
    "--operator",
    "operators",
    multiple=True,
    metavar="VALIDATOR=NAME",
    help="Who runs a validator; repeatable.",
)
@click.option(
    "--cosignatures", type=click.IntRange(min=0), default=0, help="How many must be there."
)
@node_options
@common_options
def export_command(
    output: Path, operators: tuple[str, ...], cosignatures: int, as_json: bool, **target: Any
) -> int:
    """Write a trust file of the network as a node followed it: its validators since block 0, and a recent block.

    Whoever reads evidence with it believes that node so far: have it made by a node of your own, or compare the
    files of several. It holds no secrets.
    """
    names = dict(_operator(each) for each in operators)
    client = connect(**target)
    done = download(client, "/v1/trust", output, quiet=as_json)
    trust = parse_trust(output.read_bytes())
    if names or cosignatures:
        trust = _with_demands(trust, names, cosignatures)
        output.write_bytes(encode_trust(trust))
    validators = trust.validators[-1].validators if trust.validators else []
    shown = {
        "file": str(output),
        "chain_id": trust.network.chain_id,
        "consensus": trust.consensus.form,
        "validators": validators,
        "pinned_block": trust.pinned.block,
        "pinned_hash": trust.pinned.hash,
    }
    if as_json:
        print_json(shown)
        return 0
    click.echo(f"{output}: chain {trust.network.chain_id}, {trust.consensus.form}")
    click.echo(f"  {len(validators)} validators, pinned at block {trust.pinned.block}")
    say(f"  {done.bytes_count} bytes came from {client.url}")
    return 0


def _with_demands(trust: TrustFile, names: dict[str, str], cosignatures: int) -> TrustFile:
    known = {each for interval in trust.validators for each in interval.validators}
    for validator in names:
        if validator not in known:
            raise InputError(
                "validator_unknown", f"{validator} was never a validator of this chain"
            )
    demanded = msgspec.structs.replace(trust.cosignatures, needed=cosignatures)
    return msgspec.structs.replace(
        trust, operators={**trust.operators, **names}, cosignatures=demanded
    )


def _operator(text: str) -> tuple[str, str]:
    validator, sign, name = text.partition("=")
    if not sign or not name:
        raise InputError(
            "usage", f"--operator {text!r} is not VALIDATOR=NAME", advice="e.g. 0x12…=Example Ltd"
        )
    return validator.lower(), name
