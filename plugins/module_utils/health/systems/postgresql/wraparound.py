# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far transaction numbers and multixact numbers are from where PostgreSQL stops taking writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import LiteralString

from ...model import Check, Finding, NoData, Session, Threshold
from .server import MONITOR, RUNBOOK, Row, Server, number, only_primary

# Three million before the numbers run out, PostgreSQL takes no more (varsup.c, multixact.c).
STOP = 2**31 - 3_000_000

_DATABASES: LiteralString = "SELECT datname AS name, age(datfrozenxid) AS transactions, mxid_age(datminmxid) AS multixacts FROM pg_database"
_TABLES: LiteralString = """
SELECT n.nspname || '.' || c.relname AS name, age(c.relfrozenxid) AS transactions, mxid_age(c.relminmxid) AS multixacts
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 't') AND c.relfrozenxid <> '0'::xid ORDER BY greatest(age(c.relfrozenxid), mxid_age(c.relminmxid)) DESC LIMIT 5
"""


def _check(what: str, setting: str) -> Callable[[Session[Server]], Iterable[Finding]]:
    def run(session: Session[Server]) -> list[Finding]:
        only_primary(session)
        databases: Sequence[Row] = session.once("database ages", lambda server: server.rows(_DATABASES))
        tables: Sequence[Row] = session.once("table ages", lambda server: server.rows(_TABLES))
        if not databases:
            raise NoData("pg_database shows no database")
        oldest = max(databases, key=lambda row: int(row[what]))
        age, due = int(oldest[what]), number(session, setting)
        evidence = "oldest tables here: " + ", ".join(f"{row['name']} {row[what]}" for row in sorted(tables, key=lambda row: -int(row[what])))
        share, overdue = 100 * age / STOP, 100 * age / due
        return [
            Finding(
                observed=round(share, 6),
                capacity=100,
                evidence=evidence,
                message=f"database {oldest['name']} is {age} {what} old: {share:.1f} % of the way to where writes stop",
            ),
            Finding(
                observed=round(overdue, 2),
                name="freeze",
                variant="freeze",
                evidence=evidence,
                message=f"{overdue:.0f} % of {setting} ({due}) in database {oldest['name']}; from 100 % on, autovacuum freezes",
            ),
        ]

    return run


STOPPING = Threshold(degraded=40, critical=60, unit="%", source="PostgreSQL: vacuum_failsafe_age, the last line of defence, is at 75 %")
FREEZING = Threshold(degraded=150, unit="%", source="PostgreSQL: autovacuum freezes at 100 %; half as much again means that it does not get there")
TRANSACTIONS: Check[Server] = Check(
    id="postgresql.wraparound",
    question="How far are transaction numbers from wraparound?",
    system="postgresql",
    query=_DATABASES,
    runbook=f"{RUNBOOK}#wraparound",
    threshold=STOPPING,
    variants={"freeze": FREEZING},
    grants=MONITOR,
    run=_check("transactions", "autovacuum_freeze_max_age"),
)
MULTIXACTS: Check[Server] = Check(
    id="postgresql.multixact_wraparound",
    question="How far are multixact numbers from wraparound?",
    system="postgresql",
    query=_DATABASES,
    runbook=f"{RUNBOOK}#multixact_wraparound",
    threshold=STOPPING,
    variants={"freeze": FREEZING},
    grants=MONITOR,
    run=_check("multixacts", "autovacuum_multixact_freeze_max_age"),
)
