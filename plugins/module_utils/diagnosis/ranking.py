# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From findings to what is done first: ranked by measured effect, each in one phase of the plan. Pure; nothing is estimated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..health.thresholds import is_number
from ..health.waivers import BAD
from ..reports.model import UNKNOWN, Item

TIME, SHARE = "s/h", "%"
# What each group of the ranking is measured in. Groups are not converted into each other.
UNITS = {TIME: "seconds lost in an hour", SHARE: "share of the resource"}
QUICK, MEDIUM, LONG = "quick wins", "tuning and capacity", "architecture"
PHASES = ((QUICK, "0-2 weeks"), (MEDIUM, "2-6 weeks"), (LONG, "6-12 weeks"))

# Needs work on the application or capacity; its figures are there to see whether it helped.
_MEDIUM = frozenset(
    {
        "backend.database_response",
        "backend.latency",
        "backend.response",
        "kubernetes.api_latency",
        "kubernetes.quotas",
        "monitoring.cpu",
        "monitoring.cpu_waiting",
        "monitoring.disk_time",
        "monitoring.memory",
        "neo4j.heap",
        "neo4j.latency",
        "neo4j.page_cache",
        "pgbouncer.clients",
        "pgbouncer.pools",
        "postgresql.bloat",
        "postgresql.cache_hits",
        "postgresql.connections",
        "postgresql.read_time",
        "postgresql.statements",
        "postgresql.temporary_files",
        "redis.commands",
        "redis.latency",
        "redis.memory",
        "redis.slow_commands",
    }
)
# Where tenants or regions are is the matter.
_LONG = frozenset(
    {
        "kubernetes.tenant_share",
        "monitoring.tenant_requests",
        "neo4j.tenant_nodes",
        "neo4j.tenant_relationships",
        "postgresql.replication_round_trip",
        "postgresql.round_trip",
        "postgresql.tenant_rows",
        "postgresql.tenant_size",
        "postgresql.tenant_statements",
        "redis.tenant_memory",
    }
)


@dataclass(frozen=True)
class Ranked:
    """A finding in its place. ``effect`` is in ``unit``; both are None where nothing was measured that could be compared."""

    rank: int
    item: Item
    effect: float | None
    unit: str | None
    phase: str

    def to_mapping(self) -> dict[str, Any]:
        """JSON; the finding itself stands among the report's items."""
        item = self.item
        more = {"message": item.message, "evidence": item.evidence, "tenants": list(item.tenants), "runbook": item.runbook, "query": item.query}
        told = {"rank": self.rank, "id": item.id, "subject": item.subject, "verdict": item.verdict, "effect": self.effect, "unit": self.unit}
        return {**told, "phase": self.phase, **more}


def phase_of(item: Item) -> str:
    """The phase of the plan: what a finding needs at most. What could not be measured comes first, for nothing can be planned without it."""
    if item.verdict == UNKNOWN:
        return QUICK
    return MEDIUM if item.id in _MEDIUM else LONG if item.id in _LONG else QUICK


def effect_of(item: Item) -> tuple[float | None, str | None]:
    """What was measured, if it is an effect: time lost, or the share that is taken. A share of which less is worse is none."""
    lower = (item.threshold or {}).get("worse") == "lower"
    if item.verdict == UNKNOWN or item.unit not in UNITS or lower or not is_number(item.observed):
        return None, None
    return float(item.observed), item.unit


def _key(item: Item) -> tuple[Any, ...]:
    effect, unit = effect_of(item)
    group = list(UNITS).index(unit) if unit else len(UNITS)
    # Of two findings on the same time, the one that has its way out in it comes first.
    proven = 0 if item.id == "postgresql.missing_indexes" else 1
    return group, -(effect or 0.0), BAD.index(item.verdict), proven, item.id, item.subject


def rank(items: Sequence[Item]) -> list[Ranked]:
    """Every finding that is not set aside, once: first what costs time, by seconds an hour; then shares; then what has no such measure, worst first."""
    found = sorted((item for item in items if item.verdict in BAD), key=_key)
    return [Ranked(number, item, *effect_of(item), phase_of(item)) for number, item in enumerate(found, 1)]


def plan(ranked: Sequence[Ranked]) -> list[Mapping[str, Any]]:
    """The three phases, each with the ranks of its findings; every finding is in exactly one."""
    return [{"phase": phase, "when": when, "findings": [one.rank for one in ranked if one.phase == phase]} for phase, when in PHASES]


def where_time_goes(items: Sequence[Item], top: int = 10) -> list[Item]:
    """What takes most time, whether that is a finding or not."""
    timed = [item for item in items if item.unit == TIME and is_number(item.observed) and float(item.observed) > 0]
    return sorted(timed, key=lambda item: (-float(item.observed), item.id, item.subject))[:top]


def tenants_part(items: Sequence[Item], each: int = 3) -> list[Item]:
    """Shares of tenants: of every check and place the biggest."""
    found: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        if ".tenant_" in item.id and "/tenant/" in item.subject and is_number(item.observed):
            found.setdefault((item.id, item.subject.split("/tenant/", 1)[0]), []).append(item)
    return [item for some in found.values() for item in sorted(some, key=lambda one: (-float(one.observed), one.subject))[:each]]


def ways(items: Sequence[Item]) -> list[Item]:
    """How long the way to each endpoint and back was."""
    ends = (".round_trip", ".latency", ".api_latency", ".replication_round_trip", "monitoring.prometheus")
    return [item for item in items if item.id.endswith(ends) and is_number(item.observed)]
