# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what is written survives a restart: snapshots (RDB) and the append-only file (AOF)."""

from __future__ import annotations

from collections.abc import Iterator

from ....reports.model import CRITICAL, OK
from ...model import Check, Finding, NotApplicable, Session, Threshold
from .node import SYSTEM, Info, Node, grant, info

_EVERY = 3600.0


def _ours(session: Session[Node]) -> Info:
    if session.client.managed:
        raise NotApplicable("ElastiCache takes snapshots itself (aws.elasticache_groups)")
    return info(session)


def _appended(session: Session[Node]) -> Info:
    found = _ours(session)
    if found.number("aof_enabled") != 1:
        raise NotApplicable("there is no append-only file (redis.aof_enabled says whether there should be)")
    return found


def _aof_enabled(session: Session[Node]) -> Iterator[Finding]:
    found = _ours(session)
    wanted, there = bool(session.options.get("appendonly", True)), found.number("aof_enabled") == 1
    if there or not wanted:
        message = "the append-only file is on" if there else "no append-only file, as declared (health option appendonly)"
        yield Finding(observed=int(there), verdict=OK, message=message)
        return
    unsaved = found.number("rdb_changes_since_last_save")
    yield Finding(
        observed=0, verdict=CRITICAL, message=f"the append-only file is off: after a crash, {unsaved:.0f} changes since the last snapshot would be lost"
    )


def _written(field: str, what: str, then: str) -> Check[Node]:
    def run(session: Session[Node]) -> Iterator[Finding]:
        state = _appended(session)[field]
        well = state == "ok"
        yield Finding(
            observed=state, verdict=OK if well else CRITICAL, message=f"the last {what} went well" if well else f"the last {what} failed ({state}): {then}"
        )

    name = field.removesuffix("_status").replace("_last", "")
    return Check(
        id=f"redis.{name}",
        question=f"Did the last {what} go well?",
        system=SYSTEM,
        query=f"redis-cli --user <user> --askpass INFO persistence ({field})",
        runbook=f"runbooks/redis.md#{name}",
        grants=grant("info"),
        run=run,
    )


def _rdb_save(session: Session[Node]) -> Iterator[Finding]:
    state = _ours(session)["rdb_last_bgsave_status"]
    well = state == "ok"
    bad = f"the last snapshot failed ({state}): Redis refuses all writes until one goes well (stop-writes-on-bgsave-error)"
    yield Finding(observed=state, verdict=OK if well else CRITICAL, message="the last snapshot went well" if well else bad)


def _rdb_age(session: Session[Node]) -> Iterator[Finding]:
    found = _ours(session)
    declared = session.options.get("snapshot_seconds")
    every = _EVERY if declared is None else float(declared)
    if every <= 0:
        raise NotApplicable("snapshots are declared to be off (health option snapshot_seconds is 0)")
    if declared is None and found.number("aof_enabled") == 1 and found.number("rdb_last_bgsave_time_sec") < 0:
        raise NotApplicable(
            "no snapshot was taken since its start, and the append-only file keeps everything; declare snapshot_seconds if there should be some"
        )
    changes = found.number("rdb_changes_since_last_save")
    age = max(0.0, found.now - found.number("rdb_last_save_time"))
    late = max(0.0, age - every) if changes else 0.0
    how = f"{changes:.0f} changes since" if changes else "nothing was written since"
    if found.number("rdb_bgsave_in_progress") == 1:
        # One that is being taken is late only by the time that it takes.
        taking = max(0.0, found.number("rdb_current_bgsave_time_sec"))
        late, how = min(late, taking), f"{how}; one has been being taken for {taking:.0f} s"
    yield Finding(observed=round(late), message=f"the last snapshot is {age:.0f} s old, {how}; one is due every {every:.0f} s")


AOF_ENABLED = Check(
    id="redis.aof_enabled",
    question="Is every write appended to a file?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO persistence (aof_enabled)",
    runbook="runbooks/redis.md#aof_enabled",
    grants=grant("info"),
    run=_aof_enabled,
)

AOF_WRITE = _written("aof_last_write_status", "write to the append-only file", "Redis refuses all writes until one succeeds; is the disk full?")

AOF_REWRITE = _written("aof_last_bgrewrite_status", "rewrite of the append-only file", "the file grows without end, and a start takes ever longer")

RDB_SAVE = Check(
    id="redis.rdb_save",
    question="Did the last snapshot go well?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO persistence (rdb_last_bgsave_status)",
    runbook="runbooks/redis.md#rdb_save",
    grants=grant("info"),
    run=_rdb_save,
)

RDB_AGE = Check(
    id="redis.rdb_age",
    question="How late is the next snapshot of data that have changed?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO persistence (rdb_last_save_time, rdb_changes_since_last_save)",
    runbook="runbooks/redis.md#rdb_age",
    threshold=Threshold(
        degraded=600,
        critical=86400,
        unit="s",
        source="Redis takes one within an hour of a change (save 3600 1) unless told otherwise; the guide's backups are daily",
    ),
    grants=grant("info"),
    run=_rdb_age,
)
