# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks across endpoints, on the controller, from the facts that their runs brought back. A side that is missing makes the comparison unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..reports.model import SKIPPED, UNKNOWN
from .model import About, Comparison, Finding, NotApplicable, Side
from .results import CONTROL, COULD_NOT_RUN, Done, Run, item, outcome_of, whole
from .runner import Selection, reason_of


def _missing(comparison: Comparison, region: str, runs: Mapping[tuple[str, str], Run]) -> str:
    run = runs.get((comparison.system, region))
    if run is None:
        return f"nothing was heard of {region}/{comparison.system}"
    reasons = [done.reason for done in run.checks if done.outcome == COULD_NOT_RUN and done.reason]
    return f"{region}/{comparison.system} did not say its {comparison.fact}" + (f" ({reasons[0]})" if reasons else "")


def _compared(comparison: Comparison, regions: Sequence[str], runs: Mapping[tuple[str, str], Run]) -> tuple[list[dict[str, Any]], str]:
    place = f"{CONTROL}/{comparison.system}"
    if len(regions) < 2:
        where = f"only in {regions[0]}" if regions else "nowhere"
        reason = f"there is nothing to compare: {comparison.system} is {where} by declaration"
        return [whole(comparison, place, SKIPPED, reason)], reason
    sides = {region: runs[(comparison.system, region)].facts.get(comparison.fact) for region in regions if (comparison.system, region) in runs}
    silent = [region for region in regions if sides.get(region) is None]
    if silent:
        reason = "; ".join(_missing(comparison, region, runs) for region in silent)
        return [whole(comparison, place, UNKNOWN, f"cannot be compared: {reason}")], reason
    found: list[dict[str, Any]] = []
    try:
        for finding in comparison.compare([Side(region, sides[region]) for region in regions]):
            found.append(item(comparison, finding, place))
    except NotApplicable as error:
        return [*found, whole(comparison, place, SKIPPED, error.message)], error.message
    except Exception as error:
        reason = reason_of(error)
        return [*found, whole(comparison, place, UNKNOWN, reason)], reason
    if not found:
        reason = "the comparison found nothing at all, good or bad: nothing was compared"
        return [whole(comparison, place, UNKNOWN, reason)], reason
    return found, ""


def compare(
    comparisons: Sequence[Comparison], runs: Sequence[Run], expected: Mapping[str, Sequence[str]], selection: Selection | None = None
) -> tuple[list[dict[str, Any]], list[Done]]:
    """Items and outcomes of all comparisons. ``expected`` is system -> regions in which an endpoint should have been heard of."""
    selection = selection or Selection()
    by_place = {(run.system, run.region): run for run in runs}
    items: list[dict[str, Any]] = []
    done: list[Done] = []
    for comparison in comparisons:
        if not selection.wanted(comparison):
            continue
        skip = selection.why_not(comparison)
        place = f"{CONTROL}/{comparison.system}"
        found, reason = ([whole(comparison, place, SKIPPED, skip)], skip) if skip else _compared(comparison, expected.get(comparison.system, ()), by_place)
        items += found
        done.append(Done(comparison.id, place, outcome_of(found), 0.0, reason))
    return items, done


def completed(only: Sequence[str], known: Sequence[About]) -> list[str]:
    """The ids ``only``, and those of the checks that tell what the comparisons among them compare."""
    told_by = (about.told_by for about in known if isinstance(about, Comparison) and about.id in only)
    return list(dict.fromkeys((*only, *told_by)))


def finding(side: Side, **more: Any) -> Finding:
    """A finding about one side of a comparison."""
    return Finding(region=side.region, **more)
