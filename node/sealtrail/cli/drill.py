"""``sealtrail drill``: would damage be found? A copy of the store is damaged, and checked."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from sealtrail.cli.fsck import load_store_config, progress_bar
from sealtrail.cli.output import common_options, print_json, say, sign
from sealtrail.cli.target import config_option
from sealtrail.errors import VerificationError
from sealtrail.services.fsck.drill import Tampering, require_room


@click.command("drill")
@click.option(
    "--count",
    type=click.IntRange(1, 500),
    default=30,
    show_default=True,
    help="How many records are damaged.",
)
@click.option(
    "--seed", type=int, help="Chooses the records; the same seed, the same ones. [default: random]"
)
@click.option(
    "--work-dir",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Where the copy goes. [default: the data directory]",
)
@config_option
@common_options
def drill_command(
    config_path: Path, count: int, seed: int | None, work_dir: Path | None, as_json: bool
) -> int:
    """Damage a copy of the store (bits flipped, records deleted, values swapped) and see whether fsck finds all of it.

    The store itself is only read; the node may be running. The copy is removed at the end.

    Exit codes: 0 everything was found; 1 something was not.
    """
    config = load_store_config(config_path)
    chosen = secrets.randbelow(2**32) if seed is None else seed
    folder = work_dir or config.data_dir
    if config.database.exists():
        needed = require_room(config.database, folder)
        say(f"copying {needed / 2**20:,.0f} MiB to {folder}; seed {chosen}", quiet=as_json)
    from sealtrail.app.store_tools import run_drill  # imported here: see `sealtrail --help`

    with progress_bar("checking the copy", hidden=as_json) as progress:
        acts = run_drill(config, count=count, seed=chosen, work_dir=folder, progress=progress)
    found = sum(act.found for act in acts)
    if as_json:
        print_json({"seed": chosen, "found": found, "not_found": len(acts) - found, "acts": acts})
    else:
        for act in acts:
            click.echo(_line(act))
        click.echo(f"{found} of {len(acts)} found (seed {chosen})")
    return 0 if found == len(acts) else VerificationError.exit_code


def _line(act: Tampering) -> str:
    place = f"{act.table}.{act.column}" if act.column else act.table
    key = ", ".join(f"{name} {value}" for name, value in act.key.items())
    said = ", ".join(act.codes) or "not found"
    return f"{sign('ok' if act.found else 'problem')} {act.act:6} {place:28} {said:32} {key[:80]}"
