"""What the node says about itself: health and readiness to all, status, limits and metrics to tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from sealtrail.api.auth import any_token, needs, open_to_all
from sealtrail.api.limits import Admission, limits_view
from sealtrail.api.metrics import MEDIA_TYPE, HttpMetrics, exposition
from sealtrail.api.responses import json_response
from sealtrail.errors import UnavailableError

StatusSource = Callable[[], Awaitable[Mapping[str, Any]]]
ReadinessSource = Callable[[], Awaitable[Sequence[str]]]
MetricsSource = Callable[[], Mapping[str, float]]


def routes(
    *,
    status: StatusSource,
    readiness: ReadinessSource,
    metrics: MetricsSource,
    http_metrics: HttpMetrics,
    admission: Admission,
) -> list[web.RouteDef]:
    """Return the routes.

    Args:
        status: gives members for ``/v1/status``.
        readiness: gives reasons why the node can't do its work now; none: it is ready.
        metrics: gives values by full Prometheus name.
    """

    @open_to_all
    async def health(_: web.Request) -> web.Response:
        return json_response({"status": "alive"})

    @open_to_all
    async def ready(_: web.Request) -> web.Response:
        reasons = await readiness()
        if reasons:
            raise UnavailableError("not_ready", "; ".join(reasons))
        return json_response({"status": "ready"})

    @needs("status")
    async def get_status(_: web.Request) -> web.Response:
        return json_response(await status())

    @any_token
    async def get_limits(_: web.Request) -> web.Response:
        return json_response(limits_view(admission.settings))

    @needs("status")
    async def get_metrics(_: web.Request) -> web.Response:
        values = {"sealtrail_http_requests_in_hand": admission.requests, **metrics()}
        text = exposition(http_metrics, values)
        return web.Response(body=text.encode(), headers={"Content-Type": MEDIA_TYPE})

    return [
        web.get("/health", health),
        web.get("/ready", ready),
        web.get("/v1/status", get_status),
        web.get("/v1/limits", get_limits),
        web.get("/metrics", get_metrics),
    ]
