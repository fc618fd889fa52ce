# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the application counts of its users' requests (GET /metrics of one process), and what of it happened since the last run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...model import NoData, NotApplicable
from ..answers import metrics
from .increases import FIRST, before, keep, part
from .service import Run, Service, direct

REQUESTS, SECONDS, TENANTS = "leanvibe_http_requests", "leanvibe_http_request_seconds", "leanvibe_tenant_requests"
START = "process_start_time_seconds"
# What users call; health endpoints, pages and metrics are asked by machines.
API = "/api/"
FAILED = "failed"


@dataclass(frozen=True)
class Window:
    """What happened in ``seconds``: answers and those of them that were failures (5xx), cumulated times (upper bound in s -> answers), and by tenant."""

    seconds: float
    answered: float
    failed: float
    buckets: Mapping[float, float]
    tenants: Mapping[str, float]
    tenants_failed: Mapping[str, float]


def samples(session: Run, name: str) -> Iterable[Any]:
    """The samples of a family. Raises NoData if it is not there."""
    found = session.once("metrics", lambda service: metrics(direct(service).request("GET", "/metrics")))
    if name not in found:
        raise NoData(
            f"{direct(session.client).base}/metrics has no series {name}: not the application's metrics, or other names (docs/runbooks/backend.md#metrics)"
        )
    return found[name]


def _read(session: Run) -> dict[str, Any]:
    """The counters in the form in which they are kept."""
    counted: dict[str, float] = defaultdict(float)
    buckets: dict[str, float] = defaultdict(float)
    tenants: dict[str, float] = defaultdict(float)
    failed: dict[str, float] = defaultdict(float)
    for one in samples(session, REQUESTS):
        if one.name.endswith("_total") and one.labels["route"].startswith(API):
            counted["answered"] += one.value
            counted["failed"] += one.value if one.labels["status"].startswith("5") else 0
    for one in samples(session, SECONDS):
        if one.name.endswith("_bucket") and one.labels["route"].startswith(API):
            buckets[str(float(one.labels["le"]))] += one.value
    for one in samples(session, TENANTS):
        if one.name.endswith("_total"):
            tenants[one.labels["tenant"]] += one.value
            if one.labels["outcome"] == FAILED:
                failed[one.labels["tenant"]] += one.value
    started = next((one.value for one in samples(session, START)), 0.0)
    counts = {"answered": counted["answered"], "failed": counted["failed"]}
    return {"at": session.now.timestamp(), "started": started, **counts, "buckets": dict(buckets), "tenants": dict(tenants), "tenants_failed": dict(failed)}


def window(session: Run) -> Window:
    """What happened since the last run. Raises NoData, and NotApplicable if the last run is not known."""

    def between(_service: Service) -> Window:
        later = _read(session)
        keep(session, metrics=later)
        earlier = before(session).get("metrics")
        if not earlier:
            raise NotApplicable(FIRST)
        seconds = later["at"] - float(earlier["at"])
        if earlier["started"] != later["started"]:
            if later["started"] < float(earlier["at"]):
                raise NotApplicable("another process of the application answered than in the last run: name one in leanvibe_ops_backend.direct_url")
            # It was started anew since: all that it has counted has happened since.
            earlier = {"answered": 0, "failed": 0, "buckets": {}, "tenants": {}, "tenants_failed": {}}
        return Window(
            seconds,
            later["answered"] - earlier["answered"],
            later["failed"] - earlier["failed"],
            {float(bound): count for bound, count in part(later["buckets"], earlier["buckets"]).items()},
            part(later["tenants"], earlier["tenants"]),
            part(later["tenants_failed"], earlier["tenants_failed"]),
        )

    return session.once("window", between)
