# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sequences that run out, counted to what their column can hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import LiteralString

from ....reports.model import SKIPPED, UNKNOWN
from ...model import Check, Finding, Session, Threshold
from ...reading import reviewed
from ..ranking import worst
from .server import MONITOR, RUNBOOK, Server, only_primary, tenants_of

# A sequence counts as its column's if the column owns it (serial, identity) or takes its default from it.
_SEQUENCES: LiteralString = """
WITH users AS (
    SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS number FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    UNION
    SELECT d.refobjid, f.adrelid, f.adnum FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
    WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
), columns AS (
    SELECT u.sequence, min(CASE a.atttypid WHEN 'int2'::regtype THEN 32767::int8 WHEN 'int4'::regtype THEN 2147483647 END) AS most,
           min(u.relation::regclass::text || '.' || a.attname) AS "column"
    FROM users u JOIN pg_attribute a ON a.attrelid = u.relation AND a.attnum = u.number GROUP BY u.sequence
)
SELECT n.nspname AS schema, n.nspname || '.' || c.relname AS name, r.seqincrement > 0 AS up, least(r.seqmax, k.most) AS most,
       greatest(r.seqmin, -k.most) AS least, k."column", has_sequence_privilege(c.oid, 'SELECT, USAGE') AS readable,
       CASE WHEN has_sequence_privilege(c.oid, 'SELECT, USAGE') THEN pg_sequence_last_value(c.oid) END AS last
FROM pg_sequence r JOIN pg_class c ON c.oid = r.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN columns k ON k.sequence = c.oid
WHERE NOT r.seqcycle AND c.relpersistence <> 't'
"""


def _sequences(session: Session[Server]) -> Iterator[Finding]:
    only_primary(session)
    rows = session.client.rows(_SEQUENCES)
    found = []
    for row in rows:
        if not row["readable"]:
            continue
        end, last = int(row["most"] if row["up"] else row["least"]), int(row["last"] or 0)
        used = max(0.0, 100 * last / end)
        column = f" of {row['column']}" if row["column"] else ""
        message = f"{used:.1f} % used: it stands at {last}, and ends at {end}{column}"
        found.append(Finding(observed=round(used, 4), name=str(row["name"]), tenants=tenants_of(str(row["schema"])), capacity=100, message=message))
    hidden = [row for row in rows if not row["readable"]]
    own = sorted({str(row["schema"]) for row in hidden if str(row["schema"]).startswith("tenant_")})
    shared = sorted(str(row["name"]) for row in hidden if not str(row["schema"]).startswith("tenant_"))
    if found:
        yield from worst(found, 50.0, "sequences")
    elif not hidden:
        yield from reviewed((), 0, "sequences", none_is_fine="no sequences")
    if shared:
        reason = f"a right is missing: {', '.join(shared[:5])} ({len(shared)} in all) cannot be read. GRANT SELECT ON SEQUENCE … TO pg_monitor"
        yield Finding(verdict=UNKNOWN, name="unreadable", message=reason)
    if own:
        reason = f"sequences that tenants made in {len(own)} schemas of their own are theirs, and are not read (pg_read_all_data would let them be)"
        yield Finding(verdict=SKIPPED, name="tenants", message=reason)


SEQUENCES: Check[Server] = Check(
    id="postgresql.sequences",
    question="Is a sequence, or the column that it fills, running out of numbers?",
    system="postgresql",
    query=_SEQUENCES,
    runbook=f"{RUNBOOK}#sequences",
    threshold=Threshold(degraded=75, critical=90, unit="%", source="usual practice: changing a column's type takes weeks of preparation"),
    cost="medium",
    grants=("GRANT SELECT ON ALL SEQUENCES IN SCHEMA leanvibe TO pg_monitor", *MONITOR),
    run=_sequences,
)
