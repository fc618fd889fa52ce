# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a system's clock is from ours, as its clock check measures it. Whose is wrong is found out on the controller (``majority.py``)."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

from .model import Finding, NoData, Session, Threshold

Span = tuple[float, float]
FACT = "clock"  # check -> between how many and how many seconds its clock is ahead of ours
WHOLE_SECOND = 1.0

THRESHOLD = Threshold(degraded=1, critical=30, unit="s", source="usual practice: hosts with NTP agree within milliseconds")
# A Date header tells whole seconds, and some servers write it only once a second.
BY_HEADER = Threshold(degraded=5, critical=30, unit="s", source="usual practice: hosts with NTP agree within milliseconds; the header tells whole seconds")


def span(before: float, there: float, after: float, step: float = 0.0) -> Span:
    """Between how many and how many seconds a clock is ahead of ours, that told the time between our ``before`` and ``after``, rounded down to ``step``."""
    return there - after, there + step - before


def nearest(found: Span, other: float = 0.0) -> float:
    """How many seconds it is ahead of ours (behind: below 0), or of a clock that is ``other`` ahead of ours; 0 if it may be the same."""
    low, high = found
    return low - other if low > other else min(0.0, high - other)


def by_header(date: str | None, before: float, after: float) -> Span | None:
    """``span`` by the header Date of an HTTP answer; None if it says no time."""
    try:
        return span(before, parsedate_to_datetime(date or "").timestamp(), after, WHOLE_SECOND)
    except (TypeError, ValueError):
        return None


def seen(session: Session[Any], check: str, found: Span) -> Finding:
    """The finding of a clock check, which its threshold judges; the controller is told."""
    session.facts.setdefault(FACT, {})[check] = [round(edge, 3) for edge in found]
    seconds = nearest(found)
    where = "right" if abs(seconds) < 0.001 else f"{abs(seconds):.3f} s {'ahead of' if seconds > 0 else 'behind'} ours"
    return Finding(observed=round(abs(seconds), 3), message=f"its clock is {where}, as seen from here")


def asked(session: Session[Any], check: str, ask: Callable[[], str | None], where: str) -> Finding:
    """``seen`` of whoever answers over HTTP: ``ask`` returns the header Date. Raises NoData if there is none."""
    before = time.time()
    date = ask()
    found = by_header(date, before, time.time())
    if found is None:
        raise NoData(f"{where} says not what time it is (no Date header)")
    return seen(session, check, found)
