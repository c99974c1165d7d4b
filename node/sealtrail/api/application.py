"""The aiohttp application, out of services that are built already."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from aiohttp import web

from sealtrail.api import capture as capture_routes
from sealtrail.api import events as event_routes
from sealtrail.api import openapi
from sealtrail.api import resources as resource_routes
from sealtrail.api import status as status_routes
from sealtrail.api.audited import Audited
from sealtrail.api.auth import Tokens
from sealtrail.api.cors import Origins
from sealtrail.api.gate import make_gate
from sealtrail.api.limits import Admission
from sealtrail.api.metrics import HttpMetrics
from sealtrail.api.negotiation import Negotiator, Prefixes, no_prefixes
from sealtrail.api.paging import PageTokens
from sealtrail.api.status import MetricsSource, ReadinessSource, StatusSource
from sealtrail.config import HttpSettings, TokenSettings
from sealtrail.services.answers.queries import QueryService
from sealtrail.services.audit_trail.trail import AuditTrail
from sealtrail.services.recording.capture import CaptureService


def _none(_: event_routes.EventListing) -> Iterable[web.RouteDef]:
    return ()


def make_application(
    *,
    capture: CaptureService,
    queries: QueryService,
    settings: HttpSettings,
    tokens: Sequence[TokenSettings],
    status: StatusSource,
    readiness: ReadinessSource,
    metrics: MetricsSource,
    prefixes: Prefixes = no_prefixes,
    listing_routes: Callable[[event_routes.EventListing], Iterable[web.RouteDef]] = _none,
    more_routes: Iterable[web.RouteDef] = (),
    audit: AuditTrail | None = None,
) -> web.Application:
    """Return the node's HTTP application; run it with :func:`sealtrail.api.limits.make_runner`.

    Args:
        prefixes: gives where company prefixes end, for whoever wants EPC URNs.
        listing_routes: gives routes of other modules that list as this interface's own do.
        more_routes: routes of other modules (provenance, peers); their handlers carry a scope mark of
            :mod:`sealtrail.api.auth` and raise only errors of our tree.
        audit: records what is asked and answered; without one nothing is recorded.
    """
    admission, http_metrics = Admission(settings), HttpMetrics()
    origins = Origins(settings.cors_origins)
    gate = make_gate(
        Tokens(tokens), admission, http_metrics, Audited(audit), origins, time.perf_counter
    )
    application = web.Application(middlewares=[gate], client_max_size=settings.body_bytes_max)
    origins.attach(application)
    listing = event_routes.EventListing(queries, PageTokens(time.time), Negotiator(prefixes))
    application.add_routes(capture_routes.routes(capture, admission, listing))
    application.add_routes(event_routes.routes(listing))
    application.add_routes(resource_routes.routes(listing))
    application.add_routes(openapi.routes())
    application.add_routes(
        status_routes.routes(
            status=status,
            readiness=readiness,
            metrics=metrics,
            http_metrics=http_metrics,
            admission=admission,
        )
    )
    application.add_routes(listing_routes(listing))
    application.add_routes(more_routes)
    return application
