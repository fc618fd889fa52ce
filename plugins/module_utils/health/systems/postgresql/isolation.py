# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the shared tables keep tenants apart: the audit that migrations and provisioning use, every morning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import LiteralString

from ....platform_database.audit import audit
from ....reports.model import CRITICAL, DEGRADED, OK
from ...model import Check, Finding, Session
from .server import RUNBOOK, Server, only_primary

_QUERY: LiteralString = """
SELECT n.nspname, c.relname, c.relrowsecurity, c.relforcerowsecurity, p.polname, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_policy p ON p.polrelid = c.oid
WHERE n.nspname = 'leanvibe' AND c.relkind IN ('r', 'p') ORDER BY 1, 2, 5
"""


def _isolation(session: Session[Server]) -> Iterator[Finding]:
    only_primary(session)
    result = audit(session.client.connection)
    for finding in result.findings:
        yield Finding(verdict=CRITICAL, name=f"{finding.object}/{finding.rule}", message=f"{finding.object}: {finding.message}")
    # Nobody but Amazon can close RDS's catalogue.
    closes = session.client.params.get("driver") != "rds"
    if result.exposed and closes:
        shown = ", ".join(result.exposed[:5])
        message = f"{len(result.exposed)} parts of the catalogue are open to every tenant ({shown}, …). Run the role leanvibe.ops.platform_database"
        yield Finding(verdict=DEGRADED, name="catalogue", message=message)
    if not result.findings:
        stays = f"; {len(result.exposed)} parts of the catalogue stay open on a managed service" if result.exposed and not closes else ""
        yield Finding(verdict=OK, observed=0, message=f"every protection of the shared tables is in place{stays}")


ISOLATION: Check[Server] = Check(
    id="postgresql.isolation",
    question="Is every shared table under row-level security, as it was made?",
    system="postgresql",
    query=_QUERY,
    runbook=f"{RUNBOOK}#isolation",
    timeout=10,
    cost="medium",
    grants=("GRANT USAGE ON SCHEMA leanvibe_private TO pg_monitor", "GRANT SELECT ON leanvibe_private.exemptions TO pg_monitor", "GRANT pg_monitor TO <role>"),
    run=_isolation,
)
