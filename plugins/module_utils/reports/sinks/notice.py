# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a report of checks is sent to people: whether anything at all, and in which words. Short: the report itself has everything. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..matrix import some
from ..model import CHECK_VERDICTS, OK, Item, Report
from ..plain import plain
from ..sections import Line, counted, lines, worst_first

SHOWN = 8  # findings in a message; the report has them all
_LONGEST = 240  # characters of a finding's own words
_NEWS = ("new", "worse")


def reaches(verdict: str, at_least: str) -> bool:
    """Whether a verdict is as bad as one that was asked for, or worse."""
    return CHECK_VERDICTS.index(verdict) <= CHECK_VERDICTS.index(at_least)


def bad(items: Iterable[Item], at_least: str) -> list[Item]:
    """Findings from a verdict on, worst first; waived ones are none."""
    return [item for item in worst_first(items) if reaches(item.verdict, at_least)]


def resolved(report: Report, at_least: str) -> list[Mapping[str, Any]]:
    """Findings of the last run, from a verdict on, that are gone."""
    told = report.insights
    return [one for one in told.resolved if reaches(one["verdict"], at_least)] if told is not None else []


@dataclass(frozen=True)
class Notice:
    """A message. ``subject`` is one line, ``body`` are lines of plain text without control characters and secrets."""

    subject: str
    body: Sequence[str]


def short(text: str, longest: int = _LONGEST) -> str:
    """One line of text that is safe to show, and not longer."""
    line = " ".join(plain(text.replace("\n", " ")).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _told(line: Line) -> str:
    first = line.first
    news = f" ({first.status})" if first.status in _NEWS else ""
    runbook = f" Runbook: {short(first.runbook)}" if first.runbook else ""
    return f"{first.verdict.upper()}{news} {short(line.title)} {short(some(line.subjects, 3))}: {short(first.message)}{runbook}"


def notice(report: Report, at_least: str, only_new: bool, page: str) -> Notice | None:
    """The message of a run; None if the run has nothing that was asked for.

    ``at_least`` is the verdict from which on findings count (``ok``: every run is told of); with ``only_new`` those count that are new or worse. What is
    resolved counts too. ``page`` says where the report lies.
    """
    found = bad(report.items, at_least)
    gone = resolved(report, at_least)
    news = [item for item in found if item.status in _NEWS] if only_new else found
    if not news and not gone and at_least != OK:
        return None
    told = lines(news)
    body = [counted(report)]
    if report.insights is not None:
        body.append(f"This run {short(report.insights.decision)}.")
    body += [_told(line) for line in told[:SHOWN]]
    if len(told) > SHOWN:
        body.append(f"… and {len(told) - SHOWN} more")
    if only_new and len(news) < len(found):
        body.append(f"Known before and still there: {len(found) - len(news)}")
    if gone:
        names = tuple(f"{one['id']} {one['subject']}" for one in gone)
        body.append(f"Resolved ({len(gone)}): {short(some(names, 5))}")
    return Notice(short(f"{report.environment} {report.operation}: {report.verdict.upper()}"), [*body, f"Report: {short(page)}"])
