# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis asks Prometheus: the machines' processors, memory and disks, the application's time by route, and the tenants' requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..clients.web import Web
from ..health.model import DIAGNOSE, Check, Finding, Session, Threshold
from ..health.reading import vector
from ..health.runner import Link
from ..health.systems.answers import json_answer
from ..reports.model import OK
from .network import round_trip
from .shares import HALF, selected, shares

SYSTEM = "monitoring"
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
TENANTS = "3600 * sum by (tenant) (rate(leanvibe_tenant_requests_total[5m]))"

# As inventories have it (leanvibe_ops_monitoring).
CONNECTION: dict[str, Any] = {
    "prometheus_url": {"type": "str", "required": True},
    "alertmanager_url": {"type": "str"},
    "token": {"type": "str", "no_log": True},
    "ca_file": {"type": "path"},
}
Series = list[tuple[dict[str, str], float]]


@dataclass
class Server:
    """One Prometheus."""

    web: Web
    token: str = ""


def ask(server: Server, expression: str) -> Series:
    """An instant query. Raises NoData for an error, or if there is no series."""
    return vector(json_answer(server.web.request("GET", f"/api/v1/query?query={quote(expression)}", token=server.token)), expression)


def link(connection: Mapping[str, Any]) -> Link[Server]:
    """How the runner reaches Prometheus (CONNECTION)."""

    def limit(server: Server, seconds: float) -> None:
        server.web.seconds = seconds

    def ready(server: Server, seconds: float) -> object:
        limit(server, seconds)
        return ask(server, "vector(1)")

    def connect(seconds: float) -> Server:
        server = Server(Web(str(connection["prometheus_url"]), seconds, connection.get("ca_file")), connection.get("token") or "")
        ready(server, seconds)
        return server

    return Link(connect=connect, answers=ready, limit=limit, close=lambda server: server.web.close(), loads=("urllib3",))


def _per_machine(expression: str, words: str) -> Callable[[Session[Server]], Iterator[Finding]]:
    def run(session: Session[Server]) -> Iterator[Finding]:
        for labels, value in ask(session.client, expression):
            where = labels.get("instance", "machine")
            yield Finding(observed=round(value, 1), name=where, message=f"{where}: {value:.1f} % {words}")

    return run


def _routes(session: Session[Server]) -> Iterator[Finding]:
    """What the application does with its time. That it works is no finding; it is what a slow route is compared with."""
    every = sorted(((labels, value) for labels, value in ask(session.client, ROUTES)), key=lambda one: -one[1])
    for labels, value in every[:SHOWN]:
        name = f"{labels.get('method', '?')} {labels.get('route', '?')}"
        yield Finding(observed=round(value, 3), verdict=OK, unit="s/h", name=name, message=f"{name}: {value:.3g} s an hour in the last 5 min")


def _tenants(session: Session[Server]) -> list[Finding]:
    taken = {labels.get("tenant", "?"): value for labels, value in ask(session.client, TENANTS)}
    return shares(
        taken,
        sum(taken.values()),
        tenant=selected(session),
        judged_from=JUDGED_REQUESTS,
        words=lambda value: f"{value:.4g} requests an hour",
        what="of all tenants in the last 5 min",
    )


def _check(name: str, question: str, run: Callable[[Session[Server]], Any], query: str, threshold: Threshold | None = None) -> Check[Server]:
    return Check(
        id=f"{SYSTEM}.{name}",
        question=question,
        system=SYSTEM,
        run=run,
        query=query,
        runbook=f"diagnose.md#{name}",
        threshold=threshold,
        profiles=(DIAGNOSE,),
        grants=("GET /api/v1/query of Prometheus",),
    )


def _of(limit: float, source: str) -> Threshold:
    return Threshold(degraded=limit, unit="%", source=source)


IN_DEPTH: tuple[Check[Server], ...] = (
    round_trip(SYSTEM, lambda server: ask(server, "vector(1)"), "GET /api/v1/query?query=vector(1)"),
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
