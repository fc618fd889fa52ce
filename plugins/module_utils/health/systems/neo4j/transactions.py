# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions that run long or wait for others, and on Enterprise how many fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ....clients.neo4j import SYSTEM_DATABASE, Neo4jClient
from ....reports.model import OK
from ...model import Check, Finding, NotApplicable, Session, Threshold
from .graph import SYSTEM, metric, needs_enterprise

_GRANTS = ("GRANT SHOW TRANSACTION (*) ON DATABASE * TO <role>",)
_SHOWN = 5
_FEW = 20.0
_COUNTERS = ("committed_write", "rollbacks_write")


def _running(session: Session[Neo4jClient]) -> list[dict[str, Any]]:
    """All transactions but our own look at them. The text of queries stays there: it may hold tenants' data."""

    def read(client: Neo4jClient) -> list[dict[str, Any]]:
        rows = client.rows(
            "SHOW TRANSACTIONS YIELD transactionId, database, username, status, elapsedTime, currentQuery "
            "RETURN transactionId AS id, database, username, status, elapsedTime.milliseconds AS took, currentQuery STARTS WITH 'SHOW TRANSACTIONS' AS ours",
            SYSTEM_DATABASE,
        )
        return sorted((row for row in rows if not row["ours"]), key=lambda row: -float(row["took"] or 0))

    return session.once("transactions", read)


def _finding(rows: Sequence[Mapping[str, Any]], what: str) -> Finding:
    if not rows:
        return Finding(observed=0, verdict=OK, message=f"no transaction {what}")
    shown = ", ".join(f"{row['id']} of {row['username'] or 'the server'} in {row['database']} {float(row['took'] or 0) / 1000:.1f} s" for row in rows[:_SHOWN])
    return Finding(
        observed=round(float(rows[0]["took"] or 0) / 1000, 3), message=f"{len(rows)} {'transaction' if len(rows) == 1 else 'transactions'} {what}: {shown}"
    )


def _transactions(session: Session[Neo4jClient]) -> Iterator[Finding]:
    yield _finding(_running(session), "at work")


def _blocked(session: Session[Neo4jClient]) -> Iterator[Finding]:
    yield _finding([row for row in _running(session) if str(row["status"]).startswith("Blocked")], "blocked by another")


def _failed(session: Session[Neo4jClient]) -> Iterator[Finding]:
    needs_enterprise(session, "does not tell how many transactions fail; its log and the application's do")
    now = {name: sum(metric(session, f".transaction.{name}").values()) for name in _COUNTERS}
    session.facts["counters"] = now
    before = session.options.get("counters_before")
    if not isinstance(before, Mapping) or any(not isinstance(before.get(name), (int, float)) for name in _COUNTERS):
        raise NotApplicable("a share needs two readings, and there is no earlier run's (health option counters_before)")
    up = {name: now[name] - float(before[name]) for name in _COUNTERS}
    if min(up.values()) < 0:
        raise NotApplicable("the counters began anew since the earlier run: the server was restarted; the next run will have a share")
    whole = sum(up.values())
    message = f"{up['rollbacks_write']:.0f} of {whole:.0f} writing transactions since the last run"
    if whole < _FEW:
        raise NotApplicable(f"{message}; too few to judge by")
    yield Finding(observed=round(100 * up["rollbacks_write"] / whole, 2), message=message)


TRANSACTIONS = Check(
    id="neo4j.transactions",
    question="How long has the longest transaction been at work?",
    system=SYSTEM,
    query="SHOW TRANSACTIONS YIELD transactionId, database, username, status, elapsedTime",
    runbook="runbooks/neo4j.md#transactions",
    threshold=Threshold(degraded=60, critical=600, unit="s", source="usual practice: no request waits a minute; what runs longer holds locks and memory"),
    grants=_GRANTS,
    timeout=8.0,
    run=_transactions,
)

BLOCKED = Check(
    id="neo4j.blocked_transactions",
    question="How long has a transaction been waiting for another one's locks?",
    system=SYSTEM,
    query="SHOW TRANSACTIONS YIELD transactionId, status, elapsedTime WHERE status STARTS WITH 'Blocked'",
    runbook="runbooks/neo4j.md#blocked_transactions",
    threshold=Threshold(degraded=10, critical=60, unit="s", source="usual practice: a client has given up by then (drivers wait 30 s for a retry)"),
    grants=_GRANTS,
    timeout=8.0,
    run=_blocked,
)

FAILED = Check(
    id="neo4j.failed_transactions",
    question="What share of writing transactions was rolled back since the last run?",
    system=SYSTEM,
    query="CALL dbms.queryJmx('neo4j.metrics:*') (transaction.rollbacks_write, transaction.committed_write), twice",
    runbook="runbooks/neo4j.md#failed_transactions",
    threshold=Threshold(degraded=10, critical=50, unit="%", source="usual practice; some are rolled back on purpose, and deadlocks are tried again"),
    grants=("GRANT EXECUTE PROCEDURE dbms.queryJmx ON DBMS TO <role>",),
    run=_failed,
)
