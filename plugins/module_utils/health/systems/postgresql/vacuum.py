# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether autovacuum keeps up, and an estimate of the space in tables that holds nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import LiteralString

from ....common.lazy import LazyModule
from ....reports.model import CRITICAL, DEGRADED, OK
from ...model import Check, Finding, NotApplicable, Session, Threshold
from ..ranking import amount, duration, worst
from .server import MONITOR, RUNBOOK, Server, only_primary, settings, tenants_of

psycopg = LazyModule("psycopg")

# Smaller ones are not worth a morning.
MIN_DEAD_ROWS = 10_000
# From here on they cost more than some space.
MANY_DEAD_ROWS = 1_000_000
MIN_BLOAT_BYTES = 64 * 2**20

_DEAD: LiteralString = """
SELECT s.schemaname AS schema, s.schemaname || '.' || s.relname AS name, s.n_dead_tup AS dead, s.n_live_tup AS live,
       (coalesce((SELECT option_value::float8 FROM pg_options_to_table(c.reloptions) WHERE option_name = 'autovacuum_vacuum_threshold'),
                 current_setting('autovacuum_vacuum_threshold')::float8)
        + coalesce((SELECT option_value::float8 FROM pg_options_to_table(c.reloptions) WHERE option_name = 'autovacuum_vacuum_scale_factor'),
                   current_setting('autovacuum_vacuum_scale_factor')::float8) * greatest(c.reltuples, 0)) AS due,
       coalesce((SELECT NOT option_value::bool FROM pg_options_to_table(c.reloptions) WHERE option_name = 'autovacuum_enabled'), false) AS off,
       extract(epoch FROM clock_timestamp() - greatest(s.last_vacuum, s.last_autovacuum))::float8 AS ago,
       EXISTS (SELECT FROM pg_stat_progress_vacuum p WHERE p.datname = current_database() AND p.relid = s.relid) AS running
FROM pg_stat_all_tables s JOIN pg_class c ON c.oid = s.relid
WHERE s.n_dead_tup >= %(least)s ORDER BY s.n_dead_tup DESC LIMIT 500
"""
_TABLES: LiteralString = "SELECT count(*) AS number FROM pg_stat_all_tables"
# Header and line pointer of a row take 28 bytes, a page's header 24; a row begins at a multiple of 8. Only tables all of whose columns were analysed.
_BLOAT: LiteralString = """
WITH tables AS (
    SELECT c.oid, n.nspname AS schema, n.nspname || '.' || c.relname AS name, c.relpages::float8 AS pages, c.reltuples::float8 AS tuples,
           coalesce((SELECT option_value::float8 FROM pg_options_to_table(c.reloptions) WHERE option_name = 'fillfactor'), 100) / 100 AS fill,
           (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
           current_setting('block_size')::float8 AS block
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND c.reltuples >= 0 AND c.relpages * current_setting('block_size')::float8 >= %(least)s
), widths AS (
    SELECT t.oid, count(*) AS analysed, sum((1 - s.stanullfrac) * s.stawidth)::float8 AS width
    FROM tables t JOIN pg_statistic s ON s.starelid = t.oid AND NOT s.stainherit
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = s.staattnum AND NOT a.attisdropped GROUP BY t.oid
), needed AS (
    SELECT t.*, w.analysed, ceil(t.tuples * (28 + ceil((w.width + ceil(t.columns / 8.0)) / 8) * 8) / ((t.block - 24) * t.fill)) AS needs
    FROM tables t LEFT JOIN widths w USING (oid)
)
SELECT schema, name, pages * block AS size, analysed IS NOT DISTINCT FROM columns AS known, 100 * greatest(0, pages - needs) / nullif(pages, 0) AS share,
       greatest(0, pages - needs) * block AS wasted
FROM needed ORDER BY wasted DESC NULLS LAST LIMIT 500
"""


def _lag(session: Session[Server]) -> Iterator[Finding]:
    only_primary(session)
    for name in ("autovacuum", "track_counts"):
        if settings(session)[name]["setting"] == "off":
            yield Finding(
                verdict=CRITICAL, name=name, message=f"{name} is off: nothing is cleaned up, until wraparound stops all writes. ALTER SYSTEM SET {name} = on"
            )
    rows = session.client.rows(_DEAD, {"least": MIN_DEAD_ROWS})
    found = []
    for row in rows:
        name, due = str(row["name"]), max(1.0, float(row["due"]))
        last = f"vacuumed {duration(float(row['ago']))} ago" if row["ago"] is not None else "never vacuumed since statistics began"
        said = f"{row['dead']} dead rows beside {row['live']} live ones, {last}; autovacuum is due at {due:.0f}"
        tenants = tenants_of(str(row["schema"]))
        if row["off"]:
            yield Finding(verdict=DEGRADED, name=f"{name}/off", tenants=tenants, message=f"autovacuum is switched off for this table: {said}")
        if row["running"]:
            yield Finding(verdict=OK, name=name, message=f"is being vacuumed now: {said}")
        else:
            variant = "" if row["dead"] >= MANY_DEAD_ROWS else "small"
            found.append(Finding(observed=round(float(row["dead"]) / due, 2), name=name, tenants=tenants, variant=variant, message=said))
    if found:
        yield from worst(found, 2.0, "tables with many dead rows")
    elif not rows:
        number = session.client.rows(_TABLES)[0]["number"]
        yield Finding(verdict=OK, observed=0, message=f"{number} tables, none with {MIN_DEAD_ROWS} dead rows or more")


def _bloat(session: Session[Server]) -> Iterator[Finding]:
    only_primary(session)
    least = int(session.options.get("bloat_bytes", MIN_BLOAT_BYTES))
    try:
        rows = session.client.rows(_BLOAT, {"least": least})
    except psycopg.errors.InsufficientPrivilege as error:
        if session.client.params.get("driver") == "rds":
            raise NotApplicable("RDS lets nobody read the widths that the estimate needs; measure with the extension pgstattuple") from error
        raise
    if not rows:
        raise NotApplicable(f"no table is as large as {amount(least)} (options: bloat_bytes); in smaller ones bloat does not matter")
    found = [
        Finding(
            observed=round(float(row["share"]), 1),
            name=str(row["name"]),
            tenants=tenants_of(str(row["schema"])),
            message=f"about {amount(float(row['wasted']))} of {amount(float(row['size']))} hold nothing (an estimate, good to some ten per cent)",
        )
        for row in rows
        if row["known"] and row["share"] is not None
    ]
    if not found:
        raise NotApplicable(f"none of the {len(rows)} tables of {amount(least)} or more has been analysed, and the estimate needs that")
    yield from worst(found, 40.0, "large tables")


_UNIT = "times what is due"
_SOURCE = "PostgreSQL: autovacuum comes at 1 (autovacuum_vacuum_threshold + scale_factor x rows); usual practice: at 3 it does not keep up"
AUTOVACUUM: Check[Server] = Check(
    id="postgresql.autovacuum",
    question="Does autovacuum keep up with dead rows?",
    system="postgresql",
    query=_DEAD.replace("%(least)s", str(MIN_DEAD_ROWS)),
    runbook=f"{RUNBOOK}#autovacuum",
    threshold=Threshold(degraded=3, critical=10, unit=_UNIT, source=_SOURCE),
    variants={"small": Threshold(degraded=3, unit=_UNIT, source=f"{_SOURCE}; below a million dead rows it costs some space")},
    grants=MONITOR,
    run=_lag,
)
BLOAT: Check[Server] = Check(
    id="postgresql.bloat",
    question="How much of large tables holds nothing (an estimate)?",
    system="postgresql",
    query=_BLOAT.replace("%(least)s", str(MIN_BLOAT_BYTES)),
    runbook=f"{RUNBOOK}#bloat",
    threshold=Threshold(
        degraded=50, critical=90, unit="%", source="usual practice: half of a large table is worth a rewrite; the estimate allows nothing finer"
    ),
    cost="medium",
    grants=("GRANT SELECT (starelid, staattnum, stainherit, stanullfrac, stawidth) ON pg_catalog.pg_statistic TO pg_monitor", *MONITOR),
    run=_bloat,
)
