# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL would do with a statement: real EXPLAIN, planned once for all values. Nothing of the statement is executed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...common.errors import OpsError
from ...common.lazy import LazyModule
from ...health.systems.postgresql.server import Server

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql
else:
    psycopg = LazyModule("psycopg")
    sql = LazyModule("psycopg.sql")

# As the server knows the statement while it is looked at.
_NAME = b"leanvibe_diagnose"
_CONDITION = re.compile(r'(?<![\w"])\(\(?(?:(?:"[^"]+"|\w+)\.)?(?P<column>"(?:[^"]|"")+"|[A-Za-z_]\w*)\)?(?:::[a-z ]+(?:\(\d+\))?)? (?P<operator>=|<=|>=|<|>) ')
SELECTIVE = 0.05


class NotExplained(OpsError):
    """The server refuses to plan the statement; the message says why."""


@dataclass(frozen=True)
class Scan:
    """A sequential scan of a plan: which table, what is looked for, how many rows it is expected to find, and what it costs (in the planner's units)."""

    schema: str
    table: str
    condition: str
    finds: float
    cost: float


@dataclass(frozen=True)
class Table:
    """A big table: its rows by the planner's statistics, its columns, and the first columns of its indexes that can be used."""

    schema: str
    name: str
    rows: float
    columns: frozenset[str]
    leading: frozenset[str]


def scans(plan: Mapping[str, Any]) -> Iterator[Scan]:
    """All sequential scans with a condition in a plan (a node of EXPLAIN's JSON)."""
    if plan.get("Node Type") == "Seq Scan" and plan.get("Filter"):
        names = str(plan.get("Schema", "")), str(plan["Relation Name"])
        yield Scan(*names, str(plan["Filter"]), float(plan["Plan Rows"]), float(plan["Total Cost"]))
    for part in plan.get("Plans", ()):
        yield from scans(part)


def columns(condition: str, table: Table) -> tuple[str, ...]:
    """The columns of an index that finds what a condition looks for: those compared for equality, then one compared for order.

    Empty if there is none: alternatives (OR), patterns, and expressions are not answered by an index of columns.
    """
    if " OR " in condition:
        return ()
    equal: list[str] = []
    ordered: list[str] = []
    for match in _CONDITION.finditer(condition):
        name = match["column"]
        name = name[1:-1].replace('""', '"') if name.startswith('"') else name
        if name in table.columns:
            (equal if match["operator"] == "=" else ordered).append(name)
    return tuple(dict.fromkeys([*equal, *ordered[:1]]))


def missing(scan: Scan, tables: Mapping[tuple[str, str], Table]) -> tuple[str, ...]:
    """The columns of the index that is missing, if it is: the table is big, few of its rows are wanted, and no index begins with what is looked for."""
    table = tables.get((scan.schema, scan.table))
    if table is None or scan.finds > SELECTIVE * table.rows:
        return ()
    wanted = columns(scan.condition, table)
    return () if not wanted or wanted[0] in table.leading else wanted


def explain(server: Server, query: str, path: str) -> Mapping[str, Any]:
    """The plan of a statement as pg_stat_statements holds it ($1 where values were), with its role's search path. Raises NotExplained.

    The server parses it as one statement and plans it for any value (a generic plan), in a transaction that may only read, with our account's rights.
    """
    from psycopg.pq import ExecStatus

    connection = server.connection
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("SET TRANSACTION READ ONLY")
            for name, value in (("search_path", path), ("plan_cache_mode", "force_generic_plan"), ("max_parallel_workers_per_gather", "0")):
                connection.execute("SELECT set_config(%s, %s, true)", (name, value))
            answer = connection.pgconn.prepare(_NAME, query.encode())
            if answer.status != ExecStatus.COMMAND_OK:
                raise NotExplained(_first(answer.error_message.decode("utf-8", "replace")))
            values = [sql.SQL("NULL")] * connection.pgconn.describe_prepared(_NAME).nparams
            arguments = sql.SQL("({})").format(sql.SQL(", ").join(values)) if values else sql.SQL("")
            row = connection.execute(sql.SQL("EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE {}{}").format(sql.Identifier(_NAME.decode()), arguments)).fetchone()
    except psycopg.Error as error:
        raise NotExplained(_first(str(error))) from error
    finally:
        # Outside of the transaction, for one that has failed takes no command; a statement that was not prepared is none that is there.
        if not connection.closed:
            connection.execute("DEALLOCATE ALL")
    plan: Mapping[str, Any] = row[0][0]["Plan"] if row else {}
    if _closed(plan):
        raise NotExplained("row-level security shows us no row of its tables, so that the plan we get is not the one of its role; EXPLAIN it as that role")
    return plan


def _closed(plan: Mapping[str, Any]) -> bool:
    """Whether part of a plan is never executed, as where no policy lets us see a row."""
    return plan.get("One-Time Filter") == "false" or any(_closed(part) for part in plan.get("Plans", ()))


def _first(text: str) -> str:
    return " ".join((text.strip().splitlines() or ["no reason given"])[0].removeprefix("ERROR:").split())


def hypothetical(server: Server, schema: str, scan: Scan, wanted: Sequence[str], query: str, path: str) -> float | None:
    """The plan's cost with an index that exists for the planner only (hypopg); None if the planner would still read the whole table."""
    made = sql.SQL("CREATE INDEX ON {} ({})").format(sql.Identifier(scan.schema, scan.table), sql.SQL(", ").join(sql.Identifier(one) for one in wanted))
    connection, place = server.connection, sql.Identifier(schema)
    connection.execute(sql.SQL("SELECT {}.hypopg_create_index(%s)").format(place), (made.as_string(connection),))
    try:
        plan = explain(server, query, path)
    finally:
        connection.execute(sql.SQL("SELECT {}.hypopg_reset()").format(place))
    still = any((one.schema, one.table) == (scan.schema, scan.table) for one in scans(plan))
    return None if still else float(plan["Total Cost"])
