# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report of checks as one HTML file: nothing is loaded from elsewhere, and whatever comes from systems is text, by the template engine's escaping."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..common.lazy import LazyModule
from ..common.redaction import redact, redact_text
from .health_page import SCRIPT, STYLE, TEMPLATE
from .matrix import some
from .model import CHECK_VERDICTS, SKIPPED, Item, Report
from .sections import Sections, age, by_day, forecast, measured, touched

_jinja2 = LazyModule("jinja2")
_WIDTH, _HEIGHT = 120.0, 22.0
_TOPS = {"ok": 13, "degraded": 8, "unknown": 4, "critical": 0}


@dataclass(frozen=True)
class Sparkline:
    """Polylines (one per unbroken stretch), the last point, and what a screen reader says."""

    segments: tuple[str, ...]
    x: str
    y: str
    label: str


def sparkline(values: Sequence[float | None], unit: str = "") -> Sparkline | None:
    """Draw values, oldest first; a run without a value is a gap. None if fewer than two are known, or the last is not."""
    known = [value for value in values if value is not None]
    if len(known) < 2 or values[-1] is None:
        return None
    low, high = min(known), max(known)
    step, span = _WIDTH / (len(values) - 1), (high - low) or 1.0
    segments: list[list[str]] = [[]]
    place = ("0", "0")
    for number, value in enumerate(values):
        if value is None:
            segments.append([])
            continue
        middle = _HEIGHT / 2 if high == low else _HEIGHT * (high - value) / span
        place = (f"{number * step:.1f}", f"{middle:.1f}")
        segments[-1].append(",".join(place))
    label = f"{len(known)} of the last {len(values)} runs: {low:.6g} to {high:.6g}{f' {unit}' if unit else ''}, now {known[-1]:.6g}"
    return Sparkline(tuple(" ".join(part) for part in segments if part), *place, label)


def _text(value: Any) -> str:
    return redact_text(value if isinstance(value, str) else "" if value is None else json.dumps(redact(value), ensure_ascii=False))


def _of_item(item: Item) -> Sparkline | None:
    return sparkline(item.trend, item.unit or "") if item.trend else None


@lru_cache(maxsize=1)
def _template() -> Any:
    environment = _jinja2.Environment(autoescape=True, undefined=_jinja2.ChainableUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(TEMPLATE)


def render_health(report: Report, first: str = "") -> str:
    """The document; ``first`` is HTML that stands before the findings.

    Raises ValueError if the report has no insights, OpsError if the template engine is missing.
    """
    if report.insights is None:
        raise ValueError("this is no report of checks")
    digest = b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    page: str = _template().render(
        report=report,
        first=_jinja2.filters.Markup(first),
        told=report.insights,
        questions=report.insights.questions,
        sections=Sections.of(report),
        tenants=touched(report),
        changes=by_day(report.insights.changes),
        order=(*CHECK_VERDICTS, SKIPPED),
        heights=_TOPS,
        style=_jinja2.filters.Markup(STYLE),
        script=_jinja2.filters.Markup(SCRIPT),
        script_hash=f"sha256-{digest}",
        sparkline=_of_item,
        some=lambda names, limit: some(tuple(names), limit),
        measured=lambda item: _text(measured(item)),
        forecast=forecast,
        age=age,
        text=_text,
    )
    return page
