# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The regions' API servers beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ....reports.model import OK
from ...comparisons import finding
from ...model import Comparison, Finding, Side, Threshold
from .cluster import SYSTEM

FACT = "version"


def _compared(sides: Sequence[Side]) -> Iterator[Finding]:
    """Findings are about those behind the newest."""
    versions = {side.region: (int(side.fact["major"]), int(side.fact["minor"])) for side in sides}
    newest = max(versions.values())
    behind = [side for side in sides if versions[side.region] != newest]
    for side in behind:
        major, minor = versions[side.region]
        distance = (newest[0] - major) * 100 + newest[1] - minor
        yield finding(side, observed=distance, message=f"{side.fact['release']}, {distance} minor releases behind the newest of the regions")
    if not behind:
        yield Finding(observed=0, verdict=OK, message=f"{sides[0].fact['release']} in {', '.join(side.region for side in sides)}")


COMPARISONS = (
    Comparison(
        id=f"{SYSTEM}.versions_differ",
        question="Do the regions run the same release of Kubernetes?",
        system=SYSTEM,
        query="kubectl version",
        runbook=f"runbooks/{SYSTEM}.md#versions_differ",
        fact=FACT,
        told_by="kubernetes.api_ready",
        threshold=Threshold(
            degraded=2, unit="releases", source="ours: during an upgrade one region is a release ahead; what runs in one must run in the other"
        ),
        compare=_compared,
    ),
)
