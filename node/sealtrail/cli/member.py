"""``sealtrail member``: asking to be one, and the stewards' side."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import click

from sealtrail.cli.account_key import load_account_key, passphrase_file_option
from sealtrail.cli.chain import (
    choose_fees,
    expected_identity,
    fees_option,
    open_rpc,
    require_registry,
    rpc_url_option,
)
from sealtrail.cli.keyring import KeyFiles, open_keys
from sealtrail.cli.member_admission import admit_member
from sealtrail.cli.member_list import member_list
from sealtrail.cli.member_request import (
    ROLE_NAMES,
    MemberRequest,
    load_request,
    make_request,
    parse_roles,
    save_request,
)
from sealtrail.cli.member_url import member_set_url
from sealtrail.cli.output import common_options, confirm, print_json, say, sign
from sealtrail.cli.target import config_option
from sealtrail.config import ChainSettings, Config, load_config
from sealtrail.errors import ConflictError, InputError
from sealtrail.gs1.check_digit import has_check_digit
from sealtrail.membership.records import NumberingRight, Purpose
from sealtrail.signing import Domain, EventSigner


@click.group("member")
def member_group() -> None:
    """Ask to be a member; admit and list members; say where this one's node is."""


member_group.add_command(member_list)
member_group.add_command(member_set_url)


def request_membership(
    config: Config,
    *,
    name: str,
    roles: Iterable[str],
    glns: Iterable[str],
    numbering_rights: Iterable[str],
) -> MemberRequest:
    """Return this node's signed request; asks for the passphrase where need be.

    Raises:
        InputError: the configuration names no network; a role, GLN or right is malformed.
    """
    registry = require_registry(config.chain)
    identity = expected_identity(config.chain)
    if identity is None:
        raise InputError("config_setting_missing", "`chain.genesis_hash` is not set")
    domain = Domain(
        chain_id=identity.chain_id, registry=registry, genesis_hash=identity.genesis_hash
    )
    files = KeyFiles.of(config)
    return make_request(
        domain,
        EventSigner(open_keys(config, Purpose.OPERATOR)[Purpose.OPERATOR]),
        name=name,
        roles=parse_roles(roles),
        node_url=config.public_url,
        glns=[_checked_gln(g) for g in glns],
        rights=[NumberingRight(digits=_checked_right(d)) for d in numbering_rights],
        keys={p: files.label(p).public for p in files.paths if p is not Purpose.OPERATOR},
    )


@member_group.command("request")
@click.option("--name", help="The member's name in the registry. Default: the node's name.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice(ROLE_NAMES),
    help="What the member does; may be repeated.",
)
@click.option(
    "--gln", "glns", multiple=True, help="GLN of the party or of a site; may be repeated."
)
@click.option(
    "--numbering-right",
    "numbering_rights",
    multiple=True,
    help="Digits that the member may number under: company prefix to GTIN; may be repeated.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default="member-request.json",
    show_default=True,
    help="File to write.",
)
@config_option
@common_options
def member_request(
    name: str | None,
    roles: tuple[str, ...],
    glns: tuple[str, ...],
    numbering_rights: tuple[str, ...],
    out: Path,
    config_path: Path,
    as_json: bool,
) -> None:
    """Make a file that asks the stewards to admit this node's member."""
    config = load_config(config_path)
    if out.exists():
        raise ConflictError(
            "request_exists", f"{out} exists and is not overwritten", advice="name another: --out"
        )
    request = request_membership(
        config,
        name=name or config.node.name,
        roles=roles,
        glns=glns,
        numbering_rights=numbering_rights,
    )
    save_request(out, request)
    if as_json:
        print_json({"file": str(out), "request": request})
        return
    click.echo(f"Wrote {out}, signed by member {request.member}.")
    say("Send it to the network's stewards by a way on which they know that it is you.")


@member_group.command("admit")
@click.argument("request_file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--steward-key",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Key file of the steward's account: this program's, any wallet's, or hex digits.",
)
@rpc_url_option
@click.option(
    "--registry", help="The registry you are a steward of; refused if the file names another."
)
@click.option(
    "--last-block",
    type=click.IntRange(1),
    help="Last block in which may be voted; every steward gives the same. One is made up if not given.",
)
@fees_option
@passphrase_file_option("steward")
@click.option("--yes", is_flag=True, help="Do not ask whether to go on.")
@common_options
def member_admit(
    request_file: Path,
    steward_key: Path,
    rpc_url: str,
    registry: str | None,
    last_block: int | None,
    fees: str,
    passphrase_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Vote, as a steward, for admitting the member that REQUEST_FILE asks for.

    You vouch that name, GLNs and numbering rights are truly this applicant's.
    """
    request = load_request(request_file)
    record = request.record()  # refuses what its member did not sign
    if registry is not None and registry.lower() != request.registry.lower():
        raise InputError(
            "request_for_another_network",
            f"the file asks registry {request.registry}, not {registry}",
            pointer=str(request_file),
        )
    _show(request)
    confirm("Vote for admitting this member?", agreed=yes or as_json)
    key = load_account_key(steward_key, passphrase_file)
    chain = ChainSettings(
        rpc_urls=[rpc_url], chain_id=request.chain_id, genesis_hash=request.genesis_hash
    )

    async def vote() -> None:
        async with open_rpc(chain) as rpc:
            admission = await admit_member(
                rpc,
                key,
                record,
                request.domain().registry,
                bytes.fromhex(request.consent.removeprefix("0x")),
                fees=await choose_fees(rpc, key.address, fees),
                last_block=last_block,
            )
        if as_json:
            print_json({"member": request.member, **admission.as_json()})
        elif admission.admitted:
            click.echo(f"{sign('ok')} {request.name} ({request.member}) is a member.")
        else:
            click.echo(
                f"Voted. The other stewards now run: sealtrail member admit {request_file.name}"
                f" --last-block {admission.last_block} …"
            )

    asyncio.run(vote())


def _show(request: MemberRequest) -> None:
    rights = ", ".join(r.digits for r in request.numbering_rights) or "none"
    say(f"{request.name} ({request.member}) asks registry {request.registry} for membership:")
    say(f"  roles            {', '.join(request.roles)}")
    say(f"  GLNs             {', '.join(request.glns) or 'none'}")
    say(f"  numbering rights {rights}")
    say(f"  node             {request.node_url}")
    for key in request.keys:
        say(f"  {key.purpose + ' key':16} {key.public}")


def _checked_gln(gln: str) -> str:
    if not (len(gln) == 13 and gln.isascii() and gln.isdigit()):
        raise InputError("gln_malformed", f"{gln!r} is no GLN: 13 digits")
    if not has_check_digit(gln):
        raise InputError("gln_check_digit", f"the check digit of GLN {gln} is wrong")
    return gln


def _checked_right(digits: str) -> str:
    if not (4 <= len(digits) <= 14 and digits.isascii() and digits.isdigit()):
        raise InputError("numbering_right_malformed", f"{digits!r} is not 4 to 14 digits")
    return digits
