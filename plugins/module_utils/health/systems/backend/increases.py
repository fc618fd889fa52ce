# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened since the last run: counters of the application beside those that the last run left in the history (fact and option ``counters``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...model import NotApplicable
from .service import Run

FIRST = "this is the first reading: the next run compares with it"


def before(session: Run) -> dict[str, Any]:
    """The counters of the last run; empty if there is none."""
    return dict(session.options.get("counters_before") or {})


def keep(session: Run, **values: Any) -> None:
    """Leave counters for the next run. What this run does not read stays as the last one left it."""
    session.facts["counters"] = {**before(session), **session.facts.get("counters", {}), **values}


def since(session: Run, **values: float) -> dict[str, float]:
    """By how much these counters have grown since the last run. Raises NotApplicable if that is not known."""
    keep(session, **values)
    earlier = before(session)
    if any(name not in earlier for name in values):
        raise NotApplicable(FIRST)
    grown = {name: value - float(earlier[name]) for name, value in values.items()}
    if min(grown.values()) < 0:
        raise NotApplicable("the counters began anew since the last run: the next run compares with this one")
    return grown


def part(mapping: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, float]:
    """The growth of counters by label; one that was not there began at 0."""
    return {name: float(value) - float(earlier.get(name, 0)) for name, value in mapping.items()}
