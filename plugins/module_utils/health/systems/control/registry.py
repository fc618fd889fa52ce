# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the registry answers, and whether somebody's work was left half-done in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import LiteralString

from ....reports.model import DEGRADED, OK
from ...model import Check, Finding, NoData, Session, Threshold
from ...reading import reviewed
from ..postgresql.server import Server
from ..ranking import duration
from ..registry_rights import grants
from .link import RUNBOOK, SYSTEM

_MARK: LiteralString = "SELECT environment, kind FROM public.platform_mark"
# A lease that nobody renews belongs to a run that died. The next run takes it over; until then its tenants are half-done.
_LEASES: LiteralString = """
SELECT h.operation, h.owner, h.run_id, count(*) AS leases, extract(epoch FROM clock_timestamp() - h.expires_at)::float8 AS expired,
       extract(epoch FROM clock_timestamp() - h.taken_at)::float8 AS held, (array_agg(l.name ORDER BY l.name)) AS names
FROM public.lease_holders h JOIN public.leases l USING (token) GROUP BY h.token, h.operation, h.owner, h.run_id, h.expires_at, h.taken_at
"""
_RUNS: LiteralString = """
SELECT DISTINCT ON (r.operation) r.operation, r.run_id, r.owner, r.verdict, r.finished IS NOT NULL AS finished,
       extract(epoch FROM clock_timestamp() - coalesce(r.finished, r.started))::float8 AS age,
       EXISTS (SELECT FROM public.lease_holders h WHERE h.run_id = r.run_id AND h.expires_at > clock_timestamp()) AS working
FROM public.runs r ORDER BY r.operation, r.started DESC
"""
_WELL = frozenset({"ok", "degraded", "succeeded"})


def _mark(session: Session[Server]) -> Iterator[Finding]:
    rows = session.client.rows(_MARK)
    if not rows:
        raise NoData("the registry answers, but no run has marked it yet: playbooks/tenants.yml does")
    yield Finding(observed=rows[0]["environment"], verdict=OK, message=f"answers; it is that of {rows[0]['environment']} ({rows[0]['kind']})")


def _leases(session: Session[Server]) -> list[Finding]:
    rows = session.client.rows(_LEASES)
    found = []
    for row in rows:
        about = f"{row['operation']} run {row['run_id']} of {row['owner']}, {row['leases']} leases"
        tenants = tuple(str(name).removeprefix("tenant/") for name in row["names"] if str(name).startswith("tenant/"))
        if row["expired"] > 0:
            message = f"{about}: not renewed for {duration(row['expired'])}; that run has died, and running {row['operation']} again completes its work"
            found.append(Finding(observed=round(row["expired"]), variant="expired", name=f"{row['operation']}/expired", tenants=tenants, message=message))
        else:
            message = f"{about}: held for {duration(row['held'])}; others that change these tenants are refused"
            found.append(Finding(observed=round(row["held"]), name=str(row["operation"]), tenants=tenants, message=message))
    return reviewed(found, len(rows), "leases", none_is_fine="no leases: nobody is changing tenants")


def _runs(session: Session[Server]) -> list[Finding]:
    schedules = session.options.get("schedules") or {}
    rows = {str(row["operation"]): row for row in session.client.rows(_RUNS)}
    found = []
    for operation, row in rows.items():
        about = f"the last run ({row['run_id']}, {row['owner']})"
        if not row["finished"] and not row["working"]:
            message = f"{about} began {duration(row['age'])} ago and did not come to its end; run {operation} again"
            found.append(Finding(verdict=DEGRADED, name=operation, message=message))
        elif row["finished"] and row["verdict"] not in _WELL:
            found.append(Finding(verdict=DEGRADED, name=operation, message=f"{about} ended {row['verdict']} {duration(row['age'])} ago; see its report"))
    for operation, hours in schedules.items():
        last = rows.get(operation)
        if last is None:
            found.append(Finding(verdict=DEGRADED, name=f"{operation}/schedule", message=f"has never run, and is to run every {hours:g} h"))
        elif last["age"] > float(hours) * 3600:
            message = f"ran {duration(last['age'])} ago, and is to run every {hours:g} h"
            found.append(Finding(verdict=DEGRADED, name=f"{operation}/schedule", message=message))
    return reviewed(found, len(rows), "operations", none_is_fine="no operation that keeps runs has been used yet")


REGISTRY: Check[Server] = Check(
    id="control.registry",
    question="Does the registry answer, and whose is it?",
    system=SYSTEM,
    query=_MARK,
    runbook=f"{RUNBOOK}#registry",
    grants=grants("platform_mark"),
    run=_mark,
)
LEASES: Check[Server] = Check(
    id="control.leases",
    question="Does anybody hold tenants for longer than work takes?",
    system=SYSTEM,
    query=" ".join(_LEASES.split()),
    runbook=f"{RUNBOOK}#leases",
    threshold=Threshold(degraded=6 * 3600, unit="s", source="longer than any operation on tenants takes"),
    variants={"expired": Threshold(degraded=900, unit="s", source="a lease lasts a minute; after 15 nobody comes back")},
    grants=grants("lease_holders", "leases"),
    run=_leases,
)
RUNS: Check[Server] = Check(
    id="control.runs",
    question="Did the last run of each operation come to a good end, and was it on time?",
    system=SYSTEM,
    query=" ".join(_RUNS.split()),
    runbook=f"{RUNBOOK}#runs",
    grants=grants("lease_holders", "runs"),
    run=_runs,
)
