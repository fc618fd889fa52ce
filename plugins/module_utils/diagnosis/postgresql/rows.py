# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which share of the rows of the tables that all tenants share is whose.

The rows are closed to our account. ``leanvibe_private.tenant_rows`` counts them for it and tells nothing else (docs/isolation-postgresql.md, "Counting").
What is read is bounded for the whole database: small tables are counted, of big ones so many pages that all together stay within BUDGET.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import LiteralString

from ...health.model import DIAGNOSE, Check, Finding, NoData, NotApplicable, Session
from ...health.systems.postgresql.server import Row, Server, only_primary
from ...health.systems.ranking import amount
from ...platform_database.names import CENSUS, CENSUS_FUNCTION, HEALTH
from ...reports.model import UNKNOWN
from ..shares import HALF, selected, shares
from .statements import DOCUMENT

# Pages of 8 KiB: 256 MiB, which any server reads within the check's time.
BUDGET = 32_768
# Whose half is less than this does not matter to anybody.
JUDGED_ROWS = 1_000_000.0
SHOWN = 5

# Every table with row-level security and a tenant, but for those in tenants' own schemas, which nobody shares.
_TABLES: LiteralString = """
SELECT n.nspname AS schema, c.relname AS name,
       (sum(pg_relation_size(part.oid)) / current_setting('block_size')::int)::bigint AS pages, sum(pg_total_relation_size(part.oid))::float8 AS bytes,
       n.nspname = 'leanvibe' AND EXISTS (SELECT FROM pg_policy p JOIN pg_roles r ON r.oid = ANY(p.polroles)
                                          WHERE p.polrelid = c.oid AND r.rolname = %(census)s) AS counted
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT c.oid UNION SELECT relid FROM pg_partition_tree(c.oid)) AS part
WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND NOT c.relispartition AND n.nspname !~ '^(pg_|information_schema$|tenant_)'
  AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
GROUP BY n.nspname, c.oid, c.relname ORDER BY 1, 2
"""
_MADE: LiteralString = """
SELECT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'leanvibe_private' AND p.proname = 'tenant_rows') AS made
"""
_COUNT: LiteralString = """
SELECT s.name, r.tenant, r.counted::float8 AS counted FROM unnest(%(names)s::text[], %(percents)s::float4[]) AS s(name, percent)
CROSS JOIN LATERAL leanvibe_private.tenant_rows(s.name::name, s.percent) AS r
"""


@dataclass
class Taken:
    """What one tenant has: rows by table, and about how many bytes."""

    rows: dict[str, float] = field(default_factory=dict)
    bytes: float = 0.0


def percents(pages: Mapping[str, int], budget: int) -> dict[str, float]:
    """Which share of its pages is read of each table (100: all), so that all together are not more than ``budget``. Pure.

    What is left is divided evenly among the tables that are bigger than that: a big table does not take the accuracy from a small one.
    """
    left, found = float(budget), {}
    ordered = sorted(pages, key=lambda name: (pages[name], name))
    for number, name in enumerate(ordered):
        fair = left / (len(ordered) - number)
        found[name] = 100.0 if pages[name] <= fair else 100.0 * fair / pages[name]
        left -= min(float(pages[name]), fair)
    return found


def added_up(counted: Sequence[Row], tables: Mapping[str, Row], read: Mapping[str, float]) -> dict[str, Taken]:
    """By tenant; of a sample, what the whole is expected to be. A table's bytes are divided by rows. Pure."""
    seen: dict[str, float] = {}
    for row in counted:
        seen[str(row["name"])] = seen.get(str(row["name"]), 0.0) + float(row["counted"])
    found: dict[str, Taken] = {}
    for row in counted:
        name, rows = str(row["name"]), float(row["counted"])
        taken = found.setdefault(str(row["tenant"]), Taken())
        taken.rows[name] = rows * 100.0 / read[name]
        taken.bytes += float(tables[name]["bytes"]) * rows / seen[name]
    return found


def _closed(tables: Sequence[Row], counted: Sequence[Row]) -> Iterator[Finding]:
    """What could not be counted is said: it is not nothing."""
    closed = [f"{row['schema']}.{row['name']}" for row in tables if row not in counted]
    if closed:
        message = (
            f"not counted: {', '.join(closed[:SHOWN])}{' …' if len(closed) > SHOWN else ''} ({len(closed)} of {len(tables)} shared tables), "
            f"for {CENSUS} may not. In a migration, call tenant_table for it (docs/isolation-postgresql.md)"
        )
        yield Finding(verdict=UNKNOWN, name="not counted", message=message)


def _rows(session: Session[Server]) -> Iterator[Finding]:
    """Three statements, whatever the number of tables and tenants."""
    only_primary(session)
    every = session.client.rows(_TABLES, {"census": CENSUS})
    if not every:
        raise NotApplicable("this database has no tables that tenants share")
    if not session.client.rows(_MADE)[0]["made"]:
        raise NoData(f"{CENSUS_FUNCTION} is not in this database, and nobody else may count the rows of others: run the role leanvibe.ops.platform_database")
    open_ones = [row for row in every if row["counted"]]
    yield from _closed(every, open_ones)
    if not open_ones:
        return
    tables = {str(row["name"]): row for row in open_ones}
    read = percents({name: int(row["pages"]) for name, row in tables.items()}, BUDGET)
    counted = session.client.rows(_COUNT, {"names": list(read), "percents": list(read.values())})
    taken = added_up(counted, tables, read)
    sampled = sorted(name for name, share in read.items() if share < 100)

    def more(tenant: str) -> str:
        mine = taken.get(tenant, Taken())
        most = sorted(mine.rows.items(), key=lambda pair: (-pair[1], pair[0]))[:SHOWN]
        lines = [f"{name}: {rows:.0f} rows{f' (estimated from {read[name]:.2g} % of its pages)' if name in sampled else ''}" for name, rows in most]
        return "\n".join([f"about {amount(mine.bytes)}, if rows are of one size", *lines]) if lines else ""

    about = f" ({len(sampled)} of them estimated: {', '.join(sampled[:SHOWN])})" if sampled else ""
    yield from shares(
        {tenant: sum(mine.rows.values()) for tenant, mine in taken.items()},
        sum(sum(mine.rows.values()) for mine in taken.values()),
        tenant=selected(session),
        judged_from=JUDGED_ROWS,
        words=lambda value: f"{value:.0f} rows",
        what=f"in {len(tables)} shared tables{about}",
        evidence=more,
    )


ROWS: Check[Server] = Check(
    id="postgresql.tenant_rows",
    question="Which share of the shared tables' rows is whose?",
    system="postgresql",
    query="SELECT * FROM leanvibe_private.tenant_rows('<table>', 100)",
    runbook=f"{DOCUMENT}#tenant_rows",
    threshold=HALF,
    profiles=(DIAGNOSE,),
    cost="high",
    timeout=15.0,
    grants=(f"GRANT {HEALTH} TO <role>",),
    run=_rows,
)
