# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service tells Prometheus about itself."""

from __future__ import annotations

from typing import TypeVar

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Info

BUILD = Info("leanvibe_build", "Version and region of the service")
REQUESTS = Counter("leanvibe_http_requests", "Requests answered", ("method", "route", "status"))
SECONDS = Histogram(
    "leanvibe_http_request_seconds",
    "Time to answer a request",
    ("method", "route"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0),
)
TENANT_REQUESTS = Counter("leanvibe_tenant_requests", "Requests of a tenant by outcome: ok, refused (4xx) or failed (5xx)", ("tenant", "outcome"))
SIGN_INS = Counter("leanvibe_sign_ins", "Attempts to sign in", ("outcome",))
TRANSACTIONS = Counter("leanvibe_database_transactions", "Transactions of the service by application name and outcome", ("name", "outcome"))
JOBS = Counter("leanvibe_jobs", "Jobs that the worker has ended", ("kind", "outcome"))
TRAFFIC = Counter("leanvibe_traffic_steps", "Steps of the synthetic traffic", ("region", "step", "outcome"))
# Shown by a process only from the moment at which it knows them: a zero that nobody has measured is not shown.
SOCKETS = Gauge("leanvibe_websockets", "WebSocket connections that are open", registry=None)
QUEUED = Gauge("leanvibe_jobs_queued", "Jobs that wait for the worker", registry=None)
LAST_DONE = Gauge("leanvibe_worker_last_done_timestamp_seconds", "When the worker last ended a job, as the API sees it; seconds since 1970", registry=None)
HEARTBEAT = Gauge("leanvibe_heartbeat_sequence", "Number of the last heartbeat row that was written", registry=None)
HEARTBEAT_WRITTEN = Gauge("leanvibe_heartbeat_written_timestamp_seconds", "When the last heartbeat row was written, seconds since 1970", registry=None)
HEARTBEAT_FAILURES = Counter("leanvibe_heartbeat_failures", "Heartbeat rows that could not be written", registry=None)
_shown: set[int] = set()
Metric = TypeVar("Metric", Gauge, Counter)


def shown(metric: Metric) -> Metric:
    """Let a metric be seen from now on."""
    if id(metric) not in _shown:
        _shown.add(id(metric))
        REGISTRY.register(metric)
    return metric


def known() -> None:
    """Make the series that alerts look at exist before anything happens: an absent series is not a zero."""
    for outcome in ("ok", "refused"):
        SIGN_INS.labels(outcome)
