# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether clients get a server connection when they want one."""

from __future__ import annotations

from collections.abc import Iterator

from ....reports.model import CRITICAL
from ...model import Check, Finding, NoData, Session, Threshold
from ...reading import reviewed
from .. import expiry
from ..postgresql.certificate import findings
from ..postgresql.server import tenants_of
from ..ranking import duration, worst
from .console import GRANTS, RUNBOOK, SYSTEM, Console, databases, pools


def _waiting(session: Session[Console]) -> list[Finding]:
    rows = pools(session)
    found = []
    for row in rows:
        if row["cl_waiting"]:
            seconds = row["maxwait"] + row["maxwait_us"] / 1e6
            working = f"{row['sv_active']} server connections at work, {row['sv_login']} logging in, mode {row['pool_mode']}"
            message = f"{row['cl_waiting']} clients wait, the first for {duration(seconds)}; {working}"
            found.append(Finding(observed=round(seconds, 3), name=f"{row['database']}/{row['user']}", tenants=tenants_of(row["user"]), message=message))
    if found:
        return list(worst(found, 1.0, "pools with waiting clients"))
    return reviewed((), len(rows), "pools, and no client waits", none_is_fine="no pools: no client has come yet")


def _clients(session: Session[Console]) -> Iterator[Finding]:
    lists = {str(row["list"]): int(row["items"]) for row in session.client.show("SHOW LISTS")}
    most = next((int(row["value"]) for row in session.client.show("SHOW CONFIG") if row["key"] == "max_client_conn"), 0)
    if "used_clients" not in lists or most < 1:
        raise NoData("SHOW LISTS and SHOW CONFIG do not say how many clients there are and may be")
    used = lists["used_clients"]
    yield Finding(observed=round(100 * used / most, 2), capacity=100, message=f"{used} of {most} client connections (max_client_conn)")


def _databases(session: Session[Console]) -> list[Finding]:
    rows = databases(session)
    found = []
    for row in rows:
        for word in ("paused", "disabled"):
            if row.get(word):
                found.append(Finding(verdict=CRITICAL, name=str(row["name"]), message=f"is {word}: its clients wait or are refused. {_OUT[word]}"))
        most, used = int(row["max_connections"]), int(row["current_connections"])
        if most > 0 and used >= most:
            message = f"{used} of {most} server connections (max_db_connections): whoever comes next waits"
            found.append(Finding(observed=round(100 * used / most, 1), name=f"{row['name']}/full", message=message))
    return reviewed(found, len(rows), "databases")


_OUT = {"paused": "If nobody means that any more: RESUME", "disabled": "If nobody means that any more: ENABLE"}


def _certificate(session: Session[Console]) -> Iterator[Finding]:
    yield from findings(session.client.params, session.now)


WAITING: Check[Console] = Check(
    id="pgbouncer.pools",
    question="Do clients wait for a server connection?",
    system=SYSTEM,
    query="SHOW POOLS",
    runbook=f"{RUNBOOK}#pools",
    threshold=Threshold(degraded=3, critical=15, unit="s", source="usual practice: waits are shorter than a request; query_wait_timeout ends them (30 s here)"),
    grants=GRANTS,
    run=_waiting,
)
CLIENTS: Check[Console] = Check(
    id="pgbouncer.clients",
    question="How many of the clients that may come are there?",
    system=SYSTEM,
    query="SHOW LISTS",
    runbook=f"{RUNBOOK}#clients",
    threshold=Threshold(degraded=80, critical=90, unit="%", source="Production Deployment Guide, key metrics: database connections"),
    grants=GRANTS,
    run=_clients,
)
DATABASES: Check[Console] = Check(
    id="pgbouncer.databases",
    question="Is a database paused, disabled or out of server connections?",
    system=SYSTEM,
    query="SHOW DATABASES",
    runbook=f"{RUNBOOK}#databases",
    threshold=Threshold(degraded=100, unit="%", source="PgBouncer: at max_db_connections no more are opened"),
    grants=GRANTS,
    run=_databases,
)
CERTIFICATE: Check[Console] = Check(
    id="pgbouncer.certificate",
    question="How long are PgBouncer's certificate and its authority's valid?",
    system=SYSTEM,
    query="openssl s_client -starttls postgres -connect <host>:<port> </dev/null | openssl x509 -noout -enddate -subject",
    runbook=f"{RUNBOOK}#certificate",
    threshold=expiry.THRESHOLD,
    variants=expiry.VARIANTS,
    run=_certificate,
)
