# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The five areas of a diagnosis (Enterprise Operations Guide, "Comprehensive Health Check System"), and the verdict on each. Pure.

Unlike the guide's ``all([])`` (ERRATA H12), an area in which no check was executed is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..reports.model import CHECK_VERDICTS, OK, SKIPPED, UNKNOWN, Item

INFRASTRUCTURE, APPLICATION, DATABASE, DEPENDENCIES, BUSINESS = "infrastructure", "application", "database", "dependencies", "business_logic"
AREAS = (INFRASTRUCTURE, APPLICATION, DATABASE, DEPENDENCIES, BUSINESS)

# Whatever is in neither table is infrastructure: clusters, machines, stores, monitoring, networks, the account at the provider, and the run itself.
_SYSTEMS = {
    "backend": APPLICATION,
    "postgresql": DATABASE,
    "pgbouncer": DATABASE,
    "redis": DATABASE,
    "neo4j": DATABASE,
    "external": DEPENDENCIES,
}
_CHECKS = {
    "backend.active_tenants": BUSINESS,
    "backend.journey": BUSINESS,
    "backend.revenue": BUSINESS,
    "backend.tenant_errors": BUSINESS,
    "control.signups": BUSINESS,
    "control.tenants": BUSINESS,
    "control.undeclared": BUSINESS,
    "monitoring.routes": APPLICATION,
    "monitoring.tenant_requests": BUSINESS,
}


def area_of(check: str, subject: str = "") -> str:
    """The area that a check belongs to; what a run says about an endpoint that it could not look at belongs to that endpoint's system."""
    system = check.split(".", 1)[0]
    if system == "health" and "/" in subject:
        system = subject.split("/")[1]
    return _CHECKS.get(check) or _SYSTEMS.get(system, INFRASTRUCTURE)


@dataclass(frozen=True)
class Area:
    """The verdict on an area, from its findings: the worst of them; ``message`` says what it is made of."""

    name: str
    verdict: str
    message: str

    def to_mapping(self) -> dict[str, Any]:
        """JSON."""
        return {"area": self.name, "verdict": self.verdict, "message": self.message}


def _area(name: str, items: Sequence[Item]) -> Area:
    counts = {verdict: sum(item.verdict == verdict for item in items) for verdict in (*CHECK_VERDICTS, SKIPPED)}
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    if len(items) == counts[SKIPPED]:
        message = f"not one check of it was executed ({told or 'there are none in this run'}): nothing is known about it"
        return Area(name, UNKNOWN, message)
    return Area(name, next(verdict for verdict in CHECK_VERDICTS if counts[verdict]), told)


def areas(items: Sequence[Item]) -> list[Area]:
    """All five, always."""
    return [_area(name, [item for item in items if area_of(item.id, item.subject) == name]) for name in AREAS]


def unheard(found: Sequence[Area], items: Sequence[Item]) -> list[Area]:
    """Areas that are unknown without a finding that says so."""
    return [
        one
        for one in found
        if one.verdict == UNKNOWN and not any(area_of(item.id, item.subject) == one.name and item.verdict not in (SKIPPED, OK) for item in items)
    ]
