# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the business: told, not judged, for nobody has said from which value on they are bad."""

from __future__ import annotations

from collections.abc import Iterator

from ...model import Finding, NoData, NotApplicable
from .metrics import samples, window
from .service import Run, check, fine


def _active(session: Run) -> Iterator[Finding]:
    found = window(session)
    active = sum(1 for answered in found.tenants.values() if answered > 0)
    yield fine(active, f"{active} tenants used the application in {found.seconds:.0f} s", unit="tenants")


def _revenue(session: Run) -> Iterator[Finding]:
    """The sum of a series that the inventory names."""
    series = str(session.options.get("revenue") or "")
    if not series:
        raise NotApplicable("not configured: the inventory names no series of the application for it (option revenue)")
    values = [one.value for one in samples(session, series)]
    if not values:
        raise NoData(f"the application's series {series} has no value, which is not 0")
    yield fine(sum(values), f"{sum(values):g} ({series})")


CHECKS = (
    check("active_tenants", "How many tenants have used the application since the last run?", _active,
          "curl -sS DIRECT_URL/metrics | grep leanvibe_tenant_requests_total, twice"),
    check("revenue", "What does the platform earn?", _revenue, "curl -sS DIRECT_URL/metrics | grep SERIES"),
)  # fmt: skip
