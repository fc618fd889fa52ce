# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When something will be full, from what past runs measured.

The estimator is Theil and Sen's: the slope is the median of the slopes between all pairs of points, and its interval (95 %) comes from the order
statistics of these slopes (P. K. Sen, Journal of the American Statistical Association 63 (1968) 1379-1389, by way of Kendall's statistic). It does
not follow single outliers as least squares do. Its limits: growth is taken to be steady, so a week's rhythm or a clean-up in the middle widens the
interval or shifts it; points that depend on each other make the true interval wider than this one; and it is not carried further than HORIZON times
the time that was measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

MIN_POINTS = 8
MIN_SPAN_DAYS = 1.0
MAX_POINTS = 120
HORIZON = 10
ESTIMATOR = "Theil-Sen, 95 % interval after Sen 1968"
_DAY = 86400.0
_Z95 = 1.959964


@dataclass(frozen=True)
class Forecast:
    """Days until full: expected, at the earliest, at the latest. None: not within what can be said; ``reason`` says why there is no expected day."""

    days: float | None
    earliest: float | None
    latest: float | None
    points: int
    reason: str = ""

    def to_mapping(self) -> dict[str, Any]:
        """The form of reports; days rounded to tenths."""
        days = {name: None if value is None else round(value, 1) for name, value in (("days", self.days), ("earliest", self.earliest), ("latest", self.latest))}
        return {**days, "points": self.points, "estimator": ESTIMATOR, "reason": self.reason}


def slopes(points: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Slope per unit of time: lower end of the interval, median, upper end. Raises ValueError if all points are of the same time."""
    found = sorted((y2 - y1) / (x2 - x1) for number, (x1, y1) in enumerate(points) for x2, y2 in points[number + 1 :] if x2 != x1)
    if not found:
        raise ValueError("all points are of the same time")
    count = len(points)
    spread = _Z95 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = max(0, math.floor((len(found) - spread) / 2))
    high = min(len(found) - 1, math.ceil((len(found) + spread) / 2))
    return found[low], median(found), found[high]


def days_to_full(points: Sequence[tuple[float, float]], capacity: float) -> Forecast:
    """When the value reaches ``capacity``, counted from the last point. ``points`` are (seconds, value), oldest first; the last MAX_POINTS count."""
    points = list(points)[-MAX_POINTS:]
    count = len(points)
    span = (points[-1][0] - points[0][0]) / _DAY if points else 0.0
    if points and points[-1][1] >= capacity:
        return Forecast(0.0, 0.0, 0.0, count, "it is full")
    if count < MIN_POINTS or span < MIN_SPAN_DAYS:
        need = f"{MIN_POINTS} measurements over at least {MIN_SPAN_DAYS:g} d"
        return Forecast(None, None, None, count, f"too little is known: {count} measurement(s) over {span:.1f} d, and {need} are needed")
    left = capacity - points[-1][1]
    horizon = HORIZON * span
    lower, middle, upper = (left / slope / _DAY if slope > 0 else None for slope in reversed(slopes(points)))
    earliest, days, latest = (value if value is not None and value <= horizon else None for value in (lower, middle, upper))
    if days is not None:
        return Forecast(days, earliest, latest, count)
    beyond = f"not within {horizon:.0f} d, beyond which {span:.0f} d of measurements say nothing"
    return Forecast(None, earliest, None, count, "it is not growing" if middle is None else beyond)
