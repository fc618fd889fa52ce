# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What time it is, by most clocks. If most agree with each other and not with ours, ours is the one that is wrong.

That is one finding (``health.clock``); the systems' clocks are then judged by each other, and the report's times are put right. Of two clocks that differ
nobody can say which is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from ..reports.model import OK, UNKNOWN
from . import catalogue, clocks
from .clocks import FACT, Span, nearest
from .history import FORMAT, moment
from .model import About, Finding, Threshold
from .results import CONTROL, Done, Run, item, outcome_of
from .thresholds import is_number, judge

PLACE = f"{CONTROL}/clock"
TOGETHER = 1.0  # seconds that clocks which agree may be apart, the time included that it takes to ask them

OURS = About(
    id=catalogue.CLOCK,
    question="Is our own clock right?",
    system="health",
    query="date -u; timedatectl status (on the machine that ran the checks)",
    runbook="health.md#whose-clock-is-wrong",
    threshold=clocks.THRESHOLD,
)


def _told(facts: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[tuple[str, str], Span]:
    """(check, place) -> between what and what it is ahead of ours."""
    return {(check, place): (float(found[0]), float(found[1])) for place, fact in facts for check, found in fact.get(FACT, {}).items()}


def _middle(told: Mapping[Any, Span]) -> tuple[float, int]:
    """The time that most clocks may tell, ours among them, seconds ahead of ours; and how many do. What they tell is as wide as they took to answer."""
    voices = [(0.0, 0.0), *told.values()]

    def agreement(time: float) -> tuple[int, float, float]:
        away = [abs(nearest(found, time)) for found in voices]
        return sum(seconds <= TOGETHER for seconds in away), -sum(min(seconds, TOGETHER) for seconds in away), -abs(time)

    middle = max((edge for found in voices for edge in found), key=agreement)
    return middle, agreement(middle)[0]


def _wrong(told: Mapping[Any, Span]) -> float | None:
    """How far ahead of most others ours is; 0 if it is one of them, None if there is no majority."""
    middle, near = _middle(told)
    if 2 * near <= len(told) + 1:
        return None
    return 0.0 if abs(middle) <= TOGETHER else -middle


def ours_is_ahead(endpoints: Sequence[Mapping[str, Any]]) -> float:
    """Seconds that our clock is ahead of those of most systems; 0 if it is right or nobody can say. ``endpoints`` as ``gather`` takes them."""
    runs = (endpoint["run"] for endpoint in endpoints if isinstance(endpoint.get("run"), Mapping))
    told = _told((f"{run.get('region')}/{run.get('system')}", run.get("facts") or {}) for run in runs)
    return (_wrong(told) or 0.0) if len(told) > 1 else 0.0


def put_right(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a report, with the time at which the run ``started``, and how far ``ahead`` our clock is, by most clocks.

    So waivers end on their day, ages are true, and no run of the future comes into the history.
    """
    seconds = ours_is_ahead(json.loads(params["endpoints"]))
    return {**params, "ahead": seconds, "started": back(params["started"], seconds)}


def back(text: str, seconds: float) -> str:
    """A time of a report (FORMAT) by a clock that is ``seconds`` ahead, put right."""
    return (moment(text) - timedelta(seconds=seconds)).strftime(FORMAT) if seconds else text


def _again(old: Mapping[str, Any], off: float) -> dict[str, Any]:
    """A clock's item, judged by most clocks instead of ours."""
    threshold = Threshold(unit=old["unit"], **old["threshold"])
    where = f"{abs(off):.3f} s {'ahead of' if off > 0 else 'behind'}" if abs(off) > TOGETHER else "that of"
    message = f"its clock is {where} most systems; ours is wrong ({catalogue.CLOCK})"
    return {**old, "observed": round(abs(off), 3), "verdict": judge(abs(off), threshold), "message": message}


def settle(items: Sequence[dict[str, Any]], runs: Sequence[Run]) -> tuple[list[dict[str, Any]], list[Done]]:
    """All items, clocks judged by the majority, and with the one about our own clock, if there are at least two others to compare it with."""
    told = _told((run.place, run.facts) for run in runs)
    if len(told) < 2:
        return list(items), []
    middle, near = _middle(told)
    wrong = _wrong(told)
    rest = [f"{place} {nearest(found):+.1f} s" for (_check, place), found in sorted(told.items()) if abs(nearest(found, middle)) > TOGETHER]
    besides = f" (not with them: {', '.join(rest[:5])}{f' and {len(rest) - 5} more' if len(rest) > 5 else ''})" if rest else ""
    if wrong is None:
        own = Finding(verdict=UNKNOWN, message=f"nobody knows what time it is: no majority of {len(told)} clocks and ours agrees{besides}")
    elif not wrong:
        own = Finding(observed=round(abs(middle), 3), verdict=OK, message=f"ours agrees with {near - 1} of {len(told)} clocks{besides}")
    else:
        direction = "ahead of" if wrong > 0 else "behind"
        message = f"ours is {abs(wrong):.1f} s {direction} {near} of {len(told)} clocks, which agree with each other{besides}"
        own = Finding(observed=round(abs(wrong), 3), message=message)
    made = item(OURS, own, PLACE)
    if wrong:
        known = {key: nearest(found, middle) for key, found in told.items()}
        items = [
            _again(one, known[(one["id"], one["subject"])]) if (one["id"], one["subject"]) in known and is_number(one["observed"]) and one["threshold"] else one
            for one in items
        ]
    return [*items, made], [Done(OURS.id, PLACE, outcome_of([made]))]
