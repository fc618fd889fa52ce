# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the graph answers, to whom, how fast, with which clock, and which of its databases are there."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ....clients.neo4j import SYSTEM_DATABASE, Neo4jClient
from ....reports.model import CRITICAL, DEGRADED, OK
from ... import clocks
from ...model import Check, Finding, NoData, Session, Threshold
from ...reading import reviewed, single
from .graph import SYSTEM, component, needs_enterprise

_REQUESTS = 5


def _up(session: Session[Neo4jClient]) -> Iterator[Finding]:
    version, edition = component(session)
    yield Finding(observed=version, verdict=OK, message=f"Neo4j {version} {edition} answers")


def _authentication(session: Session[Neo4jClient]) -> Iterator[Finding]:
    rows = session.client.rows("SHOW SETTINGS YIELD name, value WHERE name = 'dbms.security.auth_enabled' RETURN value", SYSTEM_DATABASE)
    value = str(single(rows, "dbms.security.auth_enabled")["value"])
    if value == "true":
        yield Finding(observed=value, verdict=OK, message="names and passwords are asked for")
    else:
        yield Finding(observed=value, verdict=CRITICAL, message="authentication is off: whoever reaches the port may do everything, whatever password is given")


def _latency(session: Session[Neo4jClient]) -> Iterator[Finding]:
    took = []
    for _number in range(_REQUESTS):
        began = time.perf_counter()
        single(session.client.rows("RETURN 1 AS one"), "RETURN 1")
        took.append((time.perf_counter() - began) * 1000)
    yield Finding(observed=round(min(took), 2), message=f"the fastest of {_REQUESTS} took {min(took):.1f} ms, the slowest {max(took):.1f} ms")


def _clock(session: Session[Neo4jClient]) -> Iterator[Finding]:
    before = time.time()
    row = single(session.client.rows("RETURN datetime.realtime().epochMillis AS now"), "datetime.realtime()")
    after = time.time()
    yield clocks.seen(session, "neo4j.clock", clocks.span(before, float(row["now"]) / 1000, after, step=0.001))


def _databases(session: Session[Neo4jClient]) -> list[Finding]:
    rows = session.client.rows("SHOW DATABASES YIELD name, address, requestedStatus, currentStatus, statusMessage, access", SYSTEM_DATABASE)
    many = len({row["address"] for row in rows}) > 1
    bad = []
    for row in rows:
        name = f"{row['name']}@{row['address']}" if many else str(row["name"])
        why = f": {row['statusMessage']}" if row["statusMessage"] else ""
        if row["currentStatus"] != row["requestedStatus"]:
            message = f"database {name} is {row['currentStatus']} and should be {row['requestedStatus']}{why}"
            bad.append(Finding(observed=row["currentStatus"], verdict=CRITICAL, name=name, message=message))
        elif row["currentStatus"] == "online" and row["access"] == "read-only":
            bad.append(Finding(observed="read-only", verdict=DEGRADED, name=name, message=f"database {name} takes no writes"))
    wanted = {session.client.database, SYSTEM_DATABASE}
    for name in sorted(wanted - {str(row["name"]) for row in rows if row["requestedStatus"] == "online"}):
        bad.append(Finding(observed="absent", verdict=CRITICAL, name=name, message=f"there is no database {name} that is to be online"))
    return reviewed(bad, len(rows), "databases")


def _cluster(session: Session[Neo4jClient]) -> list[Finding]:
    needs_enterprise(session, "has no cluster")
    rows = session.client.rows("SHOW SERVERS YIELD name, address, state, health", SYSTEM_DATABASE)
    bad = []
    for row in rows:
        if row["health"] != "Available" or row["state"] != "Enabled":
            message = f"server {row['name']} ({row['address']}) is {row['state']}, {row['health']}"
            bad.append(
                Finding(observed=row["health"], verdict=CRITICAL if row["health"] != "Available" else DEGRADED, name=str(row["address"]), message=message)
            )
    return reviewed(bad, len(rows), "servers")


def _replication_lag(session: Session[Neo4jClient]) -> Iterator[Finding]:
    needs_enterprise(session, "has no copies of databases")
    rows = session.client.rows("SHOW DATABASES YIELD name, address, currentStatus, replicationLag", SYSTEM_DATABASE)
    behind = [(-float(row["replicationLag"]), f"{row['name']}@{row['address']}") for row in rows if row["replicationLag"] is not None]
    if not behind:
        raise NoData("SHOW DATABASES tells no replicationLag")
    for lag, name in sorted(behind, reverse=True)[:1]:
        yield Finding(observed=lag, message=f"the copy that is furthest behind is {name}: {lag:.0f} transactions")


UP = Check(
    id="neo4j.up",
    question="Does the graph answer to our login?",
    system=SYSTEM,
    query="CALL dbms.components()",
    runbook="runbooks/neo4j.md#up",
    run=_up,
)

AUTHENTICATION = Check(
    id="neo4j.authentication",
    question="Is a password asked for?",
    system=SYSTEM,
    query="SHOW SETTINGS YIELD name, value WHERE name = 'dbms.security.auth_enabled'",
    runbook="runbooks/neo4j.md#authentication",
    grants=("GRANT SHOW SETTING dbms.security.auth_enabled ON DBMS TO <role>",),
    timeout=8.0,
    run=_authentication,
)

LATENCY = Check(
    id="neo4j.latency",
    question="How long does the smallest query take?",
    system=SYSTEM,
    query="RETURN 1",
    runbook="runbooks/neo4j.md#latency",
    threshold=Threshold(
        degraded=100,
        critical=1000,
        unit="ms",
        source="Production Deployment and Operations Guide, team tier: a database query at p95 (100 ms), an API call at p99 (1000 ms)",
    ),
    run=_latency,
)

CLOCK = Check(
    id="neo4j.clock",
    question="How far is the graph's clock from ours?",
    system=SYSTEM,
    query="RETURN datetime.realtime()",
    runbook="runbooks/neo4j.md#clock",
    threshold=clocks.THRESHOLD,
    run=_clock,
)

DATABASES = Check(
    id="neo4j.databases",
    question="Are all databases as they should be?",
    system=SYSTEM,
    query="SHOW DATABASES YIELD name, address, requestedStatus, currentStatus, statusMessage, access",
    runbook="runbooks/neo4j.md#databases",
    timeout=8.0,
    run=_databases,
)

CLUSTER = Check(
    id="neo4j.cluster",
    question="Are all servers of the cluster enabled and available?",
    system=SYSTEM,
    query="SHOW SERVERS YIELD name, address, state, health",
    runbook="runbooks/neo4j.md#cluster",
    grants=("GRANT SHOW SERVERS ON DBMS TO <role>",),
    timeout=8.0,
    run=_cluster,
)

REPLICATION_LAG = Check(
    id="neo4j.replication_lag",
    question="How many transactions is the slowest copy of a database behind?",
    system=SYSTEM,
    query="SHOW DATABASES YIELD name, address, replicationLag",
    runbook="runbooks/neo4j.md#replication_lag",
    threshold=Threshold(degraded=1000, critical=100000, unit="transactions", source="usual practice; a copy that follows is within some hundred"),
    timeout=8.0,
    run=_replication_lag,
)
