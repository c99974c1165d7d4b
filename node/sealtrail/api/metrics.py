"""Metrics in the Prometheus text format (version 0.0.4): few, and none with an identifier in a label."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping

MEDIA_TYPE = "text/plain; version=0.0.4"
_BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class HttpMetrics:
    """Request counts and latencies by route pattern, method and status."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str, int], list[int]] = {}
        self._seconds: dict[tuple[str, str, int], float] = {}

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        # A method that doesn't exist is the client's invention: one label for all of them.
        key = (route, method if method in _METHODS else "OTHER", status)
        buckets = self._buckets.get(key)
        if buckets is None:
            buckets = self._buckets[key] = [0] * (len(_BOUNDS_SECONDS) + 1)
            self._seconds[key] = 0.0
        buckets[bisect_left(_BOUNDS_SECONDS, seconds)] += 1
        self._seconds[key] += seconds

    def lines(self) -> Iterable[str]:
        """Yield the exposition lines."""
        name = "sealtrail_http_request_seconds"
        yield f"# TYPE {name} histogram"
        for (route, method, status), buckets in self._buckets.items():
            labels = f'route="{route}",method="{method}",status="{status}"'
            total = 0
            for bound, count in zip((*map(str, _BOUNDS_SECONDS), "+Inf"), buckets, strict=True):
                total += count
                yield f'{name}_bucket{{{labels},le="{bound}"}} {total}'
            yield f"{name}_sum{{{labels}}} {self._seconds[route, method, status]:.6f}"
            yield f"{name}_count{{{labels}}} {total}"


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


def exposition(http: HttpMetrics, values: Mapping[str, float]) -> str:
    """Return the whole text; ``values`` by full name: those that end in ``_total`` are counters."""
    lines = []
    for name, value in values.items():
        lines.append(f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}")
        lines.append(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}")
    return "\n".join((*lines, *http.lines(), ""))
