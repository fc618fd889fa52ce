# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters as rates: between what an earlier run read (options: counters_before) and now, or between this run's beginning and end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, LiteralString

from ....common.errors import OpsError
from ....common.lazy import LazyModule
from ...model import LOWER, Check, Finding, NotApplicable, Session, Threshold
from ...reading import single
from ..ranking import amount, duration
from .server import MONITOR, RUNBOOK, Server, number, state

psycopg = LazyModule("psycopg")

# Below these, an interval says nothing: one deadlock in half a second is no rate.
MIN_SECONDS = 60.0
MIN_BLOCKS = 100_000
# To fill an empty cache is no sign of a small one: reads must go through it this many times.
MIN_TURNS = 10
NAMES = ("hits", "reads", "deadlocks", "temporary")

_COUNTERS: LiteralString = """
SELECT extract(epoch FROM clock_timestamp())::float8 AS at, extract(epoch FROM pg_postmaster_start_time())::float8 AS started,
       coalesce(extract(epoch FROM max(stats_reset)), 0)::float8 AS reset, sum(blks_hit)::float8 AS hits, sum(blks_read)::float8 AS reads,
       sum(deadlocks)::float8 AS deadlocks, sum(temp_bytes)::float8 AS temporary
FROM pg_stat_database
"""


@dataclass(frozen=True)
class Interval:
    """By how much each counter went up in how many seconds."""

    seconds: float
    up: Mapping[str, float]

    @property
    def words(self) -> str:
        """For messages."""
        return f"in the last {duration(self.seconds)}"


def _read(server: Server) -> dict[str, float]:
    row = single(server.rows(_COUNTERS), "pg_stat_database")
    return {name: float(row[name]) for name in ("at", "started", "reset", *NAMES)}


def begin(session: Session[Server]) -> None:
    """Read the counters at the beginning of a run. An error is remembered, and raised where they are needed."""
    with suppress(OpsError, psycopg.Error):
        session.once("counters at first", _read)


def _end(session: Session[Server]) -> dict[str, float]:
    now = session.once("counters at last", _read)
    session.facts["counters"] = now
    return now


def between(before: Mapping[str, Any], now: Mapping[str, float]) -> Interval:
    """The interval between two readings. Raises NotApplicable if the counters began anew in between, or ``before`` is no reading."""
    if any(not isinstance(before.get(name), (int, float)) for name in ("at", "reset", *NAMES)):
        raise NotApplicable("what the earlier run left is no reading of these counters; the next run will have one")
    up = {name: now[name] - float(before[name]) for name in NAMES}
    if now["at"] <= before["at"] or now["reset"] != before["reset"] or min(up.values()) < 0:
        raise NotApplicable("the counters began anew since the earlier run read them (statistics reset, crash or failover); the next run will have a rate")
    return Interval(now["at"] - float(before["at"]), up)


def interval(session: Session[Server]) -> Interval:
    """Since the earlier run if there was one, else since this run's beginning."""
    before = session.options.get("counters_before")
    begin(session)
    now = _end(session)
    return between(before if isinstance(before, Mapping) and before else session.once("counters at first", _read), now)


def _long_enough(session: Session[Server], what: str) -> Interval:
    found = interval(session)
    if found.seconds < MIN_SECONDS:
        raise NotApplicable(f"{what} need two readings at least {MIN_SECONDS:g} s apart, and there is no earlier run's (options: counters_before)")
    return found


def _cache(session: Session[Server]) -> Iterator[Finding]:
    found = interval(session)
    blocks = found.up["hits"] + found.up["reads"]
    least = max(MIN_BLOCKS, MIN_TURNS * number(session, "shared_buffers"))
    if state(session)["now"] - state(session)["started"] < found.seconds:
        raise NotApplicable(f"the server was started {found.words}, with an empty cache")
    if blocks < least:
        raise NotApplicable(f"{blocks:.0f} blocks were read {found.words}: too few to say anything about the cache (at least {least})")
    ratio = 100 * found.up["hits"] / blocks
    yield Finding(observed=round(ratio, 2), message=f"{ratio:.1f} % of {blocks:.0f} blocks came from shared_buffers {found.words}")


def _deadlocks(session: Session[Server]) -> Iterator[Finding]:
    found = _long_enough(session, "deadlocks")
    many = found.up["deadlocks"]
    yield Finding(observed=round(many * 3600 / found.seconds, 3), message=f"{many:.0f} deadlock(s) {found.words}")


def _temporary(session: Session[Server]) -> Iterator[Finding]:
    found = _long_enough(session, "temporary files")
    size = found.up["temporary"]
    yield Finding(observed=round(size / found.seconds / 1e6, 3), message=f"{amount(size)} of temporary files were written {found.words}")


CACHE: Check[Server] = Check(
    id="postgresql.cache_hits",
    question="How much of what is read comes from shared_buffers, lately?",
    system="postgresql",
    query=_COUNTERS,
    runbook=f"{RUNBOOK}#cache_hits",
    threshold=Threshold(degraded=90, critical=85, worse=LOWER, unit="%", source="Production Deployment Guide, key metrics: cache hit ratio"),
    grants=MONITOR,
    run=_cache,
)
DEADLOCKS: Check[Server] = Check(
    id="postgresql.deadlocks",
    question="How many transactions are ended by deadlocks?",
    system="postgresql",
    query=_COUNTERS,
    runbook=f"{RUNBOOK}#deadlocks",
    threshold=Threshold(degraded=1, critical=60, unit="per h", source="usual practice: none; one an hour deserves a look, one a minute hurts"),
    grants=MONITOR,
    run=_deadlocks,
)
TEMPORARY: Check[Server] = Check(
    id="postgresql.temporary_files",
    question="How much do queries write to temporary files?",
    system="postgresql",
    query=_COUNTERS,
    runbook=f"{RUNBOOK}#temporary_files",
    threshold=Threshold(degraded=10, unit="MB/s", source="usual practice: sorts and hashes that steadily outgrow work_mem"),
    grants=MONITOR,
    run=_temporary,
)
