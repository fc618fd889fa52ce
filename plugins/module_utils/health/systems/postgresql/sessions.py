# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is connected, who waits for whom, and who keeps a transaction open. All of it from one look at pg_stat_activity."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import LiteralString

from ...model import Check, Finding, Session, Threshold
from ...reading import reviewed
from ..ranking import duration, worst
from .server import MONITOR, RUNBOOK, Row, Server, hidden, number, only_primary, tenants_of

_ACTIVITY: LiteralString = """
SELECT a.pid, a.usename AS role, a.datname AS database, a.application_name AS application, a.backend_type AS kind, a.state,
       coalesce(extract(epoch FROM clock_timestamp() - a.state_change), 0)::float8 AS in_state,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS in_transaction,
       CASE WHEN a.wait_event_type = 'Lock' THEN pg_blocking_pids(a.pid) ELSE '{}' END AS blockers,
       CASE WHEN a.wait_event_type = 'Lock' THEN
           extract(epoch FROM clock_timestamp()
                   - coalesce((SELECT min(l.waitstart) FROM pg_locks l WHERE l.pid = a.pid AND NOT l.granted), a.query_start))::float8
       END AS waiting
FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid()
"""
_LIMITS: LiteralString = "SELECT rolname AS role, rolconnlimit AS limit FROM pg_roles WHERE rolconnlimit > 0 AND rolcanlogin"
_PREPARED: LiteralString = "SELECT gid, owner AS role, database, extract(epoch FROM clock_timestamp() - prepared)::float8 AS seconds FROM pg_prepared_xacts"


def activity(session: Session[Server]) -> Sequence[Row]:
    """All sessions but ours. Raises AccessDenied if others' are shown without their contents."""
    rows = session.once("activity", lambda server: server.rows(_ACTIVITY))
    if any(row["kind"] is None for row in rows):
        raise hidden("pg_stat_activity")
    return rows


def _who(row: Row) -> str:
    """A name that stays the same from run to run: no process number."""
    role = row["role"] or row["kind"]
    return f"{role}/{row['application']}" if row["application"] else str(role)


def _connections(session: Session[Server]) -> Iterator[Finding]:
    # Ours is one of them.
    used = 1 + sum(row["kind"] == "client backend" for row in activity(session))
    kept = number(session, "superuser_reserved_connections") + number(session, "reserved_connections")
    free_to_all = number(session, "max_connections") - kept
    message = f"{used} of {free_to_all} connections ({kept} more are reserved)"
    yield Finding(observed=round(100 * used / free_to_all, 1), capacity=100, message=message)


def _limits(session: Session[Server]) -> list[Finding]:
    used: dict[str, int] = defaultdict(int)
    for row in activity(session):
        if row["kind"] == "client backend":
            used[str(row["role"])] += 1
    limits = session.client.rows(_LIMITS)
    found = []
    for row in limits:
        role, limit = str(row["role"]), int(row["limit"])
        if used[role] >= limit:
            message = f"{used[role]} of its {limit} connections: the next is refused"
            found.append(Finding(observed=round(100 * used[role] / limit, 1), name=role, tenants=tenants_of(role), message=message))
    if found:
        return list(worst(found, 0.0, "roles"))
    return reviewed((), len(limits), "roles with a limit", none_is_fine="no role has a limit of its own")


def _roots(waiting: Mapping[int, Row]) -> dict[int, list[int]]:
    """Those who block without waiting themselves -> all who wait for them, directly or behind others."""
    found: dict[int, list[int]] = defaultdict(list)
    for pid in waiting:
        seen, todo = {pid}, list(waiting[pid]["blockers"])
        while todo:
            blocker = todo.pop()
            if blocker in seen:
                continue
            seen.add(blocker)
            if blocker in waiting:
                todo += waiting[blocker]["blockers"]
            else:
                found[blocker].append(pid)
    return found


def _blocked(session: Session[Server]) -> list[Finding]:
    rows = {int(row["pid"]): row for row in activity(session)}
    waiting = {pid: row for pid, row in rows.items() if row["blockers"]}
    found: dict[str, Finding] = {}
    for root, pids in _roots(waiting).items():
        blocker = rows.get(root)
        name = _who(blocker) if blocker else "prepared transaction" if root == 0 else "session that has ended since"
        seconds = max(float(waiting[pid]["waiting"] or 0.0) for pid in pids)
        how = f"{blocker['state'] or blocker['kind']}, {duration(float(blocker['in_transaction'] or 0))} in its transaction" if blocker else "no session"
        others = sorted({_who(waiting[pid]) for pid in pids})
        made = Finding(
            observed=round(seconds, 1),
            name=name,
            tenants=tenants_of(*(waiting[pid]["role"] for pid in pids)),
            message=f"blocks {len(pids)} session(s), the longest for {duration(seconds)}; process {root} ({how})",
            evidence=f"waiting: {', '.join(others[:10])}",
        )
        if name not in found or found[name].observed < made.observed:
            found[name] = made
    if found:
        return list(worst(list(found.values()), 1.0, "sessions that block others"))
    return reviewed((), 1 + len(rows), "sessions")


def _oldest(rows: Sequence[Row], column: str, what: str) -> list[Finding]:
    """One finding per role and application: the oldest of its transactions."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[_who(row)].append(row)
    found = []
    for name, members in groups.items():
        oldest = max(members, key=lambda row: float(row[column]))
        seconds = float(oldest[column])
        message = f"{len(members)} transaction(s) {what}, the oldest for {duration(seconds)} (process {oldest['pid']}, database {oldest['database']})"
        found.append(Finding(observed=round(seconds, 1), name=name, tenants=tenants_of(oldest["role"]), message=message))
    return found


def _idle(session: Session[Server]) -> list[Finding]:
    rows = [row for row in activity(session) if str(row["state"] or "").startswith("idle in transaction")]
    if rows:
        return list(worst(_oldest(rows, "in_state", "idle"), 30.0, "groups of sessions are idle in a transaction"))
    return reviewed((), 1 + len(activity(session)), "sessions")


def _long(session: Session[Server]) -> Iterator[Finding]:
    rows = [row for row in activity(session) if row["kind"] == "client backend" and row["state"] == "active" and row["in_transaction"] is not None]
    if rows:
        yield from worst(_oldest(rows, "in_transaction", "at work"), 300.0, "groups of sessions are at work")
    else:
        yield from reviewed((), 1 + len(activity(session)), "sessions")


def _prepared(session: Session[Server]) -> list[Finding]:
    only_primary(session)
    rows = session.client.rows(_PREPARED)
    found = [
        Finding(
            observed=round(float(row["seconds"]), 1),
            name=str(row["gid"]),
            message=f"prepared {duration(row['seconds'])} ago by {row['role']} in {row['database']}",
        )
        for row in rows
    ]
    found = [replace(finding, tenants=tenants_of(str(row["role"]))) for finding, row in zip(found, rows, strict=True)]
    return list(worst(found, 60.0, "prepared transactions")) if found else reviewed((), 0, "prepared transactions", none_is_fine="no prepared transactions")


CONNECTIONS: Check[Server] = Check(
    id="postgresql.connections",
    question="How much of max_connections is in use, without what is reserved?",
    system="postgresql",
    query="SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'",
    runbook=f"{RUNBOOK}#connections",
    threshold=Threshold(degraded=80, critical=90, unit="%", source="Production Deployment Guide, key metrics: database connections"),
    grants=MONITOR,
    run=_connections,
)
LIMITS: Check[Server] = Check(
    id="postgresql.connection_limits",
    question="Is a role at its own limit of connections?",
    system="postgresql",
    query=_LIMITS,
    runbook=f"{RUNBOOK}#connection_limits",
    threshold=Threshold(degraded=100, unit="%", source="PostgreSQL: beyond CONNECTION LIMIT, connections are refused"),
    grants=MONITOR,
    run=_limits,
)
BLOCKED: Check[Server] = Check(
    id="postgresql.blocked",
    question="Do sessions wait for locks of others?",
    system="postgresql",
    query=_ACTIVITY,
    runbook=f"{RUNBOOK}#blocked",
    threshold=Threshold(degraded=30, critical=300, unit="s", source="usual practice: waits of a second are daily life, of half a minute somebody notices"),
    grants=MONITOR,
    run=_blocked,
)
IDLE: Check[Server] = Check(
    id="postgresql.idle_in_transaction",
    question="Does a session keep a transaction open and do nothing?",
    system="postgresql",
    query=_ACTIVITY,
    runbook=f"{RUNBOOK}#idle_in_transaction",
    threshold=Threshold(
        degraded=120, critical=1800, unit="s", source="usual practice: applications commit within seconds; its locks and old rows stay until it ends"
    ),
    grants=MONITOR,
    run=_idle,
)
LONG: Check[Server] = Check(
    id="postgresql.long_transactions",
    question="Does a transaction run for very long?",
    system="postgresql",
    query=_ACTIVITY,
    runbook=f"{RUNBOOK}#long_transactions",
    threshold=Threshold(degraded=3600, critical=6 * 3600, unit="s", source="usual practice: dumps may take an hour; vacuum removes nothing that is newer"),
    grants=MONITOR,
    run=_long,
)
PREPARED: Check[Server] = Check(
    id="postgresql.prepared_transactions",
    question="Has somebody forgotten a prepared transaction?",
    system="postgresql",
    query=_PREPARED,
    runbook=f"{RUNBOOK}#prepared_transactions",
    threshold=Threshold(degraded=300, critical=3600, unit="s", source="usual practice: a transaction manager ends them within seconds"),
    grants=MONITOR,
    run=_prepared,
)
