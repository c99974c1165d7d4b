"""The group ``sealtrail``, and the one place where errors become exit codes.

Exit codes: 0 done; 1 read and it does not hold; 2 the caller's input; 3 could not ask, or could not
tell; 4 our own fault or a damaged store; 130 interrupted by the user.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import click

from sealtrail import __version__
from sealtrail.cli.group import Entry, LazyGroup
from sealtrail.cli.output import print_error, print_problem
from sealtrail.errors import SealtrailError

INTERRUPTED = 130
BROKEN_PIPE = 141
BUG = 4

COMMANDS = {
    "devnet": Entry(
        "sealtrail.cli.devnet", "devnet_command", "Run a chain and some nodes on this machine."
    ),
    "init": Entry("sealtrail.cli.init", "init_command", "Make a node's configuration and keys."),
    "run": Entry("sealtrail.cli.run", "run_command", "Run the node."),
    "status": Entry("sealtrail.cli.status", "status_command", "Ask a node how it is."),
    "doctor": Entry(
        "sealtrail.cli.doctor", "doctor_command", "Check everything around a node; name the fix."
    ),
    "fsck": Entry("sealtrail.cli.fsck", "fsck_command", "Check the whole store; mend what can be."),
    "drill": Entry(
        "sealtrail.cli.drill", "drill_command", "Damage a copy; see that fsck finds it."
    ),
    "capture": Entry("sealtrail.cli.capture", "capture_command", "Send EPCIS documents to a node."),
    "export": Entry(
        "sealtrail.cli.export", "export_command", "Write recorded events as EPCIS documents."
    ),
    "masterdata": Entry(
        "sealtrail.cli.masterdata", "masterdata_group", "Names of products, places and parties."
    ),
    "trace": Entry("sealtrail.cli.trace", "trace_command", "Ask where an item has been."),
    "scan": Entry("sealtrail.cli.scan", "scan_command", "Say what a scan means; needs no node."),
    "evidence": Entry("sealtrail.cli.evidence", "evidence_command", "Prove an answer in one file."),
    "trust": Entry(
        "sealtrail.cli.trust", "trust_group", "Make the file that evidence is read with."
    ),
    "verify": Entry(
        "sealtrail.cli.verify", "verify_command", "Verify an evidence bundle; needs no node."
    ),
    "hash": Entry("sealtrail.cli.hash", "hash_command", "Hash EPCIS events; needs no node."),
    "erase": Entry(
        "sealtrail.cli.erase", "erase_command", "Destroy the content of events for law."
    ),
    "subscriptions": Entry(
        "sealtrail.cli.subscriptions",
        "subscriptions_group",
        "List, try out and resume subscriptions.",
    ),
    "keys": Entry("sealtrail.cli.keys", "keys_group", "List, make, register and end keys."),
    "audit": Entry("sealtrail.cli.audit", "audit_group", "Who read or wrote what, and why."),
    "token": Entry("sealtrail.cli.token", "token_group", "Make tokens for users of a node."),
    "member": Entry("sealtrail.cli.member", "member_group", "Ask to be a member; admit members."),
    "network": Entry("sealtrail.cli.network", "network_group", "Found a network on a chain."),
}


@click.group(
    cls=LazyGroup,
    entries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="sealtrail")
def sealtrail() -> None:
    """A provable audit trail of medicines, shared between those who handle them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code. Never raises."""
    return run(sealtrail, "sealtrail", arguments)


def run(command: click.Command, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a command as the program ``name`` and return the exit code. Never raises."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # errors may arise before the options are parsed, so the two are looked for here
    options = given[: given.index("--")] if "--" in given else given
    as_json, debug = "--json" in options, "--debug" in options
    try:
        result = command.main(given, prog_name=name, standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as e:
        return e.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # the reader went away (`sealtrail … | head`): no fault; keep the interpreter from flushing
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except SystemExit:
        return (
            BROKEN_PIPE  # click meets it first, and exits by 1, which is said of what does not hold
        )
    except click.UsageError as e:
        advice = f"see `{e.ctx.command_path if e.ctx else name} --help`"
        print_problem("usage", e.format_message(), advice=advice, as_json=as_json)
        return 2
    except click.ClickException as e:
        print_problem("usage", e.format_message(), as_json=as_json)
        return 2
    except SealtrailError as e:
        if debug:
            traceback.print_exc()
        print_error(e, as_json=as_json)
        return e.exit_code
    except Exception as e:  # noqa: BLE001 - the outermost place: what arrives here is a defect
        if debug:
            traceback.print_exc()
        print_problem(
            "defect",
            f"{type(e).__name__}: {e}",
            advice="this is a defect of sealtrail: please report it with the output of --debug",
            as_json=as_json,
        )
        return BUG
