# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes which share of something that all use. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..health.model import Finding, Session, Threshold
from ..reports.model import OK

TOP = 5
HALF = Threshold(degraded=50, unit="%", source="ours: a tenant that takes half of what all share slows the others down")


def selected(session: Session[Any]) -> str:
    """The tenant that the diagnosis is about; an empty text for the platform."""
    return str(session.options.get("diagnosed_tenant") or "")


def shares(
    taken: Mapping[str, float],
    whole: float,
    *,
    tenant: str,
    judged_from: float,
    words: Callable[[float], str],
    what: str,
    evidence: Callable[[str], str] | None = None,
) -> list[Finding]:
    """One finding per tenant, the biggest share first: of ``tenant`` if one is diagnosed, else of the TOP.

    ``taken`` is what each tenant takes, ``whole`` all that is taken, in one unit; ``words`` writes it, and ``evidence`` is what there is to add
    about a tenant. Less than ``judged_from`` is fine whatever the share is. Where nothing at all is taken, that is said.
    """
    if whole <= 0:
        return [Finding(observed=0, verdict=OK, message=f"nothing at all is taken {what}")]
    order = sorted(taken, key=lambda one: (-taken[one], one))
    chosen = [tenant] if tenant else order[:TOP]
    found = []
    for one in chosen:
        value = taken.get(one, 0.0)
        place = f"number {order.index(one) + 1} of {len(order)} tenants that take any" if one in order else f"none; {len(order)} other tenants take some"
        found.append(
            Finding(
                observed=round(100 * value / whole, 2),
                verdict=None if value >= judged_from else OK,
                name=f"tenant/{one}",
                tenants=(one,),
                message=f"{one}: {words(value)} of {words(whole)} {what}; {place}",
                evidence=evidence(one) or None if evidence is not None else None,
            )
        )
    return found or [Finding(observed=0, verdict=OK, message=f"no tenant takes any of {words(whole)} {what}")]
