# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report of checks on the terminal: verdict first, then what is new, what is still open, what will break next, and how to repeat each finding.

The text is plain. ``tone`` says which colour a line deserves; whoever prints it knows whether there is a terminal.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .matrix import some
from .model import Item, Report
from .plain import WIDTH, plain
from .sections import Line, Sections, age, by_day, counted, forecast, measured, touched

_WORDS = {"ok": "ok", "degraded": "degraded", "unknown": "UNKNOWN", "critical": "CRITICAL", "skipped": "skipped"}
_TONE = re.compile(r"^(?:health|diagnose): (?P<verdict>[A-Z]+)|^  (?P<word>CRITICAL|UNKNOWN|degraded)\b")
_TONES = {"ok": "ok", "degraded": "degraded", "unknown": "unknown", "critical": "critical"}
MAX_LINES = 40


def tone(line: str) -> str | None:
    """The verdict whose colour a line of a summary has; None: no colour."""
    match = _TONE.match(line)
    return _TONES.get((match["verdict"] or match["word"]).lower()) if match else None


def _wrapped(text: str, indent: str = "      ") -> list[str]:
    lines = []
    for line in plain(text).splitlines():
        lines += textwrap.wrap(line, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return lines


def _since(item: Item, started: str) -> str:
    if item.since is None:
        return ""
    if item.status == "worse":
        return f"worse than before, there for {age(item.since, started)} (since {item.since})"
    return "new" if item.status == "new" else f"there for {age(item.since, started)} (since {item.since})"


def _told(line: Line, started: str) -> list[str]:
    first = line.first
    where = some(line.subjects, 5)
    head = f"{_WORDS[first.verdict]}  {line.title}  {where}: {plain(first.message)}"
    lines = textwrap.wrap(" ".join(head.split("\n")), WIDTH, initial_indent="  ", subsequent_indent="      ", break_long_words=False, break_on_hyphens=False)
    facts = [measured(first) if len(line.items) == 1 else "", _since(first, started), forecast(first)]
    if line.tenants:
        facts.append(f"{len(line.tenants)} tenant(s): {some(line.tenants)}")
    if any(facts):
        lines += _wrapped("; ".join(fact for fact in facts if fact))
    if first.evidence and len(line.items) == 1:
        lines += _wrapped(f"evidence: {' '.join(first.evidence.split())[:400]}")
    if first.runbook:
        lines += _wrapped(f"runbook: {first.runbook}")
    if first.query and len(line.ids) == 1:
        lines += _wrapped(f"repeat:  {' '.join(first.query.split())}")
    return lines


def _section(title: str, body: Iterable[str]) -> list[str]:
    found = list(body)
    return ["", title, *found] if found else []


def _findings(title: str, found: list[Line], started: str) -> list[str]:
    body = [text for line in found[:MAX_LINES] for text in _told(line, started)]
    if len(found) > MAX_LINES:
        body.append(f"  … and {len(found) - MAX_LINES} more; the report has them all")
    return _section(f"{title} ({sum(len(line.items) for line in found)}):", body)


def _known(one: Mapping[str, Any], started: str) -> str:
    return f"  {one['id']}  {one['subject']}  (was {one['verdict']}, there for {age(one['since'], started)})"


def _change(change: Mapping[str, Any]) -> list[str]:
    words = "  ".join(str(change[key]) for key in ("at", "where", "what", "who") if change.get(key))
    before = tuple(change.get("before") or ())
    return _wrapped(f"{words}{'  <- before: ' + some(before, 5) if before else ''}", "  ")


def _several(found: list[Any], write: Callable[[Any], list[str]], limit: int = 10) -> list[str]:
    lines = [text for one in found[:limit] for text in write(one)]
    return [*lines, f"  … and {len(found) - limit} more"] if len(found) > limit else lines


def health_summary(report: Report, path: str | None = None) -> str:
    """The whole text; ``path`` is where the report lies. The report must have insights."""
    told, sections, now = report.insights, Sections.of(report), report.started
    if told is None:
        raise ValueError("this is no report of checks")
    compared = f"since the run of {told.compared_with}" if told.compared_with else "there is no earlier run to compare with"
    tenants = touched(report)
    lines = [
        f"{report.operation}: {report.verdict.upper()}{' (check run)' if report.check_mode else ''}",
        counted(report),
        f"environment {report.environment}, profile {told.profile}, run {report.run_id}, {report.started} to {report.finished}; this run {told.decision}",
    ]
    if tenants:
        lines += textwrap.wrap(f"tenants touched: {len(tenants)}: {some(tenants)}", WIDTH, subsequent_indent="    ")
    lines += _findings(f"New, {compared}", sections.new, now) or ["", f"Nothing new, {compared}."]
    lines += _section("Changes of the last 24 h:", _several(by_day(told.changes), _change))
    lines += _findings("Still open", sections.open, now)
    lines += _section("Resolved:", _several(list(told.resolved), lambda one: [_known(one, now)]))
    lines += _section("Open before, not looked at this time:", _several(list(told.unseen), lambda one: [_known(one, now)]))
    filling = [f"  {item.id}  {item.subject}: {forecast(item)}; {measured(item)}" for item in sections.filling]
    lines += _section("Will be full:", _several(filling, lambda one: [one]))
    lines += _section("Waived:", (text for line in sections.waived for text in _wrapped(f"{line.title}  {some(line.subjects, 5)}: {line.first.message}", "  ")))
    lines += _section("Skipped:", (text for reason, items in sections.skipped for text in _skipped(reason, items)))
    lines += _section("Notes:", (text for note in report.notes for text in _wrapped(note, "  ")))
    return plain("\n".join([*lines, *(["", f"Report: {path}"] if path else [])]))


def _skipped(reason: str, items: list[Item]) -> list[str]:
    ids = tuple(dict.fromkeys(item.id for item in items))
    return _wrapped(f"{len(items)} x {reason} ({some(ids, 5)})", "  ")
