# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the forms of a report of checks share: which findings stand in which section, and how ages, thresholds and lists of names are written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .matrix import some
from .model import CHECK_VERDICTS, OK, SKIPPED, UNKNOWN, Item, Report

BAD = tuple(verdict for verdict in CHECK_VERDICTS if verdict != OK)
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def moment(text: str) -> datetime:
    """A time of a report. Raises ValueError if it is none."""
    return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)


def age(since: str, now: str) -> str:
    """How long something is there: ``3 d``, ``5 h``, ``12 min``."""
    seconds = max(0, int((moment(now) - moment(since)).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds // 60} min"


def figure(value: Any) -> str:
    """A value for people: numbers with at most six digits that count."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def measured(item: Item) -> str:
    """``observed 35 s (degraded from 30, critical from 300)``, or nothing if nothing was measured."""
    if item.observed is None or isinstance(item.observed, (dict, list)):
        return ""
    unit = f" {item.unit}" if item.unit else ""
    limits = dict(item.threshold or {})
    word = "below" if limits.get("worse") == "lower" else "from"
    said = ", ".join(f"{name} {word} {figure(limits[name])}" for name in ("degraded", "critical") if name in limits)
    return f"observed {figure(item.observed)}{unit}" + (f" ({said})" if said else "")


def forecast(item: Item) -> str:
    """``full in 41 d (30 to 77 d)``; nothing if there is no expected day."""
    told = item.forecast or {}
    if told.get("days") is None:
        return ""
    latest = "later than can be said" if told.get("latest") is None else f"{told['latest']:g}"
    earliest = "0" if told.get("earliest") is None else f"{told['earliest']:g}"
    return f"full in {told['days']:g} d (95 %: {earliest} to {latest} d)"


@dataclass(frozen=True)
class Line:
    """Findings that say the same of the same place; ``items`` has at least one."""

    items: tuple[Item, ...]

    @property
    def first(self) -> Item:
        """The one whose words stand for all."""
        return self.items[0]

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all."""
        return tuple(dict.fromkeys(item.id for item in self.items))

    @property
    def subjects(self) -> tuple[str, ...]:
        """Of all."""
        return tuple(dict.fromkeys(item.subject for item in self.items))

    @property
    def tenants(self) -> tuple[str, ...]:
        """Of all."""
        return tuple(sorted({tenant for item in self.items for tenant in item.tenants}))

    @property
    def title(self) -> str:
        """What it is about: the check, or how many of them."""
        return self.ids[0] if len(self.ids) == 1 else f"{len(self.ids)} checks ({some(self.ids, 3)})"


def lines(items: Iterable[Item]) -> list[Line]:
    """Findings with equal words together: several checks that a dead system silenced, or one check that says the same of several things."""
    together: dict[tuple[str, ...], list[Item]] = defaultdict(list)
    for item in items:
        place = "/".join(item.subject.split("/")[:2])
        # What could not be measured has one reason for many checks; what was measured stands for itself unless it is the same check.
        key = ("", place) if item.verdict in (UNKNOWN, SKIPPED) and item.waiver is None else (item.id, place)
        together[(item.verdict, item.message, *key)].append(item)
    return [Line(tuple(found)) for found in together.values()]


def worst_first(items: Iterable[Item]) -> list[Item]:
    """Bad ones, worst first, else as they come."""
    return sorted((item for item in items if item.verdict in BAD), key=lambda item: BAD.index(item.verdict))


@dataclass(frozen=True)
class Sections:
    """The findings of a report as people read them."""

    new: list[Line]
    open: list[Line]
    waived: list[Line]
    skipped: list[tuple[str, list[Item]]]
    filling: list[Item]

    @classmethod
    def of(cls, report: Report) -> Sections:
        """Lay a report out."""
        bad = worst_first(report.items)
        skipped: dict[str, list[Item]] = defaultdict(list)
        for item in report.items:
            if item.verdict == SKIPPED and item.waiver is None:
                skipped[item.message].append(item)
        filling = [item for item in report.items if item.forecast and item.forecast.get("days") is not None]
        return cls(
            new=lines(item for item in bad if item.status != "open"),
            open=lines(item for item in bad if item.status == "open"),
            waived=lines(item for item in report.items if item.waiver is not None),
            skipped=list(skipped.items()),
            filling=sorted(filling, key=lambda item: float((item.forecast or {})["days"])),
        )


def touched(report: Report) -> tuple[str, ...]:
    """Tenants that a finding names."""
    return tuple(sorted({tenant for item in worst_first(report.items) for tenant in item.tenants}))


def counted(report: Report) -> str:
    """``93 checks ran, 4 skipped, 2 could not run; 120 ok, 1 critical``."""
    found = ", ".join(f"{count} {verdict}" for verdict, count in report.counts.items() if count) or "nothing found"
    told = report.insights
    if told is None:
        return found
    return f"{told.executed} checks ran, {told.skipped} skipped, {told.could_not_run} could not run; {found}"


def by_day(changes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Changes, the latest first."""
    return sorted(changes, key=lambda change: str(change.get("at")), reverse=True)
