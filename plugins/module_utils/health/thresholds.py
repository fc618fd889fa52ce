# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where measurements become verdicts, and how an inventory changes the figures. Nothing else in the collection compares with a threshold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, TypeVar

from ..reports.model import CRITICAL, DEGRADED, OK, UNKNOWN
from .model import LOWER, About, Threshold

Kind = TypeVar("Kind", bound=About)
_FIGURES = ("degraded", "critical")


def is_number(value: Any) -> bool:
    """Whether ``value`` can be compared: a finite number, and no truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def judge(value: float, threshold: Threshold) -> str:
    """The verdict on a measured value; what is no finite number is unknown."""
    if not is_number(value):
        return UNKNOWN
    for verdict, limit in ((CRITICAL, threshold.critical), (DEGRADED, threshold.degraded)):
        if limit is not None and (value <= limit if threshold.worse == LOWER else value >= limit):
            return verdict
    return OK


def nearest(name: str, names: Iterable[str]) -> str:
    """What to say after a name that is not known: the nearest that is."""
    close = get_close_matches(name, list(names), n=1, cutoff=0.4)
    return f"; did you mean {close[0]}?" if close else ""


def _names(checks: Iterable[About]) -> dict[str, Threshold | None]:
    """All names under which an inventory may change thresholds: ``<id>``, and ``<id>[<variant>]``."""
    names: dict[str, Threshold | None] = {}
    for check in checks:
        names[check.id] = check.threshold
        names |= {f"{check.id}[{variant}]": threshold for variant, threshold in check.variants.items()}
    return names


def _changed(threshold: Threshold, figures: Mapping[str, Any]) -> Threshold:
    degraded, critical = (figures.get(name, getattr(threshold, name)) for name in _FIGURES)
    return replace(threshold, degraded=degraded, critical=critical, source="inventory (health_thresholds)")


def _mistake(name: str, figures: Any, known: Mapping[str, Threshold | None]) -> str | None:
    if name not in known:
        return f"{name} is no check{nearest(name, known)}"
    threshold = known[name]
    if threshold is None:
        return f"{name} has no threshold of its own that could be changed"
    if not isinstance(figures, Mapping) or not figures or set(figures) - set(_FIGURES):
        return f"{name} must be a mapping with degraded, critical or both"
    odd = [key for key in figures if figures[key] is not None and not is_number(figures[key])]
    if odd:
        return f"{name}: {' and '.join(odd)} must be a number ({threshold.unit or 'a count'}), or null for never"
    try:
        _changed(threshold, figures)
    except ValueError as error:
        return f"{name}: {error}"
    return None


def mistakes(overrides: Mapping[str, Any], catalogue: Iterable[About]) -> list[str]:
    """What is wrong with an inventory's thresholds, all of it; the catalogue is that of all systems."""
    known = _names(catalogue)
    return [mistake for name, figures in overrides.items() if (mistake := _mistake(name, figures, known))]


def with_overrides(checks: Sequence[Kind], overrides: Mapping[str, Mapping[str, Any]]) -> list[Kind]:
    """The checks with the inventory's figures; overrides of other systems' checks are left alone. ``mistakes`` must have found none."""
    changed = []
    for check in checks:
        usual = check.threshold
        if usual is not None and check.id in overrides:
            usual = _changed(usual, overrides[check.id])
        variants = {
            variant: _changed(threshold, overrides[f"{check.id}[{variant}]"]) if f"{check.id}[{variant}]" in overrides else threshold
            for variant, threshold in check.variants.items()
        }
        changed.append(replace(check, threshold=usual, variants=variants))
    return changed
