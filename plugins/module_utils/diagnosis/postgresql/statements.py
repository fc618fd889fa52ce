# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which statements take the time: by all that they took, and by what they took since the last run. From pg_stat_statements."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from ...common.lazy import LazyModule
from ...health.model import DIAGNOSE, Check, Finding, NoData, Session, Threshold
from ...health.reading import measured, single
from ...health.systems.postgresql.server import MONITOR, Row, Server, hidden, settings, tenants_of
from ...health.systems.ranking import duration, worst
from ..shares import HALF, selected, shares

if TYPE_CHECKING:
    from psycopg import sql
else:
    sql = LazyModule("psycopg.sql")

DOCUMENT = "diagnose.md"
KEPT = 200
# Between two readings that are closer, a statement says nothing about an hour.
MIN_SECONDS = 5.0
NOTICED = 36.0
SHOWN = 10
_WIDTH = 240

_WHERE: LiteralString = "SELECT n.nspname AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = %(name)s"
_STATEMENTS: LiteralString = """
SELECT s.queryid::text AS id, s.userid::text AS userid, s.dbid::text AS dbid, s.toplevel, s.query, coalesce(r.rolname, 'role ' || s.userid) AS role,
       coalesce(d.datname, 'database ' || s.dbid) AS database, d.datname = current_database() AS here, s.calls::float8 AS calls,
       s.total_exec_time / 1000 AS seconds, s.rows::float8 AS rows, sum(s.total_exec_time) OVER () / 1000 AS all_seconds, count(*) OVER () AS all_statements
FROM {}.pg_stat_statements s LEFT JOIN pg_roles r ON r.oid = s.userid LEFT JOIN pg_database d ON d.oid = s.dbid
ORDER BY s.total_exec_time DESC LIMIT 200
"""
_SINCE: LiteralString = """
SELECT extract(epoch FROM clock_timestamp())::float8 AS at, extract(epoch FROM stats_reset)::float8 AS reset, dealloc::float8 AS dealloc
FROM {}.pg_stat_statements_info
"""
# To be read by hand; the extension may live in another schema.
QUERY: LiteralString = (
    "SELECT userid::regrole, calls, total_exec_time / 1000 AS seconds, query FROM public.pg_stat_statements ORDER BY total_exec_time DESC LIMIT 20"
)
_COMMENTS = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
# Also a literal that does not end: what follows is taken for part of it.
_LITERALS = re.compile(r"[eE]'(?:[^'\\]|\\.|'')*(?:'|$)|'(?:[^']|'')*(?:'|$)|\$(?P<tag>[A-Za-z_]*)\$.*?(?:\$(?P=tag)\$|$)", re.DOTALL)
_DATA = ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "COPY")


@dataclass(frozen=True)
class Statement:
    """A statement of one role in one database; ``seconds`` and ``calls`` since the statistics began."""

    key: str
    role: str
    database: str
    here: bool
    query: str
    seconds: float
    calls: float


@dataclass(frozen=True)
class Reading:
    """The statements that took most, at a time (seconds since 1970); ``reset`` is when the statistics began, ``all_seconds`` what all statements took."""

    at: float
    reset: float
    dealloc: float
    all_seconds: float
    complete: bool
    statements: Sequence[Statement]

    def counters(self) -> dict[str, Any]:
        """What the next run needs to know."""
        kept = {one.key: [round(one.seconds, 3), one.calls] for one in self.statements}
        return {"at": self.at, "reset": self.reset, "all_seconds": self.all_seconds, "complete": self.complete, "kept": kept}


@dataclass(frozen=True)
class Spent:
    """What a statement takes: ``per_hour`` (s/h) and ``calls`` over the interval; ``total`` is s/h since the statistics began."""

    statement: Statement
    per_hour: float
    calls: float
    total: float


@dataclass(frozen=True)
class Spending:
    """Of all statements over an interval of ``seconds``, most first. ``since`` says which interval, ``grown`` whether it is since the last run. ``whole`` is
    s/h of all."""

    seconds: float
    since: str
    grown: bool
    whole: float
    spent: Sequence[Spent]


def shown(query: str) -> str:
    """A statement as it may be shown: in one line, without comments and without values that the server left in it.

    Statements other than queries (ALTER ROLE … PASSWORD) are stored as they were typed: of these only the first two words are shown.
    """
    line = " ".join(_COMMENTS.sub(" ", query).split())
    if not line.upper().startswith(_DATA):
        return " ".join(line.split()[:2]) + " …"
    line = _LITERALS.sub("'…'", line)
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def schema_of(session: Session[Server], extension: str) -> str | None:
    """Where an extension of this database lives; None if it is not there."""
    found = session.once(f"extension {extension}", lambda server: server.rows(_WHERE, {"name": extension}))
    return str(found[0]["schema"]) if found else None


def _rows(server: Server, query: LiteralString, schema: str) -> list[Row]:
    from psycopg.rows import dict_row

    return list(server.connection.cursor(row_factory=dict_row).execute(sql.SQL(query).format(sql.Identifier(schema))).fetchall())


def understood(since: Row, rows: Sequence[Row]) -> Reading:
    """Make sense of the answers. Raises AccessDenied if others' statements are hidden, NoData if there are none."""
    if any(row["id"] is None for row in rows):
        raise hidden("pg_stat_statements")
    if not rows:
        raise NoData("pg_stat_statements holds no statement at all, not even ours: is pg_stat_statements.track none?")
    statements = [
        Statement(
            key="/".join((str(row["id"]), str(row["userid"]), str(row["dbid"]), "t" if row["toplevel"] else "f")),
            role=str(row["role"]),
            database=str(row["database"]),
            here=bool(row["here"]),
            query=str(row["query"] or ""),
            seconds=float(row["seconds"]),
            calls=float(row["calls"]),
        )
        for row in rows
    ]
    reset = measured(since["reset"], "the time at which pg_stat_statements began")
    whole, complete = float(rows[0]["all_seconds"]), int(rows[0]["all_statements"]) <= len(rows)
    return Reading(float(since["at"]), reset, float(since["dealloc"]), whole, complete, statements)


def reading(session: Session[Server]) -> Reading:
    """The statements, asked for once in a run; leaves what the next run needs. Raises NoData naming the way out if the extension is not there."""

    def read(server: Server) -> Reading:
        schema = schema_of(session, "pg_stat_statements")
        loaded = settings(session).get("shared_preload_libraries")
        if schema is None or (loaded is not None and "pg_stat_statements" not in str(loaded["setting"])):
            what = f"the extension pg_stat_statements is not in database {server.params['database']}" if schema is None else "pg_stat_statements is not loaded"
            raise NoData(
                f"{what}, so nobody knows which statements take the time. Add it to shared_preload_libraries, restart the server, and run "
                "CREATE EXTENSION pg_stat_statements in that database"
            )
        return understood(single(_rows(server, _SINCE, schema), "pg_stat_statements_info"), _rows(server, _STATEMENTS, schema))

    found = session.once("statements", read)
    session.facts["counters"] = {**session.facts.get("counters", {}), "statements": found.counters()}
    return found


def _usable(now: Reading, before: Any) -> bool:
    return (
        isinstance(before, Mapping)
        and isinstance(before.get("kept"), Mapping)
        and before.get("reset") == now.reset
        and isinstance(before.get("at"), (int, float))
        and now.at - float(before["at"]) >= MIN_SECONDS
        and float(before.get("all_seconds") or 0.0) <= now.all_seconds
    )


def spending(now: Reading, before: Any) -> Spending:
    """What each statement takes in an hour: since the earlier reading if it can be used, else since the statistics began.

    A statement that was not among those kept had taken no more than the least of them: at least the rest is new.
    """
    whole_hours = max(now.at - now.reset, MIN_SECONDS) / 3600
    if not _usable(now, before):
        since = f"since the statistics began {duration(now.at - now.reset)} ago"
        spent = [Spent(one, one.seconds / whole_hours, one.calls, one.seconds / whole_hours) for one in now.statements]
        return Spending(now.at - now.reset, since, False, now.all_seconds / whole_hours, spent)
    seconds = now.at - float(before["at"])
    hours = seconds / 3600
    kept: Mapping[str, Sequence[float]] = before["kept"]
    floor = 0.0 if before.get("complete") else min((float(value[0]) for value in kept.values()), default=0.0)
    spent = []
    for one in now.statements:
        took, calls = (float(value) for value in kept.get(one.key, (floor, 0.0)))
        # Forgotten and begun anew in between (deallocated): all that it has is of this interval.
        took, calls = (took, calls) if took <= one.seconds + 0.001 else (0.0, 0.0)
        spent.append(Spent(one, max(0.0, one.seconds - took) / hours, max(0.0, one.calls - calls), one.seconds / whole_hours))
    whole = max((now.all_seconds - float(before["all_seconds"])) / hours, sum(one.per_hour for one in spent))
    return Spending(seconds, f"since the last run {duration(seconds)} ago", True, whole, sorted(spent, key=lambda one: -one.per_hour))


def spending_of(session: Session[Server]) -> Spending:
    """As ``spending``, with what the last run left."""
    earlier = session.options.get("counters_before")
    return spending(reading(session), earlier.get("statements") if isinstance(earlier, Mapping) else None)


def of_statement(one: Spent, told: Spending) -> Finding:
    """The finding on one statement."""
    each = f"{one.calls:.0f} calls, {one.per_hour * told.seconds / 3.6 / one.calls:.3g} ms each" if one.calls else "no call has ended"
    total = f"; {one.total:.3g} s an hour since the statistics began" if told.grown else ""
    place = f"{one.statement.role} in {one.statement.database}"
    return Finding(
        observed=round(one.per_hour, 2),
        name=f"{one.statement.role}/{one.statement.key.split('/', 1)[0]}",
        tenants=tenants_of(one.statement.role),
        message=f"{place}: {one.per_hour:.3g} s an hour {told.since} ({each}){total}: {shown(one.statement.query)}",
    )


def _statements(session: Session[Server]) -> Iterator[Finding]:
    told = spending_of(session)
    first = {one.statement.key: one for one in (*told.spent[:SHOWN], *sorted(told.spent, key=lambda one: -one.total)[:SHOWN])}
    yield from worst([of_statement(one, told) for one in first.values()], NOTICED, "statements", SHOWN)


def _tenants(session: Session[Server]) -> Iterator[Finding]:
    told = spending_of(session)
    taken: dict[str, float] = {}
    for one in told.spent:
        for tenant in tenants_of(one.statement.role):
            taken[tenant] = taken.get(tenant, 0.0) + one.per_hour
    evidence = "by the tenants' own roles; what the application does for a tenant is not told apart by pg_stat_statements, and is in the whole"
    yield from shares(
        taken,
        told.whole,
        tenant=selected(session),
        judged_from=SLOW.degraded or 0.0,
        words=lambda value: f"{value:.3g} s an hour",
        what=f"of all statements {told.since}",
        evidence=lambda _tenant: evidence,
    )


SLOW = Threshold(degraded=360, unit="s/h", source="ours: a tenth of an hour of one session, every hour")
STATEMENTS: Check[Server] = Check(
    id="postgresql.statements",
    question="Which statements take the time?",
    system="postgresql",
    query=QUERY,
    runbook=f"{DOCUMENT}#statements",
    threshold=SLOW,
    profiles=(DIAGNOSE,),
    grants=MONITOR,
    run=_statements,
)
TENANTS: Check[Server] = Check(
    id="postgresql.tenant_statements",
    question="Which share of the statements' time do tenants take?",
    system="postgresql",
    query=QUERY,
    runbook=f"{DOCUMENT}#tenant_statements",
    threshold=HALF,
    profiles=(DIAGNOSE,),
    grants=MONITOR,
    run=_tenants,
)
