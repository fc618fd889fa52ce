# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the server takes writes, whether it is what it should be, and whether there is exactly one primary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import LiteralString

from ....common.errors import InvalidInput
from ....platform_database.names import APPLICATION, MIGRATIONS, OPERATIONS
from ....reports.model import CRITICAL, OK
from ...comparisons import finding
from ...model import Check, Comparison, Finding, Session, Side
from . import counters
from .server import MONITOR, RUNBOOK, Server, only_primary, settings, state

PRIMARY, STANDBY = "primary", "standby"

_WRITES: LiteralString = "BEGIN READ WRITE; SELECT pg_current_xact_id(); ROLLBACK"
_ROLE: LiteralString = "SELECT pg_is_in_recovery(), system_identifier FROM pg_control_system()"
_IDENTITY: LiteralString = "SELECT system_identifier::text AS identifier FROM pg_control_system()"
_DEFAULTS: LiteralString = """
SELECT d.datname AS database, r.rolname AS role
FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole
WHERE (s.setdatabase = 0 OR d.datname = current_database()) AND (s.setrole = 0 OR r.rolname = ANY(%(roles)s))
AND EXISTS (SELECT FROM unnest(s.setconfig) c WHERE lower(c) ~ '^default_transaction_read_only=(on|true|yes|t|y|1)$')
"""


def _writable(session: Session[Server]) -> Iterator[Finding]:
    only_primary(session)
    default = settings(session)["default_transaction_read_only"]
    # What is set for our own role or session says nothing about others.
    if default["setting"] == "on" and default["source"] not in ("user", "database user", "client", "session"):
        yield Finding(verdict=CRITICAL, name="default", message=f"default_transaction_read_only is on for everybody (source: {default['source']}): writes fail")
    for row in session.client.rows(_DEFAULTS, {"roles": [APPLICATION, MIGRATIONS, OPERATIONS]}):
        where = f"role {row['role'] or 'any'} in database {row['database'] or 'any'}"
        name = f"default/{row['role'] or 'any'}@{row['database'] or 'any'}"
        yield Finding(verdict=CRITICAL, name=name, message=f"default_transaction_read_only is on for {where}: its writes fail")
    number = session.client.writes()
    yield Finding(verdict=OK, message=f"began to write (transaction {number}) and took it back")


def _role(session: Session[Server]) -> Iterator[Finding]:
    counters.begin(session)
    actual = STANDBY if state(session)["recovering"] else PRIMARY
    declared = session.options.get("role")
    if declared not in (None, PRIMARY, STANDBY):
        raise InvalidInput("Health options of postgresql", [f"role is {PRIMARY} or {STANDBY}, not {declared}"])
    if declared is None:
        yield Finding(verdict=OK, message=f"it answers, as a {actual}; the inventory does not say which it should be (options: role)")
    elif declared == actual:
        yield Finding(verdict=OK, message=f"it answers, as the {actual} that it is declared to be")
    else:
        out = "writes fail here" if actual == STANDBY else "it follows nobody, and what is written here is nowhere else"
        message = (
            f"it is a {actual} and declared to be the {declared}: {out}. After a failover, correct the inventory; else find out who promoted or demoted it"
        )
        yield Finding(verdict=CRITICAL, message=message)
    session.facts["server"] = {"recovering": actual == STANDBY, "identifier": session.client.rows(_IDENTITY)[0]["identifier"]}


def _one_primary(sides: Sequence[Side]) -> Iterator[Finding]:
    primaries = [side for side in sides if not side.fact["recovering"]]
    if len(primaries) == 1:
        yield Finding(verdict=OK, message=f"the one primary is in {primaries[0].region}")
    elif not primaries:
        yield Finding(verdict=CRITICAL, message="all servers are standbys: nothing can be written anywhere. Promote one")
    else:
        where = ", ".join(side.region for side in primaries)
        yield Finding(
            verdict=CRITICAL, message=f"{len(primaries)} servers take writes ({where}): what is written to one is not in the other. Fence one at once"
        )
    for side in sides:
        if primaries and side.fact["identifier"] != primaries[0].fact["identifier"]:
            yield finding(
                side, verdict=CRITICAL, name="identity", message=f"it is no copy of the database cluster in {primaries[0].region}: their identifiers differ"
            )


ROLE: Check[Server] = Check(
    id="postgresql.role",
    question="Does the server answer, and is it the primary or standby that it is declared to be?",
    system="postgresql",
    query=_ROLE,
    runbook=f"{RUNBOOK}#role",
    grants=("GRANT EXECUTE ON FUNCTION pg_control_system() TO <role> (pg_monitor has it)",),
    run=_role,
)
WRITABLE: Check[Server] = Check(
    id="postgresql.writable",
    question="Does the primary take writes?",
    system="postgresql",
    query=_WRITES,
    runbook=f"{RUNBOOK}#writable",
    grants=MONITOR,
    run=_writable,
)
ONE_PRIMARY = Comparison(
    id="postgresql.one_primary",
    question="Is there exactly one primary, and are the others copies of it?",
    system="postgresql",
    query=_ROLE,
    runbook=f"{RUNBOOK}#one_primary",
    fact="server",
    told_by="postgresql.role",
    compare=_one_primary,
)
