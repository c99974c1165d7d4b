"""``sealtrail erase``: an event's content is destroyed for law; entry, proofs and a tombstone stay.

Works on the database itself, with the node stopped: no route of a running node, and so no token, can erase.
"""

from __future__ import annotations

import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from sealtrail.cli.output import common_options, confirm, print_json, say, sign
from sealtrail.cli.target import config_option
from sealtrail.config import load_config
from sealtrail.errors import InputError
from sealtrail.gs1 import parse_item
from sealtrail.services.erasure import Erasure, Plan, Warrant
from sealtrail.services.receipts import rfc3339_if_spelt
from sealtrail.services.retention import Order, RetentionRules
from sealtrail.store.database import open_alone
from sealtrail.store.erasure import Tombstone

_is_entry_id = re.compile(r"0x[0-9a-f]{64}").fullmatch


@click.command("erase")
@click.argument("entries", nargs=-1, metavar="[ENTRY_ID]...")
@click.option(
    "--item",
    "items",
    multiple=True,
    help="Every event that names this item: EPC URN, Digital Link or element string.",
)
@click.option("--by", required=True, help="Who erases; stands in the tombstone.")
@click.option("--ground", required=True, help="On what ground; stands in the tombstone.")
@click.option("--authority", help="Who ordered it; needed within a retention time.")
@click.option("--reference", help="The order's reference.")
@click.option("--ordered-on", type=click.DateTime(["%Y-%m-%d"]), help="The order's day.")
@click.option("--dry-run", is_flag=True, help="Say what would be erased, and change nothing.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@config_option
@common_options
def erase_command(
    entries: tuple[str, ...],
    items: tuple[str, ...],
    by: str,
    ground: str,
    authority: str | None,
    reference: str | None,
    ordered_on: datetime | None,
    dry_run: bool,
    yes: bool,
    config_path: Path,
    as_json: bool,
) -> None:
    """Destroy the content of events for law, with all copies that this node holds.

    The node must be stopped. What was signed and anchored stays provable without the content. There is no way back.
    """
    config = load_config(config_path)
    rules = RetentionRules(config.retention)
    warrant = Warrant(by=by, ground=ground, order=_order(authority, reference, ordered_on))
    ids = [_entry_id(each) for each in entries]
    named = [parse_item(each).canonical for each in items]
    if not ids and not named:
        raise InputError("nothing_named", "name entries, or items with --item")
    with open_alone(config.database) as connection:
        erasure = Erasure(connection, rules, lambda: time.time_ns() // 1_000_000)
        plan = erasure.plan(ids, named)
        erasure.require_erasable(plan, warrant)
        if not as_json:
            _show(plan)
        if dry_run:
            _report(plan, [], as_json)
            return
        confirm(f"Destroy the content of {len(plan.events)} events?", agreed=yes)
        _report(plan, erasure.carry_out(plan, warrant), as_json)


def _order(authority: str | None, reference: str | None, day: datetime | None) -> Order | None:
    if authority is None and reference is None and day is None:
        return None
    if authority is None or reference is None or day is None:
        raise InputError(
            "order_incomplete",
            "an order has an authority, a reference and a day",
            advice="give --authority, --reference and --ordered-on, or none of them",
        )
    return Order(authority=authority, reference=reference, day=day.date())


def _entry_id(text: str) -> bytes:
    if not _is_entry_id(text):
        raise InputError(
            "entry_id_malformed",
            f"{text[:100]!r} is no entry id",
            advice="`sealtrail trace` and an event's receipt show it: 0x and 64 hex digits",
        )
    return bytes.fromhex(text[2:])


def _show(plan: Plan) -> None:
    for event in plan.events:
        origin = "own" if event.leaf_index is not None else f"of 0x{event.member.hex()}"
        recorded = rfc3339_if_spelt(event.record_time_ms) or "?"
        say(f"  0x{event.entry_id.hex()}  {origin}, recorded {recorded}")
    for entry_id in plan.further:
        say(f"  0x{entry_id.hex()}  a further entry over the same content: its seed")
    if plan.erased_before:
        say(f"{len(plan.erased_before)} were erased before")
    if plan.related:
        say(f"{sign('unknown')} not erased, and of the same event (its correction, say):")
        for entry_id in plan.related:
            say(f"  0x{entry_id.hex()}")
    if plan.shown_to:
        say(f"{sign('unknown')} these members were sent copies, and have to be told:")
        for member in plan.shown_to:
            say(f"  0x{member.hex()}")


def _report(plan: Plan, tombstones: list[Tombstone], as_json: bool) -> None:
    if as_json:
        print_json(_as_json(plan, tombstones))
    elif tombstones:
        click.echo(f"{sign('ok')} erased; {len(tombstones)} tombstones")


def _as_json(plan: Plan, tombstones: list[Tombstone]) -> dict[str, Any]:
    return {
        "planned": [_hex(event.entry_id) for event in plan.events],
        "further": [_hex(each) for each in plan.further],
        "erased_before": [_hex(each) for each in plan.erased_before],
        "related": [_hex(each) for each in plan.related],
        "shown_to": [_hex(each) for each in plan.shown_to],
        "tombstones": [
            {
                "entry_id": _hex(each.entry_id),
                "erased_ms": each.erased_ms,
                "erased_by": each.erased_by,
                "ground": each.ground,
                "authority": each.authority,
                "reference": each.reference,
                "ordered_on": each.ordered_on,
            }
            for each in tombstones
        ],
    }


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
