# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks of the application: what its users meet, and what it says about itself. The journey, which writes, comes last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ....reports.model import DEGRADED, OK
from ...model import Check, Comparison, Finding, NoData, Side
from . import access, business, endpoints, errors, jobs, journey, latency, live
from .service import SYSTEM, Service

CHECKS: tuple[Check[Service], ...] = (
    *endpoints.CHECKS,
    *access.CHECKS,
    *jobs.CHECKS,
    *live.CHECKS,
    *latency.CHECKS,
    *errors.CHECKS,
    *business.CHECKS,
    *journey.CHECKS,
)


def _versions(sides: Sequence[Side]) -> Iterator[Finding]:
    versions = {side.region: str(side.fact) for side in sides}
    if not all(versions.values()):
        raise NoData("the application does not say which version it is")
    said = ", ".join(f"{region} {version}" for region, version in versions.items())
    same = len(set(versions.values())) == 1
    yield Finding(observed=said, verdict=OK if same else DEGRADED, message=f"{'the same' if same else 'not the same'} everywhere: {said}")


COMPARISONS: tuple[Comparison, ...] = (
    Comparison(
        id="backend.versions", question="Do all regions run the same version?", system=SYSTEM, query="curl -sS URL/health (version), in each region",
        runbook="runbooks/backend.md#versions", fact="version", told_by="backend.up", compare=_versions,
    ),
)  # fmt: skip
