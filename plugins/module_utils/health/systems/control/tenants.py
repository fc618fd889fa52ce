# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the registry knows of tenants, beside what the inventory declares. Whether systems have drifted since is asked by playbooks/tenant_status.yml."""

from __future__ import annotations

from collections.abc import Iterator
from typing import LiteralString

from ....reports.model import DEGRADED, OK
from ...model import Check, Finding, NotApplicable, Session
from ...reading import single
from ..postgresql.server import Server
from ..registry_rights import grants
from .link import RUNBOOK, SYSTEM

_OBSERVED: LiteralString = """
SELECT system, region, verdict, count(*) AS number, array_agg(tenant ORDER BY tenant) AS tenants
FROM public.tenant_systems GROUP BY system, region, verdict ORDER BY system, region, verdict
"""
_KNOWN: LiteralString = "SELECT id FROM public.tenants ORDER BY id"
_NEW: LiteralString = """
SELECT count(*) AS known, count(*) FILTER (WHERE state = 'active') AS active,
       count(*) FILTER (WHERE first_declared > clock_timestamp() - interval '1 day') AS new
FROM public.tenants
"""
_WELL = frozenset({"succeeded", "skipped"})


def _known(session: Session[Server]) -> frozenset[str]:
    return session.once("known", lambda server: frozenset(str(row["id"]) for row in server.rows(_KNOWN)))


def _provisioned(session: Session[Server]) -> Iterator[Finding]:
    declared = {str(tenant["id"]) for tenant in session.tenants}
    if not declared:
        raise NotApplicable("no tenants are declared")
    missing = sorted(declared - _known(session))
    if missing:
        message = f"{len(missing)} declared tenants have never been provisioned: playbooks/tenants.yml does it"
        yield Finding(verdict=DEGRADED, name="never", tenants=missing, message=message)
    bad = 0
    for row in session.client.rows(_OBSERVED):
        touched = sorted(declared.intersection(row["tenants"]))
        if row["verdict"] not in _WELL and touched:
            bad += 1
            message = f"{len(touched)} tenants: the last run {row['verdict']} in {row['region']}/{row['system']}; run playbooks/tenants.yml again"
            yield Finding(verdict=DEGRADED, name=f"{row['region']}/{row['system']}/{row['verdict']}", tenants=touched, message=message)
    if not missing and not bad:
        yield Finding(observed=len(declared), verdict=OK, message=f"{len(declared)} declared tenants, each provisioned everywhere by the last run on it")


def _undeclared(session: Session[Server]) -> Iterator[Finding]:
    every = session.options.get("declared_ids")
    if every is None:
        raise NotApplicable("the run was not told of all declared tenants (options.declared_ids)")
    left = sorted(_known(session) - set(every))
    if left:
        message = f"{len(left)} tenants are in the registry and not declared any more; they are left alone until they are declared again or taken out"
        yield Finding(observed=len(left), verdict=DEGRADED, tenants=left, message=message)
    else:
        yield Finding(observed=0, verdict=OK, message=f"{len(_known(session))} tenants in the registry, all declared")


def _signups(session: Session[Server]) -> Iterator[Finding]:
    """Told, not judged: nobody has said how many are too few."""
    row = single(session.client.rows(_NEW), "tenants")
    if not row["known"]:
        raise NotApplicable("no tenant has been declared yet")
    message = f"{row['new']} tenants were declared for the first time in the last 24 h; {row['known']} are known, {row['active']} of them active"
    yield Finding(observed=row["new"], verdict=OK, unit="tenants", message=message)


PROVISIONED: Check[Server] = Check(
    id="control.tenants",
    question="Has every declared tenant been provisioned everywhere?",
    system=SYSTEM,
    query=" ".join(_OBSERVED.split()),
    runbook=f"{RUNBOOK}#tenants",
    grants=grants("tenants", "tenant_systems"),
    run=_provisioned,
)
UNDECLARED: Check[Server] = Check(
    id="control.undeclared",
    question="Are there tenants that nobody declares any more?",
    system=SYSTEM,
    query=_KNOWN,
    runbook=f"{RUNBOOK}#undeclared",
    grants=grants("tenants"),
    run=_undeclared,
)
SIGNUPS: Check[Server] = Check(
    id="control.signups",
    question="How many tenants were new in the last 24 hours?",
    system=SYSTEM,
    query=" ".join(_NEW.split()),
    runbook=f"{RUNBOOK}#signups",
    grants=grants("tenants"),
    run=_signups,
)
