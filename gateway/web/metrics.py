"""Counts for Prometheus, and the page that tells them, served on a port of its own.

Labels have values from closed lists only: nothing that a client, a tenant or Stripe chose is ever
one, so that neither a secret nor an endless number of series can get in.
Source: https://prometheus.io/docs/practices/naming/ (read November 2026).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial

from aiohttp import web
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from gateway.events.event_ids import IgnoredReason
from gateway.events.log import UnreadableCount
from gateway.events.webhook import Counts, RefusedReason

PATH = "/metrics"
SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""From an answer out of the cache to the longest that a query may take."""
LIMITS_MAX = 32
"""Limits of documents are about ten; a bound, because their names come from elsewhere."""

_LIMIT = re.compile(r"[a-z][a-z_]{0,39}", re.ASCII)


class Metrics:
    """The counts of one gateway since its start, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        told = "Operations that ended, by kind and by the first code of their errors."
        # The library makes the names of a series anew each time it is asked for it.
        self._operations = cache(counter("gateway_operations", told, ("kind", "code")).labels)
        told = "Seconds from the arrival of a query or a mutation to its answer."
        seconds = partial(Histogram, buckets=SECONDS_BUCKETS, registry=self.registry)
        self._seconds = cache(seconds("gateway_operation_seconds", told, ("kind",)).labels)
        told = "Requests that were turned away before any operation, by status and code."
        self._refused = counter("gateway_requests_refused", told, ("status", "code"))
        told = "Documents beyond a limit, by limit; mode warn: it was let through."
        self._limits = counter("gateway_limits_exceeded", told, ("limit", "mode"))
        told = "Operations and items that graphql-core executed in place of a plan, by reason."
        self._fallbacks = counter("gateway_plan_fallbacks", told, ("reason",))
        told = "Attempts to call Stripe, by method and by how they ended."
        self._upstream = counter("gateway_upstream_calls", told, ("method", "outcome"))
        self.sockets = gauge("gateway_sockets_open", "Open WebSockets.")
        self.streams = gauge("gateway_streams_open", "Open event streams.")
        self._limits_known: set[str] = set()
        self._watch = self.registry.register

    def operation_ended(self, kind: str, code: str, seconds: float) -> None:
        """One more operation. Streams last as long as they are watched, so nobody times them."""
        self._operations(kind, code).inc()
        if kind in ("query", "mutation"):
            self._seconds(kind).observe(seconds)

    def request_refused(self, status: int, code: str) -> None:
        """One more request that was turned away; `code` is of the closed list."""
        self._refused.labels(str(status), code).inc()

    def limit_exceeded(self, limit_name: str, enforced: bool) -> None:
        """One more document beyond a limit, refused if the limit is enforced."""
        if limit_name not in self._limits_known:
            if len(self._limits_known) < LIMITS_MAX and _LIMIT.fullmatch(limit_name):
                self._limits_known.add(limit_name)
            else:
                limit_name = "other"
        self._limits.labels(limit_name, "enforce" if enforced else "warn").inc()

    def plan_fell_back(self, reason: str) -> None:
        """One more that no plan showed; the reasons are a closed list."""
        self._fallbacks.labels(reason).inc()

    def upstream_called(self, method: str, outcome: str) -> None:
        """One more attempt at Stripe; both words are of closed lists."""
        self._upstream.labels(method, outcome).inc()

    def watch_webhooks(self, counts: Counts) -> None:
        """Tell what became of the webhooks, as it is whenever somebody asks."""

        def outcomes() -> dict[str, float]:
            return {
                "taken": counts.taken,
                "known": counts.known,
                "put_off": counts.put_off,
                **{f"ignored_{reason.value}": counts.ignored[reason] for reason in IgnoredReason},
                **{f"refused_{reason.value}": counts.refused[reason] for reason in RefusedReason},
            }

        def matches() -> dict[str, float]:
            return {str(at): count for at, count in enumerate(counts.matched, start=1)}

        told = "Requests at the webhooks' path, by outcome."
        self._watch(_Watched("gateway_webhooks", told, outcomes, "outcome"))
        told = "Good signatures, by the place of the secret in the setting: 1 is the first."
        self._watch(_Watched("gateway_webhook_signatures", told, matches, "position"))

    def watch_writes(self, open_by_state: Callable[[], Mapping[str, float]]) -> None:
        """Tell of writes that somebody still has to do something about; `undecidable` waits for a
        person. Their states are of a closed list."""
        told = "Recorded writes without an end, by state."
        name = "gateway_writes_open"
        self._watch(_Watched(name, told, open_by_state, "state", GaugeMetricFamily))

    def watch_log(self, unreadable: UnreadableCount) -> None:
        """Tell how many entries of the event log this release could not read."""
        told = "Entries of the event log that this release could not read."
        name = "gateway_log_entries_unreadable"
        self._watch(_Watched(name, told, lambda: {"": unreadable.count}))

    def watch_catch_up(self, counts: Callable[[], tuple[int, int]]) -> None:
        """Tell how many events wait to be tried again, and how many were given up."""
        told = "Events that could not be taken in, and are tried again."
        name = "gateway_catch_up_waiting"
        self._watch(_Watched(name, told, lambda: {"": counts()[0]}, family=GaugeMetricFamily))
        told = "Events that could not be taken in until Stripe listed them no longer."
        self._watch(_Watched("gateway_catch_up_given_up", told, lambda: {"": counts()[1]}))

    def watch_complete(self, by_list: Callable[[], Mapping[str, float]]) -> None:
        """Tell up to when each of Stripe's lists is known to be in the log, as epoch seconds."""
        told = "Up to when all events of a list are known to be taken in."
        name = "gateway_catch_up_complete_timestamp_seconds"
        self._watch(_Watched(name, told, by_list, "list", GaugeMetricFamily))

    def watch_tasks(self, failures: Mapping[str, float]) -> None:
        """Tell how often each background task has failed; their names are of a closed list."""
        told = "Failures of what is done again and again, by chore."
        self._watch(_Watched("gateway_chore_failures", told, lambda: failures, "chore"))

    def page(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)


@dataclass(frozen=True, slots=True)
class _Watched(Collector):
    """A metric that somebody else keeps, read whenever a scraper asks. Without a label there is
    one count, under ""."""

    name: str
    told: str
    read: Callable[[], Mapping[str, float]]
    label: str | None = None
    family: type[CounterMetricFamily | GaugeMetricFamily] = CounterMetricFamily

    def collect(self) -> Iterator[Metric]:
        metric = self.family(self.name, self.told, labels=(self.label,) if self.label else ())
        for value, count in self.read().items():
            metric.add_metric((value,) if self.label else (), count)
        yield metric


def metrics_app(metrics: Metrics) -> web.Application:
    """The application behind the metrics' own port: one page."""

    async def page(request: web.Request) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE_PLAIN_0_0_4, "Cache-Control": "no-store"}
        return web.Response(body=metrics.page(), headers=headers)

    async def drop_banner(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.popall("Server", None)

    app = web.Application()
    app.router.add_get(PATH, page)
    app.on_response_prepare.append(drop_banner)
    return app
