"""The HTTP side of a node, wired: every route, and where it listens."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from aiohttp import web

from sealtrail.api import (
    audit,
    digital_link,
    evidence,
    index_audits,
    item_index,
    labels,
    log,
    masterdata,
    peer,
    peer_sections,
    provenance,
    scan,
    witness,
)
from sealtrail.api.application import make_application
from sealtrail.app.self_report import SelfReport
from sealtrail.app.subscriptions import Subscribing
from sealtrail.app.witnesses import Witnesses
from sealtrail.config import Config, HttpSettings
from sealtrail.errors import UnavailableError
from sealtrail.services.answers.company_prefixes import KnownPrefixes
from sealtrail.services.answers.corrections import CorrectionsService
from sealtrail.services.answers.master_data import MasterDataAnswers
from sealtrail.services.answers.provenance import ProvenanceService
from sealtrail.services.answers.queries import QueryService
from sealtrail.services.audit_trail.reader import AuditReader
from sealtrail.services.audit_trail.trail import AuditTrail
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.services.evidence.bundles import EvidenceService
from sealtrail.services.exchange.copies import Copies
from sealtrail.services.exchange.intake import Intake
from sealtrail.services.own_log.item_index import ItemIndexService
from sealtrail.services.own_log.item_lists import ItemListService
from sealtrail.services.own_log.published_log import PublishedLog
from sealtrail.services.recording.capture import CaptureService
from sealtrail.services.recording.master_data import MasterDataService
from sealtrail.store.database import Database
from sealtrail.store.identity import Identity
from sealtrail.store.log import LogStore


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What answers requests."""

    database: Database
    log: LogStore
    identity: Identity
    networks: FollowedNetworks
    index: ItemIndexService
    capture: CaptureService
    queries: QueryService
    provenance: ProvenanceService
    master_data: MasterDataService
    evidence: EvidenceService
    copies: Copies
    intake: Intake
    witnesses: Witnesses
    subscribing: Subscribing
    prefixes: KnownPrefixes
    audit: AuditTrail
    report: SelfReport


def make_node_application(
    config: Config, answers: Answers, *, clock: Callable[[], int]
) -> web.Application:
    """Return the application with all routes of a node."""
    report = answers.report
    return make_application(
        capture=answers.capture,
        queries=answers.queries,
        settings=config.http,
        tokens=config.auth.tokens,
        status=report.status,
        readiness=report.readiness,
        metrics=report.metrics,
        audit=answers.audit,
        prefixes=answers.prefixes.table,
        listing_routes=lambda listing: answers.subscribing.routes(
            listing, http=config.http, public_url=config.public_url
        ),
        more_routes=[
            *_routes_for_users(config, answers, clock),
            *_routes_of_identifiers(config, answers.prefixes, clock),
            *_routes_for_members(config, answers),
            *_routes_of_the_log(config, answers),
        ],
    )


async def listen(runner: web.AppRunner, settings: HttpSettings) -> None:
    """Listen where the settings say.

    Raises:
        UnavailableError: ``port_in_use``.
    """
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
    except OSError as e:
        raise UnavailableError(
            "port_in_use",
            f"can't listen on {settings.host} port {settings.port}: {e.strerror}",
            pointer="http.port",
            advice="does the node run already? Else choose another port",
        ) from e


def _routes_for_users(
    config: Config, answers: Answers, clock: Callable[[], int]
) -> list[web.RouteDef]:
    database, tree, identity = answers.database, answers.log, answers.identity
    return [
        *audit.routes(AuditReader(database, tree, identity, clock=clock)),
        *provenance.routes(answers.provenance, CorrectionsService(database, answers.provenance)),
        *masterdata.routes(
            answers.master_data,
            MasterDataAnswers(database, clock=clock, networks=answers.networks),
            config.http,
        ),
        *item_index.routes(
            ItemListService(database, tree, identity, answers.networks, answers.index)
        ),
        *evidence.routes(answers.evidence),
    ]


def _routes_of_identifiers(
    config: Config, prefixes: KnownPrefixes, clock: Callable[[], int]
) -> list[web.RouteDef]:
    return [
        *scan.routes(prefixes.table, clock=clock),
        *labels.routes(),
        *digital_link.routes(name=config.node.name, public_url=config.public_url),
    ]


def _routes_for_members(config: Config, answers: Answers) -> list[web.RouteDef]:
    public_url, timeout_seconds = config.public_url, config.http.request_timeout_seconds
    return [
        *peer.routes(
            answers.intake, answers.copies, public_url=public_url, timeout_seconds=timeout_seconds
        ),
        *peer_sections.routes(
            answers.evidence,
            answers.intake,
            public_url=public_url,
            timeout_seconds=timeout_seconds,
        ),
        *index_audits.routes(
            answers.witnesses.audits_taken,
            answers.intake,
            public_url=public_url,
            timeout_seconds=timeout_seconds,
        ),
    ]


def _routes_of_the_log(config: Config, answers: Answers) -> list[web.RouteDef]:
    published = PublishedLog(
        answers.database, answers.log, member=config.member, networks=answers.networks
    )
    witnesses = answers.witnesses
    return [
        *log.routes(
            published,
            authenticate=peer.authenticator(answers.intake, public_url=config.public_url),
        ),
        *witness.routes(
            witnesses.witnessing,
            witnesses.watch,
            timeout_seconds=config.http.request_timeout_seconds,
        ),
    ]
