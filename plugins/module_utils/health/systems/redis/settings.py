# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between nodes that replicate from one another, and shows only after a failover."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ....reports.model import DEGRADED, OK
from ...comparisons import finding
from ...model import Comparison, Finding, Side
from .node import SYSTEM


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _versions(sides: Sequence[Side]) -> Iterator[Finding]:
    first = sides[0]
    here = str(first.fact["version"])
    for side in sides[1:]:
        there = str(side.fact["version"])
        older = _number(there) < _number(here)
        why = ": an older replica may not understand what the newer one sends" if older else ""
        message = f"{there}, as in {first.region}" if there == here else f"{there}, and {here} in {first.region}{why}"
        yield finding(side, observed=there, verdict=OK if there == here else DEGRADED, message=message)


def _settings(sides: Sequence[Side]) -> Iterator[Finding]:
    first = sides[0]
    for side in sides[1:]:
        here, there = first.fact["settings"], side.fact["settings"]
        other = [
            f"{name} is {there.get(name)}, and {here.get(name)} in {first.region}"
            for name in sorted(here.keys() | there.keys())
            if here.get(name) != there.get(name)
        ]
        message = "; ".join(other) or f"{len(here)} settings as in {first.region}"
        yield finding(side, observed=len(other), verdict=DEGRADED if other else OK, message=message)


VERSIONS = Comparison(
    id="redis.versions",
    question="Do all nodes run the same version?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO server (redis_version), on each node",
    runbook="runbooks/redis.md#versions",
    fact="node",
    told_by="redis.role",
    compare=_versions,
)

SETTINGS = Comparison(
    id="redis.settings",
    question="Would the other node work within the same limits after a failover?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO (maxmemory, maxmemory_policy, maxclients, aof_enabled), on each node",
    runbook="runbooks/redis.md#settings",
    fact="node",
    told_by="redis.role",
    compare=_settings,
)
