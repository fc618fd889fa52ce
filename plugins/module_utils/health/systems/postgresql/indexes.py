# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Indexes that cost and do not serve: invalid ones, copies of others, and those that nobody reads on any server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, LiteralString

from ....reports.model import DEGRADED, OK
from ...model import Check, Comparison, Finding, NotApplicable, Session, Side, Threshold
from ...reading import reviewed
from ..ranking import amount, duration, worst
from .server import MONITOR, RUNBOOK, Server, only_primary, tenants_of

MEBIBYTE = 2**20
_OUT = "Drop it, or REINDEX INDEX CONCURRENTLY"
MIN_DAYS = 30.0
MIN_UNUSED_BYTES = 8 * MEBIBYTE

_NUMBER: LiteralString = "SELECT count(*) AS number FROM pg_index"
# One that is being built is not valid yet, and nothing is wrong with it.
_INVALID: LiteralString = """
SELECT n.nspname AS schema, n.nspname || '.' || x.relname AS name, i.indrelid::regclass::text AS of, i.indisready AS ready, i.indislive AS live
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace n ON n.oid = x.relnamespace
WHERE NOT (i.indisvalid AND i.indisready AND i.indislive)
AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.datname = current_database() AND i.indrelid = p.relid)
ORDER BY 2
"""
_DUPLICATE: LiteralString = """
SELECT schema, (array_agg(name ORDER BY kept DESC, name))[1] AS keeps, (array_agg(name ORDER BY kept DESC, name))[2:] AS copies,
       (sum(size) - (array_agg(size ORDER BY kept DESC, name))[1])::float8 AS wasted
FROM (
    SELECT n.nspname AS schema, n.nspname || '.' || x.relname AS name, (i.indisprimary::int * 2 + i.indisunique::int) AS kept,
           x.relpages * current_setting('block_size')::int8 AS size, i.indrelid, x.relam,
           i.indkey::text AS key, i.indclass::text AS class, i.indcollation::text AS collations,
           i.indoption::text AS option, i.indnkeyatts AS number, coalesce(pg_get_expr(i.indexprs, i.indrelid), '') AS expressions,
           coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS predicate
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace n ON n.oid = x.relnamespace
    WHERE i.indisvalid AND x.relkind = 'i' AND n.nspname !~ '^pg_'
) s
GROUP BY schema, indrelid, relam, key, class, collations, option, number, expressions, predicate HAVING count(*) > 1
ORDER BY wasted DESC LIMIT 500
"""
# Sizes are as of the last VACUUM or ANALYZE: to look at thousands of files takes longer than all the rest.
# What enforces something works without being read: unique ones, exclusion constraints, replica identities.
_UNUSED: LiteralString = """
SELECT s.schemaname || '.' || s.indexrelname AS name, x.relpages * current_setting('block_size')::float8 AS size
FROM pg_stat_user_indexes s JOIN pg_index i ON i.indexrelid = s.indexrelid JOIN pg_class x ON x.oid = s.indexrelid
WHERE s.idx_scan = 0 AND i.indisvalid AND NOT i.indisunique AND NOT i.indisexclusion AND NOT i.indisreplident
AND x.relpages * current_setting('block_size')::int8 >= %(least)s
ORDER BY size DESC LIMIT 1000
"""
# After a crash, PostgreSQL begins its statistics anew and says so in those of the background writer.
_SINCE: LiteralString = """
SELECT extract(epoch FROM clock_timestamp() - greatest((SELECT stats_reset FROM pg_stat_bgwriter),
       (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database())))::float8 AS seconds
"""


def _invalid(session: Session[Server]) -> list[Finding]:
    only_primary(session)
    rows = session.client.rows(_INVALID)
    found = [
        Finding(
            verdict=DEGRADED,
            name=str(row["name"]),
            tenants=tenants_of(str(row["schema"])),
            message=f"no query may use this index of {row['of']}{', and every write keeps it up' if row['ready'] else ''}: a concurrent build failed. {_OUT}",
        )
        for row in rows
    ]
    return reviewed(found, int(session.client.rows(_NUMBER)[0]["number"]), "indexes")


def _duplicate(session: Session[Server]) -> Iterator[Finding]:
    only_primary(session)
    rows = session.client.rows(_DUPLICATE)
    found = [
        Finding(
            observed=float(row["wasted"]),
            name=str(row["copies"][0]),
            tenants=tenants_of(str(row["schema"])),
            message=f"{', '.join(row['copies'])} say what {row['keeps']} says already, and cost {amount(float(row['wasted']))} and time at every write",
        )
        for row in rows
    ]
    if found:
        yield from worst(found, MEBIBYTE, "groups of equal indexes")
    else:
        yield from reviewed((), int(session.client.rows(_NUMBER)[0]["number"]), "indexes")


def _unused(session: Session[Server]) -> list[Finding]:
    """Says nothing itself: an index that one server does not use may be another's."""
    least = int(session.options.get("unused_bytes", MIN_UNUSED_BYTES))
    rows = session.client.rows(_UNUSED, {"least": least})
    seconds = session.client.rows(_SINCE)[0]["seconds"]
    session.facts["unused_indexes"] = {"seconds": seconds, "least": least, "sizes": {str(row["name"]): row["size"] for row in rows}}
    age = "an unknown time" if seconds is None else duration(seconds)
    message = f"{len(rows)} indexes of {amount(least)} or more were not read here in {age}; whether nobody reads them is compared (postgresql.unused_indexes)"
    return [Finding(verdict=OK, observed=len(rows), message=message)]


def unused_everywhere(facts: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Those that no server reads, with their size in bytes on the first."""
    return {name: float(size) for name, size in facts[0]["sizes"].items() if all(name in fact["sizes"] for fact in facts)}


def _compare(sides: Sequence[Side]) -> Iterator[Finding]:
    young = [side for side in sides if side.fact["seconds"] is None or side.fact["seconds"] < MIN_DAYS * 86400]
    if young:
        ages = ", ".join(f"{side.region}: {duration(side.fact['seconds'] or 0)}" for side in young)
        raise NotApplicable(f"statistics are younger than {MIN_DAYS:g} d ({ages}): what was not read in that time may be read at the end of the month")
    found = unused_everywhere([side.fact for side in sides])
    age = duration(min(float(side.fact["seconds"]) for side in sides))
    findings = [
        Finding(
            observed=size,
            name=name,
            tenants=tenants_of(name.split(".", 1)[0]),
            message=f"read on none of {len(sides)} servers in {age}, if it is as old as that; {amount(size)}, and time at every write",
        )
        for name, size in found.items()
    ]
    if findings:
        yield from worst(findings, MIN_UNUSED_BYTES, "unused indexes")
    else:
        yield Finding(verdict=OK, observed=0, message=f"every index of size is read on some server (statistics of {age})")


SIZE = Threshold(degraded=64 * MEBIBYTE, unit="B", source="usual practice: below that, what an index costs is not worth a morning")
INVALID: Check[Server] = Check(
    id="postgresql.invalid_indexes",
    question="Is there an index that no query may use?",
    system="postgresql",
    query=_INVALID,
    runbook=f"{RUNBOOK}#invalid_indexes",
    grants=MONITOR,
    run=_invalid,
)
DUPLICATE: Check[Server] = Check(
    id="postgresql.duplicate_indexes",
    question="Are there indexes that say the same?",
    system="postgresql",
    query=_DUPLICATE,
    runbook=f"{RUNBOOK}#duplicate_indexes",
    threshold=SIZE,
    cost="medium",
    grants=MONITOR,
    run=_duplicate,
)
INDEX_USE: Check[Server] = Check(
    id="postgresql.index_use",
    question="Which indexes were not read on this server?",
    system="postgresql",
    query=_UNUSED.replace("%(least)s", str(MIN_UNUSED_BYTES)),
    runbook=f"{RUNBOOK}#unused_indexes",
    cost="medium",
    grants=MONITOR,
    run=_unused,
)
UNUSED = Comparison(
    id="postgresql.unused_indexes",
    question="Is there an index that is read on no server?",
    system="postgresql",
    query=_UNUSED.replace("%(least)s", str(MIN_UNUSED_BYTES)),
    runbook=f"{RUNBOOK}#unused_indexes",
    threshold=SIZE,
    fact="unused_indexes",
    told_by="postgresql.index_use",
    compare=_compare,
)
