# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sessions waited for blocks that were not in the cache, and for the other region to have what was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, LiteralString

from ...health.model import DIAGNOSE, Check, Finding, NoData, NotApplicable, Session, Threshold
from ...health.reading import reviewed, single
from ...health.systems.postgresql.server import MONITOR, Server, only_primary, settings
from ...health.systems.ranking import duration
from .statements import DOCUMENT, MIN_SECONDS

_READS: LiteralString = """
SELECT extract(epoch FROM clock_timestamp())::float8 AS at, coalesce(extract(epoch FROM max(stats_reset)), 0)::float8 AS reset,
       sum(blk_read_time)::float8 / 1000 AS seconds, sum(blks_hit)::float8 AS hits, sum(blks_read)::float8 AS reads
FROM pg_stat_database
"""
_REPLICATION: LiteralString = """
SELECT application_name AS name, state, extract(epoch FROM flush_lag)::float8 AS flush, extract(epoch FROM replay_lag)::float8 AS replay
FROM pg_stat_replication WHERE state = 'streaming' ORDER BY 1
"""
_COUNTED = ("at", "reset", "seconds", "hits", "reads")


def _read(server: Server) -> dict[str, float]:
    row = single(server.rows(_READS), "pg_stat_database")
    return {name: float(row[name] or 0.0) for name in _COUNTED}


def between(now: Mapping[str, float], before: Any) -> tuple[dict[str, float], str]:
    """By how much the counters went up, and since when: the last run, else their reset. Raises NotApplicable if neither is known."""
    if isinstance(before, Mapping) and before.get("reset") == now["reset"] and now["at"] - float(before["at"]) >= MIN_SECONDS:
        up = {name: now[name] - float(before[name]) for name in ("at", "seconds", "hits", "reads")}
        if min(up.values()) >= 0:
            return up, f"since the last run {duration(up['at'])} ago"
    if not now["reset"]:
        raise NotApplicable("the server does not know when it began to count; the next run will have the time between two runs")
    up = {**now, "at": max(now["at"] - now["reset"], MIN_SECONDS)}
    return up, f"since the counters began {duration(up['at'])} ago"


def _reads(session: Session[Server]) -> Iterator[Finding]:
    if settings(session)["track_io_timing"]["setting"] != "on":
        raise NoData("track_io_timing is off, so that nobody knows how long reads take; ALTER SYSTEM SET track_io_timing = on, and reload")
    now = session.once("block reads", _read)
    session.facts["counters"] = {**session.facts.get("counters", {}), "block_reads": now}
    earlier = session.options.get("counters_before")
    up, since = between(now, earlier.get("block_reads") if isinstance(earlier, Mapping) else None)
    asked = up["hits"] + up["reads"]
    ratio = f"{100 * up['hits'] / asked:.2f} % of {asked:.0f} blocks were in the cache" if asked else "no blocks were asked for"
    per_hour = up["seconds"] / up["at"] * 3600
    yield Finding(observed=round(per_hour, 3), message=f"sessions waited {per_hour:.3g} s an hour for blocks that were not in the cache {since}; {ratio}")


def _delay(session: Session[Server]) -> list[Finding]:
    only_primary(session)
    rows = session.client.rows(_REPLICATION)
    found = []
    for row in rows:
        if row["flush"] is None:
            # Both are empty while nothing is written: nothing was measured.
            continue
        message = f"what is written here is safe at {row['name']} after {1000 * row['flush']:.3g} ms, and seen there after {1000 * (row['replay'] or 0):.3g} ms"
        found.append(Finding(observed=round(1000 * float(row["flush"]), 2), name=str(row["name"]), message=message))
    if rows and not found:
        raise NotApplicable("nothing was written in the last moments, so that the way to the standby was not measured")
    return reviewed(found, len(rows), "standbys", none_is_fine="no standby streams from here")


READS: Check[Server] = Check(
    id="postgresql.read_time",
    question="How long do sessions wait for blocks that are not in the cache?",
    system="postgresql",
    query=_READS,
    runbook=f"{DOCUMENT}#read_time",
    threshold=Threshold(degraded=360, unit="s/h", source="ours: a tenth of an hour of one session, every hour"),
    profiles=(DIAGNOSE,),
    grants=MONITOR,
    run=_reads,
)
DELAY: Check[Server] = Check(
    id="postgresql.replication_round_trip",
    question="How long does a write take to the other region and back?",
    system="postgresql",
    query=_REPLICATION,
    runbook=f"{DOCUMENT}#replication_round_trip",
    threshold=Threshold(degraded=1000, unit="ms", source="ours: ten times the way across a continent and back"),
    profiles=(DIAGNOSE,),
    grants=MONITOR,
    run=_delay,
)
