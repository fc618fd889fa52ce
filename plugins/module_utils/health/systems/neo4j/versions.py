# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the regions' graphs are of one version: a dump of a newer one cannot be loaded into an older one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ....reports.model import DEGRADED, OK
from ...comparisons import finding
from ...model import Comparison, Finding, Side
from .graph import SYSTEM


def _versions(sides: Sequence[Side]) -> Iterator[Finding]:
    first = sides[0]
    for side in sides[1:]:
        same = side.fact == first.fact
        message = (
            f"{side.fact}, as in {first.region}"
            if same
            else f"{side.fact}, and {first.fact} in {first.region}: a dump of the newer cannot be loaded into the older"
        )
        yield finding(side, observed=side.fact, verdict=OK if same else DEGRADED, message=message)


VERSIONS = Comparison(
    id="neo4j.versions",
    question="Do all regions run the same version?",
    system=SYSTEM,
    query="CALL dbms.components(), in each region",
    runbook="runbooks/neo4j.md#versions",
    fact="version",
    told_by="neo4j.up",
    compare=_versions,
)
