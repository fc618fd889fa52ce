# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How soon the application and its database answer: by a few questions of our own, and by what the application measured since the last run.

A few questions within a second say what is so at this moment, not what is so 95 times of 100: they are judged by their median, which proves a target missed
when even half of the answers come later than nineteen of twenty may. The percentiles of users' requests are told from enough of them only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from ....clients.web import Answer
from ....reports.model import OK
from ...model import Finding, NotApplicable, Threshold
from ..answers import unexpected
from ..folding import verdict_of
from .increases import before, keep
from .metrics import window
from .service import Run, check, fine, health_of, number, tiers_here, well

PROBES, DATABASE_PROBES = 40, 20
PROBE_SECONDS = 4.0
# Medians of so many runs are kept, and so many make a baseline; below so many ms nobody notices what has become of it.
KEPT, BASELINE, NOTICED = 20, 5, 100
# Answers of users that a percentile needs: five beyond it.
USERS = {"p95": (0.95, 100), "p99": (0.99, 500)}
# Milliseconds by tier, as the role tiers promises them: API p95 and p99, database p95.
PROMISED = {"enterprise": (200, 500, 50), "team": (500, 1000, 100), "developer": (1000, 2000, 200)}
_GUIDE = "guides: 'Enterprise SLA Targets'; critical at twice the target is ours"
_OURS = "the guides promise this tier nothing: the target of the role tiers; critical at twice the target"


def _targets(which: int) -> dict[str, Threshold]:
    return {
        tier: Threshold(degraded=figures[which], critical=2 * figures[which], unit="ms", source=_OURS if tier == "developer" else _GUIDE)
        for tier, figures in PROMISED.items()
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` of the values do not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def quantile(buckets: Mapping[float, float], share: float) -> float:
    """The quantile of a histogram in seconds, as Prometheus reckons it: evenly spread within a bucket, and the last bound for what lies beyond it."""
    bounds = sorted(buckets)
    rank = share * buckets[bounds[-1]]
    lower, below = 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= rank:
            if math.isinf(bound):
                break
            return lower + (bound - lower) * (rank - below) / ((buckets[bound] - below) or 1)
        lower, below = bound, buckets[bound]
    return lower


def _asked(session: Run, once: Callable[[], float], most: int) -> list[float]:
    """At most ``most`` answers' times, in ms, asked for one by one for PROBE_SECONDS at most."""
    times: list[float] = []
    ends = time.monotonic() + min(PROBE_SECONDS, session.client.left() / 2)
    while len(times) < most and time.monotonic() < ends:
        times.append(once())
    return times


def _beside(session: Run, value: float, variant: str, name: str, tenants: Sequence[str], said: str) -> Finding:
    """A figure beside a tier's target; its tenants are touched if it is missed."""
    finding = Finding(observed=round(value, 2), variant=variant, name=name, message=said)
    return finding if verdict_of(finding, session) == OK else replace(finding, tenants=tenants)


def _judged(session: Run, times: Sequence[float], what: str) -> Iterator[Finding]:
    """The median beside each tier's target for the 95th percentile."""
    half = percentile(times, 0.5)
    said = f"{len(times)} answers {what}: p50 {half:.0f} ms, p95 {percentile(times, 0.95):.0f} ms, worst {max(times):.0f} ms"
    for tier, tenants in sorted(tiers_here(session).items()):
        yield _beside(session, half, tier, tier, tenants, said)


def _times(session: Run) -> list[float]:
    """How long GET /health takes, asked for once."""

    def once() -> float:
        answer = session.client.users.request("GET", "/health")
        if answer.status != 200:
            raise unexpected(answer, "200")
        return answer.seconds * 1000

    return session.once("response", lambda _service: _asked(session, once, PROBES))


def _response(session: Run) -> Iterator[Finding]:
    tiers_here(session)
    yield from _judged(session, _times(session), "of GET /health, seen from here")


def _baseline(session: Run) -> Iterator[Finding]:
    half = percentile(_times(session), 0.5)
    earlier = [float(value) for value in before(session).get("response_ms", [])]
    keep(session, response_ms=[*earlier, round(half, 2)][-KEPT:])
    if len(earlier) < BASELINE:
        raise NotApplicable(f"{len(earlier)} earlier runs are known, and a baseline needs {BASELINE}")
    usual = percentile(earlier, 0.5)
    times = round(half / usual, 2)
    said = f"p50 of GET /health is {half:.0f} ms, and was {usual:.0f} ms in the last {len(earlier)} runs"
    yield fine(times, said, unit="x") if half < NOTICED else Finding(observed=times, message=said)


def _database(session: Run) -> Iterator[Finding]:
    tiers_here(session)

    def told(answer: Answer) -> float:
        found = well(answer)
        if found is None:
            raise unexpected(answer, "200")
        return number(found, "latency_ms", answer.where)

    times = [told(health_of(session, "db"))]  # if that has not come, nobody waits for the others
    times += _asked(session, lambda: told(session.client.users.request("GET", "/health/db")), DATABASE_PROBES - 1)
    yield from _judged(session, times, "of its database, seen from the application")


def _latency(session: Run) -> Iterator[Finding]:
    tiers = tiers_here(session)
    found = window(session)
    total = max(found.buckets.values(), default=0)
    least = min(needed for _share, needed in USERS.values())
    if total < least:
        raise NotApplicable(f"{total:.0f} requests of users since the last run; a percentile needs {least}")
    values = {name: 1000 * quantile(found.buckets, share) for name, (share, needed) in USERS.items() if total >= needed}
    figures = ", ".join(f"{name} {value:.0f} ms" for name, value in values.items())
    said = f"{total:.0f} requests of users in {found.seconds:.0f} s: p50 {1000 * quantile(found.buckets, 0.5):.0f} ms, {figures}"
    for name, value in values.items():
        for tier, tenants in sorted(tiers.items()):
            yield _beside(session, value, f"{tier}_{name}", f"{tier}/{name}", tenants, said)


CHECKS = (
    check("response", "How soon does the application answer, seen from here (median, beside the target for 95 %)?", _response,
          "for i in $(seq 40); do curl -sS -o /dev/null -w '%{time_total}\\n' URL/health; done | sort -n", variants=_targets(0), timeout=12.0, cost="medium"),
    check("response_baseline", "How many times as long as usual does the application take to answer?", _baseline,
          "the trend of backend.response in the reports before this one",
          Threshold(degraded=3, unit="x", source="ours: three times the median of the last runs, and beyond 100 ms"), timeout=12.0),
    check("database_response", "How soon does the database answer the application (median, beside the target for 95 %)?", _database,
          "for i in $(seq 20); do curl -sS URL/health/db; done (latency_ms)", variants=_targets(2), timeout=12.0, cost="medium"),
    check("latency", "How soon were users answered since the last run (95th and 99th percentile)?", _latency,
          "curl -sS DIRECT_URL/metrics | grep leanvibe_http_request_seconds_bucket, twice",
          variants={f"{tier}_{name}": limits for which, name in enumerate(USERS) for tier, limits in _targets(which).items()}),
)  # fmt: skip
