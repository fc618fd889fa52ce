# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For checks that look through many things: those that are wrong are told one by one, a flood of them is folded, and what is fine is one line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...reports.model import CRITICAL, DEGRADED, OK, UNKNOWN
from ..model import LOWER, Finding, NoData, Session
from ..thresholds import is_number, judge

LIMIT = 25  # findings of one check and endpoint that are told one by one
_NAMED = 5  # of the folded ones, how many are named
_WORST_FIRST = (CRITICAL, UNKNOWN, DEGRADED)


def verdict_of(finding: Finding, session: Session[Any]) -> str:
    """The verdict that the finding will get, with the thresholds that count in this run."""
    if finding.verdict is not None:
        return finding.verdict
    threshold = session.limits(finding.variant)
    return judge(finding.observed, threshold) if threshold is not None else UNKNOWN


def _worst_value(findings: Iterable[Finding], session: Session[Any]) -> float | None:
    """The worst that was measured. Nothing measured means that nothing is wrong, which is 0 of what is counted, and no value where less is worse."""
    values = [float(finding.observed) for finding in findings if is_number(finding.observed)]
    usual = session.limits("")
    lower = usual is not None and usual.worse == LOWER
    if not values:
        return None if lower else 0.0
    return (min if lower else max)(values)


def _folded(rest: list[Finding], verdict: str) -> Finding:
    names = ", ".join(finding.name for finding in rest[:_NAMED])
    tenants = sorted({tenant for finding in rest for tenant in finding.tenants})
    more = ", …" if len(rest) > _NAMED else ""
    return Finding(
        observed=len(rest), unit="findings", verdict=verdict, name="further", tenants=tenants, message=f"and {len(rest)} more like these: {names}{more}"
    )


def told(session: Session[Any], findings: Iterable[Finding], looked_at: int, what: str, *, none_is_fine: str = "") -> list[Finding]:
    """The findings that are not ok, worst first and at most LIMIT + 1; if there are none, one that says how many were looked at and the worst value.

    Having looked at nothing is NoData, unless ``none_is_fine`` says why there may be none.
    """
    found = list(findings)
    verdicts = {id(finding): verdict_of(finding, session) for finding in found}
    bad = [finding for finding in found if verdicts[id(finding)] in _WORST_FIRST]
    bad.sort(key=lambda finding: (_WORST_FIRST.index(verdicts[id(finding)]), finding.name))
    if bad:
        rest = bad[LIMIT:]
        return bad[:LIMIT] + ([_folded(rest, verdicts[id(rest[0])])] if rest else [])
    if looked_at < 1:
        if not none_is_fine:
            raise NoData(f"no {what} to look at; nothing was measured")
        return [Finding(verdict=OK, message=none_is_fine)]
    return [Finding(observed=_worst_value(found, session), verdict=OK, message=f"{looked_at} {what}, nothing wrong")]
