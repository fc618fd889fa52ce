# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary on the terminal, to be read in a minute: verdict first, then counts, the table, and what to do about problems."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence

from .matrix import Group, Matrix, groups, matrix, some
from .model import SKIPPED, Item, Report
from .plain import WIDTH, plain

MAX_ROWS = 30
_SHORT = {"kubernetes": "k8s", "postgresql": "pg", "object_store": "s3"}
_WORDS = {"succeeded": "ok", "failed": "FAILED", "refused": "REFUSED", "skipped": "-"}
_WORDS |= {"ok": "ok", "degraded": "degraded", "unknown": "UNKNOWN", "critical": "CRITICAL"}


def _width(text: str) -> int:
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _cell(item: Item | None) -> str:
    if item is None:
        return ""
    return "changed" if item.changed and item.verdict == "succeeded" else _WORDS[item.verdict]


def table(headings: Sequence[Sequence[str]], rows: Sequence[Sequence[str]]) -> list[str]:
    """Left-aligned columns under one or more lines of headings. A heading may run over the empty headings that follow it."""
    columns = range(len(headings[-1]))
    widths = [max(_width(row[column]) for row in (*headings[-1:], *rows)) for column in columns]

    def line(row: Sequence[str]) -> str:
        text = ""
        start = 0
        for column in columns:
            text += " " * (start - _width(text)) + row[column] + (" " if row[column] else "")
            start += widths[column] + 2
        return text.rstrip()

    lines = [line(heading) for heading in headings]
    return [*lines, "-" * (sum(widths) + 2 * len(widths) - 2), *(line(row) for row in rows)]


def _quiet(view: Matrix, tenant: str) -> bool:
    return all(item.verdict in ("succeeded", "ok", SKIPPED) and not item.changed for item in view.row_items(tenant))


def _headings(view: Matrix) -> list[list[str]]:
    """Regions above systems, each region once, above the first of its systems."""
    regions = [region for region, _system in view.columns]
    above = [region if column == 0 or regions[column - 1] != region else "" for column, region in enumerate(regions)]
    return [["", "", "", "", *above], ["tenant", "tier", "home", "state", *(_SHORT.get(system, system) for _region, system in view.columns)]]


def _table(view: Matrix) -> list[str]:
    if not view.rows or not view.columns:
        return []
    rows = list(view.rows)
    if len(rows) > MAX_ROWS:
        rows = [row for row in rows if not _quiet(view, row.id)][:MAX_ROWS]
    body = [[row.id, row.tier, row.region, row.state, *(_cell(view.cells.get((row.id, region, system))) for region, system in view.columns)] for row in rows]
    lines = table(_headings(view), body) if rows else []
    if len(rows) < len(view.rows):
        lines.append(f"… and {len(view.rows) - len(rows)} more of {len(view.rows)} tenants{', nothing new about them' if len(rows) < MAX_ROWS else ''}")
    return lines


def _told(group: Group) -> list[str]:
    who = f" ({len(group.tenants)} tenants: {some(group.tenants)})" if len(group.tenants) > 1 else f" ({group.tenants[0]})" if group.tenants else ""
    lines = plain(group.message).splitlines() or [""]
    head = f"{_WORDS[group.verdict] if group.verdict != SKIPPED else 'skipped'}  {group.place}{who}: {lines[0]}"
    wrapped = textwrap.wrap(head, WIDTH, subsequent_indent="    ", break_long_words=False)
    return [*wrapped, *(f"    {line}" for line in lines[1:])]


def summary(report: Report, path: str | None = None) -> str:
    """The whole summary; ``path`` is where the report lies."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in report.counts.items() if count) or "nothing to do"
    if report.acting:
        counts += f"; {report.changed} {'would change' if report.check_mode else 'changed'}"
    lines = [
        f"{report.operation}: {report.verdict.upper()}{' (check mode: nothing was changed)' if report.check_mode else ''}",
        f"{counts}  |  environment {report.environment}, run {report.run_id}, {report.started} to {report.finished}",
    ]
    rows = _table(matrix(report))
    if rows:
        lines += ["", *rows]
    problems = groups(report.problems)
    if problems:
        lines += ["", "Problems:", *(line for group in problems for line in _told(group))]
    skipped = groups([item for item in report.items if item.verdict == SKIPPED])
    if skipped:
        lines += ["", "Skipped:", *(line for group in skipped for line in _told(group))]
    if report.notes:
        lines += ["", "Notes:", *(line for note in report.notes for line in textwrap.wrap(plain(note), WIDTH, subsequent_indent="    "))]
    if path:
        lines += ["", f"Report: {path}"]
    return "\n".join(lines)
