# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the endpoints' runs brought back to all items of a report. Pure: endpoints nobody heard of, comparisons, what the run says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..reports.model import UNKNOWN
from . import catalogue, comparisons, majority
from .history import Key
from .model import Comparison
from .results import CONTROL, COULD_NOT_RUN, EXECUTED, Done, Run
from .runner import Selection

COUNTERS = "counters"
RUNBOOK = "health.md#when-a-run-cannot-look"


@dataclass
class Gathered:
    """Everything that was found, what became of every check, and what each place counts (its fact ``counters``)."""

    items: list[dict[str, Any]] = field(default_factory=list)
    checks: list[Done] = field(default_factory=list)
    counters: dict[str, Any] = field(default_factory=dict)

    def looked_at(self) -> set[Key]:
        """(check, place) of the checks that ran to their end; what part of them could not be measured has not been looked at."""
        silent = {(item["id"], "/".join(str(item["subject"]).split("/")[:2])) for item in self.items if item["verdict"] == UNKNOWN}
        return {(done.id, done.place) for done in self.checks if done.outcome == EXECUTED and not done.reason and (done.id, done.place) not in silent}


def own(name: str, subject: str, verdict: str, message: str, query: str) -> dict[str, Any]:
    """A finding of the run about itself."""
    nothing: dict[str, Any] = {"observed": None, "unit": None, "threshold": None, "evidence": None, "tenants": []}
    return {"id": name, "subject": subject, "verdict": verdict, "message": message, **nothing, "runbook": RUNBOOK, "query": query}


def _runs(endpoints: Sequence[Mapping[str, Any]], gathered: Gathered) -> list[Run]:
    """The runs; an endpoint whose result is missing or is none is unknown, with what its host said."""
    runs = []
    for endpoint in endpoints:
        place = f"{endpoint['region']}/{endpoint['system']}"
        if endpoint.get("run") is None:
            reason = endpoint.get("error") or "nothing was heard of it"
            gathered.items.append(own(catalogue.ENDPOINT, place, UNKNOWN, f"none of its checks ran: {reason}", "the output of its host in this run"))
            gathered.checks.append(Done(catalogue.ENDPOINT, place, COULD_NOT_RUN, 0.0, str(reason)))
            continue
        try:
            run = Run.from_mapping(endpoint["run"])
        except (KeyError, TypeError, ValueError) as error:
            message = f"what its module returned cannot be read ({type(error).__name__}: {error})"
            gathered.items.append(own(catalogue.ENDPOINT, place, UNKNOWN, message, "the output of its host in this run"))
            gathered.checks.append(Done(catalogue.ENDPOINT, place, COULD_NOT_RUN, 0.0, message))
            continue
        runs.append(run)
    return runs


def gather(
    endpoints: Sequence[Mapping[str, Any]],
    expected: Mapping[str, Sequence[str]],
    selection: Selection,
    across: Sequence[Comparison],
) -> Gathered:
    """All items. ``endpoints`` have system, region and either run (a module's result) or error; ``expected`` is system -> regions that are not absent.

    An expected endpoint that is not among them is unknown. If not one check was executed, the run says so itself.
    """
    gathered = Gathered()
    runs = _runs(endpoints, gathered)
    there = {(str(endpoint["system"]), str(endpoint["region"])) for endpoint in endpoints}
    for system, regions in expected.items():
        for region in regions:
            if (system, region) not in there:
                reason = "no host of this run stands for it; add one (or leave --limit out), or declare it absent"
                gathered.items.append(own(catalogue.ENDPOINT, f"{region}/{system}", UNKNOWN, reason, "ansible-inventory --graph"))
                gathered.checks.append(Done(catalogue.ENDPOINT, f"{region}/{system}", COULD_NOT_RUN, 0.0, reason))
    for run in runs:
        gathered.items += run.items
        gathered.checks += run.checks
        if COUNTERS in run.facts:
            gathered.counters[run.place] = run.facts[COUNTERS]
    compared, done = comparisons.compare(across, runs, expected, selection)
    gathered.items, clock = majority.settle([*gathered.items, *compared], runs)
    gathered.checks += [*done, *clock]
    if not any(one.outcome == EXECUTED for one in gathered.checks):
        message = "not one check was executed: nothing is known about the platform"
        gathered.items.append(own(catalogue.RUN, f"{CONTROL}/health", UNKNOWN, message, "playbooks/health.yml"))
    return gathered
