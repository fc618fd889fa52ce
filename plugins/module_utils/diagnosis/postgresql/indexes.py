# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Indexes that are missing, proven by EXPLAIN: statements that take time and read whole big tables to find a few rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import LiteralString

from ...health.model import DIAGNOSE, Check, Finding, NoData, Session, Threshold
from ...health.reading import reviewed
from ...health.systems.postgresql.server import MONITOR, Row, Server, tenants_of
from ...reports.model import UNKNOWN
from .plans import NotExplained, Scan, Table, explain, hypothetical, missing, scans
from .statements import DOCUMENT, NOTICED, Spending, Spent, schema_of, shown, spending_of

EXPLAINED = 20
# What takes less is not worth a plan.
FROM = 1.0
_PLANNED = ("SELECT", "WITH", "UPDATE", "DELETE", "MERGE")
_GRANTS = (*MONITOR, "GRANT SELECT ON the statement's tables TO <role> (tables with row-level security show it no row; EXPLAIN needs none)")

_TABLES: LiteralString = """
SELECT n.nspname AS schema, c.relname AS name, c.reltuples::float8 AS rows,
       (SELECT array_agg(a.attname::text) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       ARRAY(SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
             WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL) AS leading
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.reltuples >= 10000 AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
"""
# What a role finds without naming a schema: its own setting for this database, else for all of them.
_PATHS: LiteralString = """
SELECT DISTINCT ON (r.rolname) r.rolname AS role, split_part(setting, '=', 2) AS path
FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole CROSS JOIN unnest(s.setconfig) setting
WHERE setting LIKE 'search_path=%' AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
ORDER BY r.rolname, s.setdatabase DESC
"""


@dataclass
class Missing:
    """An index that is missing, and the statements that need it; ``gain`` is the cost without and with it, if that could be asked."""

    scan: Scan
    rows: float
    columns: Sequence[str]
    spent: list[Spent] = field(default_factory=list)
    gain: tuple[float, float] | None = None

    @property
    def per_hour(self) -> float:
        """What the statements that need it take, s/h."""
        return sum(one.per_hour for one in self.spent)


def read_tables(rows: Sequence[Row]) -> dict[tuple[str, str], Table]:
    """Big tables by schema and name."""
    made = (Table(str(row["schema"]), str(row["name"]), float(row["rows"]), frozenset(row["columns"] or ()), frozenset(row["leading"])) for row in rows)
    return {(one.schema, one.name): one for one in made}


def folded(found: Sequence[Missing]) -> list[Missing]:
    """One index where a longer one begins with the same columns: it serves the statements of both."""
    kept: list[Missing] = []
    for one in sorted(found, key=lambda missing: -len(missing.columns)):
        place = (one.scan.schema, one.scan.table)
        longer = next((m for m in kept if (m.scan.schema, m.scan.table) == place and tuple(m.columns[: len(one.columns)]) == tuple(one.columns)), None)
        if longer is None:
            kept.append(one)
        else:
            longer.spent += [spent for spent in one.spent if spent not in longer.spent]
    return kept


def of_missing(one: Missing, since: str, hypopg: bool) -> Finding:
    """The finding on one index: what is proven, and the statement that makes it."""
    names = ", ".join(one.columns)
    table = f"{one.scan.schema}.{one.scan.table}"
    proof = f"EXPLAIN reads all {one.rows:.0f} rows to find {one.scan.finds:.0f} {one.scan.condition}, and no index begins with {one.columns[0]}"
    if one.gain is not None:
        proof += f"; with it the planner's cost falls from {one.gain[0]:.0f} to {one.gain[1]:.0f} (hypopg)"
    elif not hypopg:
        proof += "; hypopg is not in this database, so that the cost with the index was not asked for"
    made = f"CREATE INDEX CONCURRENTLY ON {table} ({names})"  # shown to people, never executed
    return Finding(
        observed=round(one.per_hour, 2),
        name=f"{table}({names})",
        tenants=tenants_of(one.scan.schema, *(spent.statement.role for spent in one.spent)),
        message=f"{table} has no index on ({names}): {len(one.spent)} statement(s) that need it take {one.per_hour:.3g} s an hour {since}. {made}",
        evidence=f"{proof}. {shown(one.spent[0].statement.query)}",
    )


def _path(role: str, paths: Mapping[str, str]) -> str:
    """A search path as set_config takes it; ``$user`` is the role itself, and not us."""
    own = '"' + role.replace('"', '""') + '"'
    return paths.get(role, f"{own}, public").replace('"$user"', own)


def _candidates(told: Spending) -> list[Spent]:
    wanted = [one for one in told.spent if one.statement.here and one.per_hour >= FROM and one.statement.query.lstrip(" (\n").upper().startswith(_PLANNED)]
    return wanted[:EXPLAINED]


def _look(session: Session[Server], told: Spending, refused: list[tuple[Spent, str]]) -> Iterator[Missing]:
    """What is missing, each index once; statements that cannot be planned go to ``refused``."""
    candidates = _candidates(told)
    if not candidates:
        return
    server = session.client
    tables = read_tables(server.rows(_TABLES))
    paths = {str(row["role"]): str(row["path"]) for row in server.rows(_PATHS)}
    hypopg = schema_of(session, "hypopg")
    found: dict[tuple[str, str, tuple[str, ...]], Missing] = {}
    for one in candidates:
        path = _path(one.statement.role, paths)
        try:
            plan = explain(server, one.statement.query, path)
            for scan in scans(plan):
                wanted = missing(scan, tables)
                key = (scan.schema, scan.table, wanted)
                if not wanted:
                    continue
                if key not in found:
                    better = hypothetical(server, hypopg, scan, wanted, one.statement.query, path) if hypopg else None
                    if hypopg and better is None:
                        continue
                    gain = (float(plan["Total Cost"]), better) if better is not None else None
                    found[key] = Missing(scan, tables[scan.schema, scan.table].rows, wanted, gain=gain)
                found[key].spent.append(one)
        except NotExplained as error:
            refused.append((one, error.message))
    yield from folded(list(found.values()))


def _indexes(session: Session[Server]) -> list[Finding]:
    if session.client.connection.info.parameter_status("is_superuser") == "on":
        # The planner runs functions that are declared immutable, tenants' own among them, with the rights of who asks.
        raise NoData("statements are not explained with a superuser's rights; give an account that may only look (leanvibe_ops_diagnose_postgresql)")
    told = spending_of(session)
    refused: list[tuple[Spent, str]] = []
    hypopg = schema_of(session, "hypopg") is not None
    found = [of_missing(one, told.since, hypopg) for one in _look(session, told, refused)]
    dear = [(one, why) for one, why in refused if one.per_hour >= NOTICED]
    if dear:
        reasons = "; ".join(f"{one.statement.role}, {one.per_hour:.3g} s an hour: {why}: {shown(one.statement.query)}" for one, why in dear[:5])
        message = f"{len(dear)} statement(s) that take time could not be explained. This check needs: {'; '.join(_GRANTS)}"
        found.append(
            Finding(verdict=UNKNOWN, name="not explained", tenants=tenants_of(*(one.statement.role for one, _why in dear)), message=message, evidence=reasons)
        )
    count = len(_candidates(told)) - len(refused)
    cheap = f" ({len(refused)} more could not be explained and take less than {NOTICED:g} s an hour each)" if refused else ""
    none = f"no statement of this database takes {FROM:g} s an hour {told.since}{cheap}"
    return reviewed(found, count, f"statements explained{cheap}", none_is_fine=none)


MISSING: Check[Server] = Check(
    id="postgresql.missing_indexes",
    question="Do statements read whole tables because an index is missing?",
    system="postgresql",
    query="SET plan_cache_mode = force_generic_plan; PREPARE q AS <statement>; EXPLAIN (VERBOSE) EXECUTE q(NULL)",
    runbook=f"{DOCUMENT}#missing_indexes",
    threshold=Threshold(degraded=NOTICED, unit="s/h", source="ours: a hundredth of an hour of one session, every hour"),
    profiles=(DIAGNOSE,),
    cost="medium",
    timeout=15.0,
    grants=_GRANTS,
    run=_indexes,
)
