# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which share of the database tenants take: their own schemas, and their rows in the tables that all share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, LiteralString

from ...common.lazy import LazyModule
from ...health.model import DIAGNOSE, Check, Finding, NotApplicable, Session, Threshold
from ...health.reading import measured, single
from ...health.systems.postgresql.server import MONITOR, Server, only_primary, tenants_of
from ...health.systems.ranking import amount
from ...reports.model import OK
from ..shares import HALF, selected, shares
from .statements import DOCUMENT

if TYPE_CHECKING:
    from psycopg import sql
else:
    sql = LazyModule("psycopg.sql")

# Whose half is less than this does not matter to anybody.
JUDGED_BYTES = 2**30

_SCHEMAS: LiteralString = """
SELECT n.nspname AS schema, sum(pg_total_relation_size(c.oid))::float8 AS bytes
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname LIKE 'tenant\\_%' GROUP BY n.nspname
"""
_WHOLE: LiteralString = "SELECT pg_database_size(current_database())::float8 AS bytes"
# Tables that all tenants share: their rows have a tenant, and row-level security tells them apart. What we may see of them is asked first, for a
# policy that lets no row through answers 0 to whoever counts.
_SHARED: LiteralString = """
SELECT n.nspname AS schema, c.relname AS name, c.reltuples::float8 AS rows, has_table_privilege(c.oid, 'SELECT') AS readable,
       NOT row_security_active(c.oid) OR EXISTS (
           SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd IN ('*', 'r') AND pg_get_expr(p.polqual, p.polrelid) = 'true'
             AND EXISTS (SELECT FROM unnest(p.polroles) AS r(oid) WHERE CASE WHEN r.oid = 0 THEN true ELSE pg_has_role(current_user, r.oid, 'USAGE') END)
       ) AS whole
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND NOT c.relispartition
  AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
ORDER BY 1, 2
"""


def _schemas(session: Session[Server]) -> Iterator[Finding]:
    only_primary(session)
    rows = session.client.rows(_SCHEMAS)
    whole = measured(single(session.client.rows(_WHOLE), "pg_database_size")["bytes"], "the size of the database")
    taken = {tenants_of(str(row["schema"]))[0]: float(row["bytes"]) for row in rows}
    yield from shares(taken, whole, tenant=selected(session), judged_from=JUDGED_BYTES, words=amount, what="of the database, in schemas of their own")


def _rows(session: Session[Server]) -> Iterator[Finding]:
    """One statement, whatever the number of tables."""
    only_primary(session)
    tenant = selected(session)
    if not tenant:
        raise NotApplicable("for one tenant only (tenant_selection): for all of them every row of every shared table would be read")
    tables = session.client.rows(_SHARED)
    if not tables:
        raise NotApplicable("this database has no tables that tenants share")
    closed = [f"{row['schema']}.{row['name']}" for row in tables if not (row["readable"] and row["whole"])]
    if closed:
        raise NotApplicable(
            f"the rows of {len(closed)} of {len(tables)} shared tables ({', '.join(closed[:3])} …) are closed to {session.client.params['username']}, "
            "as they should be to operators; the tenant's own role can count them"
        )
    one = sql.SQL("SELECT {table}, count(*)::float8 FROM {place} WHERE tenant_id::text = %(tenant)s")
    parts = [one.format(table=sql.Literal(f"{row['schema']}.{row['name']}"), place=sql.Identifier(str(row["schema"]), str(row["name"]))) for row in tables]
    counted = dict(session.client.connection.execute(sql.SQL(" UNION ALL ").join(parts), {"tenant": tenant}).fetchall())
    known = {f"{row['schema']}.{row['name']}": max(float(row["rows"]), 0.0) for row in tables}
    mine = sum(counted.values())
    # Statistics are behind what was counted where a table is new.
    whole = sum(max(rows, counted.get(name, 0.0)) for name, rows in known.items())
    most = ", ".join(f"{name} {rows:.0f}" for name, rows in sorted(counted.items(), key=lambda pair: -pair[1])[:5] if rows)
    share = round(100 * mine / whole, 2) if whole else 0.0
    message = f"{tenant}: {mine:.0f} of about {whole:.0f} rows in {len(tables)} shared tables{': ' + most if most else ''}"
    yield Finding(observed=share, verdict=None if mine >= _MANY else OK, name=f"tenant/{tenant}", tenants=(tenant,), message=message)


_MANY = 1_000_000
SCHEMAS: Check[Server] = Check(
    id="postgresql.tenant_size",
    question="Which share of the database do tenants' own schemas take?",
    system="postgresql",
    query=_SCHEMAS,
    runbook=f"{DOCUMENT}#tenant_size",
    threshold=HALF,
    profiles=(DIAGNOSE,),
    cost="medium",
    timeout=15.0,
    grants=MONITOR,
    run=_schemas,
)
ROWS: Check[Server] = Check(
    id="postgresql.tenant_rows",
    question="Which share of the shared tables' rows is the tenant's?",
    system="postgresql",
    query="SELECT count(*) FROM <shared table> WHERE tenant_id = '<tenant>'",
    runbook=f"{DOCUMENT}#tenant_rows",
    threshold=Threshold(degraded=50, unit="%", source=HALF.source),
    profiles=(DIAGNOSE,),
    cost="high",
    timeout=15.0,
    run=_rows,
)
