# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a CronJob is due: five fields and the usual macros, as Kubernetes reads them (robfig/cron's standard parser)."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

_MACROS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_NO_NAMES: dict[str, int] = {}
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = ((0, 59, _NO_NAMES), (0, 23, _NO_NAMES), (1, 31, _NO_NAMES), (1, 12, _MONTHS), (0, 7, _DAYS))
_AHEAD = 366 * 5  # days in which every date that exists comes (29 February)


def _number(text: str, names: dict[str, int]) -> int:
    return names[text.lower()] if text.lower() in names else int(text)


def _field(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    values: set[int] = set()
    for part in text.split(","):
        span, _slash, step = part.partition("/")
        if span in ("*", "?"):
            first, last = low, high
        else:
            start, dash, end = span.partition("-")
            first = _number(start, names)
            last = _number(end, names) if dash else (high if step else first)
        every = int(step or 1)
        if not (low <= first <= last <= high and every > 0):
            raise ValueError(f"{part!r} is not within {low}-{high}")
        values.update(range(first, last + 1, every))
    return frozenset(values)


@dataclass(frozen=True)
class Schedule:
    """A schedule and the zone in which its hours are meant."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool  # one of the two day fields is *, so that the other alone decides
    zone: tzinfo

    @classmethod
    def parse(cls, text: str, zone: str | None = None) -> Schedule:
        """Read ``spec.schedule`` and ``spec.timeZone`` (without one: the controller's, taken as UTC). Raises ValueError."""
        fields = _MACROS.get(text.strip().lower(), text).split()
        if len(fields) != len(_FIELDS):
            raise ValueError(f"{text!r} has {len(fields)} fields instead of five")
        minutes, hours, days, months, weekdays = (_field(part, *limits) for part, limits in zip(fields, _FIELDS, strict=True))
        any_day = fields[2][0] in "*?" or fields[4][0] in "*?"
        where: tzinfo = ZoneInfo(zone) if zone else UTC
        return cls(minutes, hours, days, months, frozenset(day % 7 for day in weekdays), any_day, where)

    def _on(self, day: datetime) -> bool:
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and ((by_date and by_weekday) if self.any_day else (by_date or by_weekday))

    def after(self, moment: datetime) -> datetime | None:
        """The first time after ``moment`` at which it is due, in UTC; None if that is never."""
        local = moment.astimezone(self.zone).replace(second=0, microsecond=0)
        start = datetime(local.year, local.month, local.day, tzinfo=self.zone)
        for ahead in range(_AHEAD):
            day = start + timedelta(days=ahead)
            if not self._on(day):
                continue
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    due = day.replace(hour=hour, minute=minute).astimezone(UTC)
                    if due > moment:
                        return due
        return None
