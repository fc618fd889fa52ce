# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a health run: compare with the past, set waived findings aside, decide, and write everything that was asked for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from ..common.errors import InvalidInput, OpsError
from ..reports.health_html import render_health
from ..reports.health_text import health_summary
from ..reports.junit import render_junit
from ..reports.model import CHECK_VERDICTS, DEGRADED, SKIPPED, UNKNOWN, Insights, Item, Report
from ..reports.prometheus import render_prometheus
from ..reports.writer import PRIVATE, READABLE, now, put, target, write
from . import catalogue, inputs, majority, sinks
from .comparisons import completed
from .decision import NEWS, decide
from .gathering import Gathered, gather, own
from .history import Assessment, FileStore, Loaded, Past, Store, assess, moment, points, series, values_of
from .history_registry import RegistryStore
from .model import About, Comparison
from .results import CONTROL, COULD_NOT_RUN, EXECUTED
from .thresholds import is_number, with_overrides
from .trends import days_to_full
from .waivers import BAD, apply

SHOWN_RUNS = 30
_ITEM = ("id", "subject", "verdict", "message", "tenants", "observed", "unit", "threshold", "evidence", "runbook", "since", "query", "status", "waiver")


def _with_trends(items: Sequence[dict[str, Any]], runs: Sequence[Past], started: str) -> list[dict[str, Any]]:
    """Add the last values of what has numbers, and when what has a capacity will be full."""
    told = []
    for item in items:
        key = (item["id"], item["subject"])
        more: dict[str, Any] = {}
        if is_number(item.get("observed")):
            value = float(item["observed"])
            before = series(runs, key, SHOWN_RUNS - 1)
            if any(past is not None for past in before):
                more["trend"] = [*before, value]
            if item.get("capacity") is not None:
                measured = [*points(runs, key), (moment(started).timestamp(), value)]
                more["forecast"] = days_to_full(measured, float(item["capacity"])).to_mapping()
        told.append({**item, **more})
    return told


def _changes(changes: Sequence[Mapping[str, Any]], items: Sequence[Mapping[str, Any]], started: str, compared_with: str | None) -> list[dict[str, Any]]:
    """Changes of the last 24 h, each with the findings that turned up after it: those that are new since the last run, if that run was before the change."""
    told = []
    for change in changes:
        at = moment(str(change["at"]))
        if not moment(started) - timedelta(days=1) <= at <= moment(started):
            continue
        news = compared_with is None or moment(compared_with) <= at
        after = [f"{item['id']} {item['subject']}" for item in items if news and item["verdict"] in BAD and item.get("status") in NEWS]
        told.append({**{key: str(change[key]) for key in ("at", "what", "where", "who") if change.get(key)}, "before": after})
    return told


def _history_items(loaded: Loaded) -> list[dict[str, Any]]:
    if not loaded.problems:
        return []
    first = "; ".join(loaded.problems[:3])
    more = f" and {len(loaded.problems) - 3} more" if len(loaded.problems) > 3 else ""
    against = f"compared with the run of {loaded.newest.started}" if loaded.newest else "no run can be read, so everything counts as new"
    message = f"the history cannot be read as a whole: {first}{more}. This run is {against}"
    return [
        own(
            catalogue.HISTORY,
            f"{CONTROL}/history",
            DEGRADED,
            message,
            "ls -l <report_dir>/health/history/*; SELECT * FROM health_runs",
        )
    ]


def _insights(params: Mapping[str, Any], gathered: Gathered, assessed: Assessment, loaded: Loaded, items: Sequence[Mapping[str, Any]]) -> Insights:
    counts = Counter(done.outcome for done in gathered.checks)
    decision = decide(items, params["fail_on"], params["fail_only_new"])
    newest = loaded.newest.started if loaded.newest else None
    verdict = _worst(items)
    known = [{name: value for name, value in asdict(one).items() if name != "seen"} for one in (*assessed.resolved, *assessed.unseen)]
    return Insights(
        profile=params["profile"],
        executed=counts[EXECUTED],
        skipped=counts[SKIPPED],
        could_not_run=counts[COULD_NOT_RUN],
        failed=decision.failed,
        decision=decision.why,
        compared_with=newest,
        resolved=known[: len(assessed.resolved)],
        unseen=known[len(assessed.resolved) :],
        changes=_changes(params["changes"], items, params["started"], newest),
        runs=[
            *({"started": past.started, "verdict": past.verdict} for past in loaded.runs[-(SHOWN_RUNS - 1) :]),
            {"started": params["started"], "verdict": verdict},
        ],
        questions=params["questions"],
    )


def _worst(items: Sequence[Mapping[str, Any]]) -> str:
    found = {item["verdict"] for item in items}
    return next((verdict for verdict in CHECK_VERDICTS if verdict in found), UNKNOWN)


def _check_changes(changes: Sequence[Any]) -> None:
    wrong = []
    for number, change in enumerate(changes, 1):
        try:
            moment(str(change["at"]))
            str(change["what"])
        except (KeyError, TypeError, ValueError):
            wrong.append(f"change {number} needs at (such as 2026-11-21T06:00:00Z) and what")
    if wrong:
        raise InvalidInput("The list of changes is refused", wrong)


def make(params: Mapping[str, Any], known: Sequence[About], loaded: Loaded) -> tuple[Report, Past]:
    """The report, and what the history is to keep of it. Raises InvalidInput for mistakes in the inputs, all at once."""
    given = inputs.read(params, known)
    _check_changes(params["changes"])
    ahead = params.get("ahead", 0.0)
    across = with_overrides([about for about in known if isinstance(about, Comparison)], params["thresholds"])
    gathered = gather(json.loads(params["endpoints"]), params["expected"], given.selection, across)
    found = [*gathered.items, *_history_items(loaded)]
    # What is on the list again and again (waivers, history) is compared like any other finding.
    today = moment(params["started"]).date()
    only_waivers, notes = apply(found, given.waivers, today)
    found += [item for item in only_waivers if item["id"] == catalogue.WAIVERS]
    looked_at = gathered.looked_at() | {(name, f"{CONTROL}/{part}") for name, part in ((catalogue.WAIVERS, "waivers"), (catalogue.HISTORY, "history"))}
    looked_at |= {(catalogue.RUN, f"{CONTROL}/health")} | {(catalogue.ENDPOINT, done.place) for done in gathered.checks if done.id != catalogue.ENDPOINT}
    assessed = assess(found, looked_at, loaded.newest, params["started"], params["history_days"])
    items, _notes = apply(_with_trends(assessed.items, loaded.runs, params["started"]), [one for one in given.waivers if one.expires >= today], today)
    insights = _insights(params, gathered, assessed, loaded, items)
    report = Report(
        operation=params["operation"],
        environment=params["environment"],
        regions=params["regions"],
        run_id=params["run_id"],
        check_mode=params["check"],
        started=params["started"],
        finished=majority.back(now(), ahead),
        acting=False,
        items=[_item(item) for item in items],
        notes=[*params["notes"], *notes, *([f"the times in this report are those of most systems' clocks, not of ours ({catalogue.CLOCK})"] if ahead else [])],
        insights=insights,
    )
    # A place that said nothing this time keeps its older reading; a reading says itself when it was taken.
    counters = {**(loaded.newest.counters if loaded.newest else {}), **gathered.counters}
    past = Past(report.environment, report.run_id, report.started, report.verdict, insights.profile, assessed.findings, values_of(assessed.items), counters)
    return report, past


def _item(item: Mapping[str, Any]) -> Item:
    more = {name: item[name] for name in ("trend", "forecast") if item.get(name)}
    return Item(**{name: item[name] for name in _ITEM if name in item}, **more)


def _outputs(report: Report, params: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Write what was asked for besides the report; paths, and what could not be written. A check run writes none of it: it would stand for the real run."""
    paths, problems = [], []
    wanted = (
        (params["prometheus_file"], render_prometheus, "health_prometheus_file", READABLE),
        (params["junit_file"], render_junit, "health_junit_file", PRIVATE),
    )
    for path, render, setting, permissions in wanted:
        if not path or report.check_mode:
            continue
        try:
            paths.append(str(put(Path(path), render(report), setting, permissions)))
        except OpsError as error:
            problems.append(error.message)
    return paths, problems


def _amended(report: Report, problems: Mapping[str, str], fail_on: Sequence[str]) -> Report:
    """The report with what could not be written, kept or sent as findings, so that it is seen and not only logged."""
    items = [*report.items]
    for name, problem in problems.items():
        item = own(catalogue.SINKS, f"{CONTROL}/{name}", DEGRADED, problem, "playbooks/health.yml")
        items.append(_item({**item, "since": report.started, "status": "new"}))
    told = report.insights
    if told is not None and DEGRADED in fail_on:
        told = replace(told, failed=True, decision=f"fails: {len(problems)} output(s) could not be written or sent")
    return replace(report, items=items, insights=told)


def store_of(params: Mapping[str, Any]) -> Store:
    """The registry if the inventory says so, else files beside the reports."""
    if params["history_registry"]:
        return RegistryStore(params["history_registry"], params["operation"], params["history_runs"], params["history_days"])
    directory = params["history_dir"] or Path(params["report_dir"]) / params["operation"] / "history"
    return FileStore(directory, params["history_runs"], params["history_days"])


def perform(params: Mapping[str, Any]) -> dict[str, Any]:
    """What the module does: conclude a run, or check the inputs only and tell what the last run counted. Raises OpsError as ``conclude`` does."""
    return check_inputs(params) if params["step"] == "inputs" else conclude(params)


def check_inputs(params: Mapping[str, Any]) -> dict[str, Any]:
    """Check the inputs before anything is asked; what the selection means, and what the last run counted. Raises InvalidInput."""
    known = catalogue.everything()
    inputs.read(params, known)
    counters: Mapping[str, Any] = {}
    if params["environment"] and any(params[place] for place in ("history_registry", "history_dir", "report_dir")):
        newest = store_of(params).load(params["environment"], moment(params["started"] or now())).newest
        counters = newest.counters if newest else {}
    return {"changed": False, "checks": [about.id for about in known], "only": completed(params["only"], known), "counters_before": dict(counters)}


def conclude(params: Mapping[str, Any], known: Sequence[About] | None = None, store: Store | None = None) -> dict[str, Any]:
    """Make the report, write it and all outputs, keep the run; return what the module returns.

    Raises InvalidInput if the inputs are refused, OpsError if the report itself cannot be written.
    """
    known = catalogue.everything() if known is None else known
    store = store or store_of(params)
    params = majority.put_right({**params, "questions": {about.id: about.question for about in known}})
    loaded = store.load(params["environment"], moment(params["started"]))
    report, past = make(params, known, loaded)
    page = str(target(report, params["report_dir"]).with_suffix(".html"))
    if report.check_mode:
        report = replace(report, notes=[*report.notes, *sinks.rehearse(params, report, page)])
    path = write(report, params["report_dir"], html=render_health(report))
    paths, problems = _outputs(report, params)
    if not report.check_mode:
        try:
            store.add(past)  # after the report: what nobody has been shown must not count as known to the next run
        except OpsError as error:
            problems.append(error.message)
    told = {f"outputs/{number}": problem for number, problem in enumerate(problems, 1)}
    if not report.check_mode:
        before = _amended(report, told, params["fail_on"]) if told else report
        told |= {f"sinks/{sink}": problem for sink, problem in sinks.deliver(params, before, page).items()}
    if told:
        report = _amended(report, told, params["fail_on"])
        write(report, params["report_dir"], html=render_health(report))
    return {
        "changed": False,
        "verdict": report.verdict,
        "failing": report.insights is not None and report.insights.failed,
        "counts": report.counts,
        "path": str(path),
        "paths": [str(path), page, *paths],
        "summary": health_summary(report, page),
        "new": sum(item.status in NEWS for item in report.items if item.verdict in BAD),
    }
