# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which share of the database tenants' own schemas take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import LiteralString

from ...health.model import DIAGNOSE, Check, Finding, Session
from ...health.reading import measured, single
from ...health.systems.postgresql.server import MONITOR, Server, only_primary, tenants_of
from ...health.systems.ranking import amount
from ..shares import HALF, selected, shares
from .statements import DOCUMENT

# Whose half is less than this does not matter to anybody.
JUDGED_BYTES = 2**30

_SCHEMAS: LiteralString = """
SELECT n.nspname AS schema, sum(pg_total_relation_size(c.oid))::float8 AS bytes
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname LIKE 'tenant\\_%' GROUP BY n.nspname
"""
_WHOLE: LiteralString = "SELECT pg_database_size(current_database())::float8 AS bytes"


def _schemas(session: Session[Server]) -> Iterator[Finding]:
    only_primary(session)
    rows = session.client.rows(_SCHEMAS)
    whole = measured(single(session.client.rows(_WHOLE), "pg_database_size")["bytes"], "the size of the database")
    taken = {tenants_of(str(row["schema"]))[0]: float(row["bytes"]) for row in rows}
    yield from shares(taken, whole, tenant=selected(session), judged_from=JUDGED_BYTES, words=amount, what="of the database, in schemas of their own")


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
