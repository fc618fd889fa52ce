# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Route 53: what the health checks say that a failover hangs on. It is one service for all regions: name them in one region's options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from ....reports.model import DEGRADED
from ...model import LOWER, Check, Finding, NoData, Session, Threshold
from .account import SYSTEM, TIMEOUT, Account, missing, named

_RECENT = timedelta(minutes=10)


def _matching(checks: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [one for one in checks if name in (one["Id"], one["HealthCheckConfig"].get("FullyQualifiedDomainName"))]


def _share(observations: list[Mapping[str, Any]], now: datetime) -> tuple[int, int, str]:
    """How many of the recent observations are good, how many there are, and what the first bad one says."""
    recent = [one["StatusReport"] for one in observations if one["StatusReport"]["CheckedTime"] > now - _RECENT]
    bad = [str(report["Status"]) for report in recent if not str(report["Status"]).startswith("Success")]
    return len(recent) - len(bad), len(recent), bad[0] if bad else ""


def _checks(session: Session[Account]) -> Iterator[Finding]:
    declared = named(session, "route53_health_checks", "Route 53 health check", frozenset())
    route53 = session.client.service("route53")
    there = route53.pages("list_health_checks", "HealthChecks", "Marker", "NextMarker")
    silent = []
    for name in declared:
        found = _matching(there, name)
        if not found:
            yield missing(name, "Route 53 health check")
        for one in found:
            label = name if len(found) == 1 else f"{name}/{one['Id']}"
            configuration = one["HealthCheckConfig"]
            if configuration.get("Disabled") or configuration.get("Inverted"):
                how = "switched off, so it counts as healthy whatever happens" if configuration.get("Disabled") else "inverted: healthy counts as unhealthy"
                yield Finding(
                    observed="disabled" if configuration.get("Disabled") else "inverted", verdict=DEGRADED, name=f"{label}/setting", message=f"it is {how}"
                )
            if configuration.get("Disabled"):
                continue
            good, all_, first = _share(route53.call("get_health_check_status", HealthCheckId=one["Id"]).get("HealthCheckObservations") or [], session.now)
            if not all_:
                silent.append(label)
                continue
            message = f"{good} of {all_} of Route 53's checkers find it healthy" + (f"; another: {first[:200]}" if first else "")
            yield Finding(observed=round(100 * good / all_, 1), name=label, message=message)
    if silent:
        raise NoData(f"Route 53 tells no observation of the last {_RECENT.seconds // 60} min of {', '.join(silent)}")


CHECKS_OF_ROUTE53 = Check(
    id="aws.route53_health_checks",
    question="Which share of Route 53's checkers finds the endpoint healthy?",
    system=SYSTEM,
    query="aws route53 list-health-checks; aws route53 get-health-check-status --health-check-id <id>",
    runbook="runbooks/aws.md#route53_health_checks",
    threshold=Threshold(
        degraded=80,
        critical=18,
        unit="%",
        worse=LOWER,
        source="Route 53 takes an endpoint out of service when no more than 18 % of its checkers find it healthy",
    ),
    grants=("route53:ListHealthChecks", "route53:GetHealthCheckStatus"),
    timeout=TIMEOUT,
    run=_checks,
)
