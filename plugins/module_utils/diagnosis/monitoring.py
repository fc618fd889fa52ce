# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis asks Prometheus: the machines' processors, memory and disks, the application's time by route, and the tenants' requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..health.model import DIAGNOSE, Check, Finding, NoData, Threshold
from ..health.systems.monitoring.server import SYSTEM, Run, Server, ask, promql
from ..reports.model import OK
from .shares import HALF, selected, shares

# Requests an hour, below which nobody's share matters.
JUDGED_REQUESTS = 3600.0
SHOWN = 10
_REAL = 'fstype!~"tmpfs|ramfs|squashfs|overlay|iso9660|nsfs|fuse.*|proc|sysfs|cgroup.*|devtmpfs"'

CPU = '100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m])))'
STEAL = '100 * avg by (instance) (rate(node_cpu_seconds_total{mode=~"iowait|steal"}[5m]))'
MEMORY = "100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)"
DISK = "100 * max by (instance) (rate(node_disk_io_time_seconds_total[5m]))"
SPACE = f"100 * max by (instance) (1 - node_filesystem_avail_bytes{{{_REAL}}} / node_filesystem_size_bytes{{{_REAL}}})"
ROUTES = "3600 * sum by (method, route) (rate(leanvibe_http_request_seconds_sum[5m]))"
REQUESTS = "count(leanvibe_http_requests_total)"
TENANTS = "3600 * sum by (tenant) (rate(leanvibe_tenant_requests_total[5m]))"


def series(session: Run, expression: str) -> list[tuple[dict[str, str], float]]:
    """The series of an instant query. Raises NoData for an error, or if there is none."""
    found = ask(session, expression)
    if not found:
        raise NoData(f"{expression}: no series; nothing was measured, which is not 0 (absent metric, or wrong labels)")
    return found


def _per_machine(expression: str, words: str) -> Callable[[Run], Iterator[Finding]]:
    def run(session: Run) -> Iterator[Finding]:
        for labels, value in series(session, expression):
            where = labels.get("instance", "machine")
            yield Finding(observed=round(value, 1), name=where, message=f"{where}: {value:.1f} % {words}")

    return run


def _routes(session: Run) -> Iterator[Finding]:
    """What the application does with its time. That it works is no finding; it is what a slow route is compared with."""
    every = sorted(((labels, value) for labels, value in series(session, ROUTES)), key=lambda one: -one[1])
    for labels, value in every[:SHOWN]:
        name = f"{labels.get('method', '?')} {labels.get('route', '?')}"
        yield Finding(observed=round(value, 3), verdict=OK, unit="s/h", name=name, message=f"{name}: {value:.3g} s an hour in the last 5 min")


def _tenants(session: Run) -> list[Finding]:
    taken = {labels.get("tenant", "?"): value for labels, value in ask(session, TENANTS)}
    if not taken:
        # The application shows a tenant from its first request on; that the application is heard of at all is what must be there.
        series(session, REQUESTS)
    return shares(
        taken,
        sum(taken.values()),
        tenant=selected(session),
        judged_from=JUDGED_REQUESTS,
        words=lambda value: f"{value:.4g} requests an hour",
        what="of all tenants in the last 5 min",
    )


def _check(name: str, question: str, run: Callable[[Run], Any], query: str, threshold: Threshold | None = None) -> Check[Server]:
    return Check(
        id=f"{SYSTEM}.{name}",
        question=question,
        system=SYSTEM,
        run=run,
        query=promql(query),
        runbook=f"diagnose.md#{name}",
        threshold=threshold,
        profiles=(DIAGNOSE,),
        grants=("GET /api/v1/query of Prometheus",),
    )


def _of(limit: float, source: str) -> Threshold:
    return Threshold(degraded=limit, unit="%", source=source)


IN_DEPTH: tuple[Check[Server], ...] = (
    _check(
        "cpu",
        "Are the machines' processors busy?",
        _per_machine(CPU, "of its processors' time is used (5 min)"),
        CPU,
        _of(85, "Architect Dashboard guide: HighCPU from 85 %"),
    ),
    _check(
        "cpu_waiting",
        "Do processors wait for disks or for other guests of the host?",
        _per_machine(STEAL, "of its processors' time is spent waiting for disks or taken by the host (5 min)"),
        STEAL,
        _of(20, "usual practice: a fifth of the time spent waiting is seen by users"),
    ),
    _check(
        "memory",
        "Is the machines' memory used up?",
        _per_machine(MEMORY, "of its memory cannot be had"),
        MEMORY,
        _of(90, "usual practice: what is left is needed for peaks and caches"),
    ),
    _check(
        "disk_time",
        "Are the machines' disks busy?",
        _per_machine(DISK, "of the time its busiest disk is at work (5 min)"),
        DISK,
        _of(80, "usual practice: requests queue up from there"),
    ),
    _check(
        "disk_space",
        "Are the machines' disks full?",
        _per_machine(SPACE, "of its fullest file system is used"),
        SPACE,
        _of(90, "usual practice; PostgreSQL stops at 100 %"),
    ),
    _check("routes", "On which routes does the application spend its time?", _routes, ROUTES),
    _check("tenant_requests", "Which share of the requests is tenants'?", _tenants, TENANTS, HALF),
)
