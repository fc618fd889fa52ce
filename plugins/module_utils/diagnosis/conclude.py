# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a diagnosis: the health run's conclusion (history, waivers, decision), with areas, ranking and plan on top, and the bundle on request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..common.errors import InvalidInput
from ..common.redaction import redact
from ..health import catalogue, inputs
from ..health.comparisons import completed
from ..health.conclude import make
from ..health.decision import decide
from ..health.gathering import own
from ..health.history import FileStore, moment
from ..health.results import CONTROL
from ..reports.health_html import render_health
from ..reports.health_text import health_summary
from ..reports.model import UNKNOWN, Item, Report
from ..reports.writer import target, write
from . import bundle, ranking, text
from .areas import areas, unheard

OPERATION = "diagnose"
AREA = "diagnose.area"
# Shorter ones would blot out words.
LEAST_SECRET = 8


def about(selected: Sequence[str], chosen: bool) -> str:
    """The tenant that is diagnosed; an empty text for the platform. Raises InvalidInput for anything but one tenant."""
    if not chosen:
        return ""
    if len(selected) != 1:
        problem = f"tenant_selection chooses {len(selected)} tenants ({', '.join(selected[:5])}); name one, or leave it out for the platform"
        raise InvalidInput("The diagnosis is refused", [problem])
    return selected[0]


def begin(params: Mapping[str, Any]) -> dict[str, Any]:
    """Check the inputs before anything is asked; who it is about, and what the last run counted. Raises InvalidInput."""
    tenant = about(params["selected_ids"], params["chosen"])
    known = catalogue.everything()
    inputs.read(params, known)
    newest = _store(params).load(params["environment"], moment(params["started"])).newest
    only = completed(params["only"], known)
    return {"changed": False, "tenant": tenant, "only": only, "counters_before": dict(newest.counters) if newest else {}}


def _store(params: Mapping[str, Any]) -> FileStore:
    return FileStore(Path(params["report_dir"]) / OPERATION / "history", params["history_runs"], params["history_days"])


def _whole(report: Report, fail_on: Sequence[str]) -> Report:
    """The report with a finding for each area of which nothing is known, and the decision that goes with it."""
    silent = unheard(areas(report.items), report.items)
    if not silent or report.insights is None:
        return report
    more = []
    for one in silent:
        told = own(AREA, f"{CONTROL}/{one.name}", UNKNOWN, f"{one.name}: {one.message}", "playbooks/diagnose.yml")
        more.append(Item(**{**told, "runbook": "diagnose.md#areas", "since": report.started, "status": "new"}))
    items = [*report.items, *more]
    decision = decide([{"verdict": item.verdict, "status": item.status or "new"} for item in items], fail_on)
    return replace(report, items=items, insights=replace(report.insights, failed=decision.failed, decision=decision.why))


def diagnosis(report: Report, tenant: str) -> dict[str, Any]:
    """What the report says on top of its findings."""
    ranked = ranking.rank(report.items)
    found = areas([item for item in report.items if item.id != AREA])
    return {
        "tenant": tenant or None,
        "areas": [one.to_mapping() for one in found],
        "units": dict(ranking.UNITS),
        "ranking": [one.to_mapping() for one in ranked],
        "plan": [dict(phase) for phase in ranking.plan(ranked)],
    }


def _files(report: Report, summary: str, page: str, endpoints: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    files = {"report.json": json.dumps(report.to_mapping(), ensure_ascii=False, indent=1) + "\n", "report.html": page, "summary.txt": summary + "\n"}
    for number, endpoint in enumerate(endpoints, 1):
        name = f"endpoints/{number:02d}-{endpoint['region']}-{endpoint['system']}.json"
        files[name] = json.dumps(redact(dict(endpoint)), ensure_ascii=False, indent=1) + "\n"
    return files


def conclude(params: Mapping[str, Any]) -> dict[str, Any]:
    """Write the report, keep the run, make the bundle if it is asked for; return what the module returns. Raises OpsError."""
    known = catalogue.everything()
    store = _store(params)
    loaded = store.load(params["environment"], moment(params["started"]))
    report, past = make({**params, "operation": OPERATION, "questions": {one.id: one.question for one in known}}, known, loaded)
    report = _whole(report, params["fail_on"])
    told = diagnosis(report, params["tenant"])
    report = replace(report, diagnosis=told)
    parts = (ranking.where_time_goes(report.items), ranking.tenants_part(report.items), ranking.ways(report.items))
    page = render_health(report).replace("<h2>New", f"{text.page(told, *parts)}<h2>New", 1)
    path = target(report, params["report_dir"])
    summary = f"{text.summary(told, *parts)}\n\n{health_summary(report, str(path.with_suffix('.html')))}"
    write(report, params["report_dir"], html=page)
    made = []
    if params["bundle"]:
        hide = [secret for secret in params["hide"] if len(secret) >= LEAST_SECRET]
        content = bundle.archive(_files(report, summary, page, json.loads(params["endpoints"])), hide, path.stem, int(moment(report.started).timestamp()))
        made.append(str(bundle.put(path.with_suffix(".tar.gz"), content)))
        summary += f"\nBundle: {made[0]}"
    if not report.check_mode:
        store.add(past)
    return {
        "changed": False,
        "verdict": report.verdict,
        "failing": report.insights is not None and report.insights.failed,
        "counts": report.counts,
        "areas": {one["area"]: one["verdict"] for one in told["areas"]},
        "path": str(path),
        "paths": [str(path), str(path.with_suffix(".html")), *made],
        "summary": summary,
    }


def perform(params: Mapping[str, Any]) -> dict[str, Any]:
    """What the module does."""
    return begin(params) if params["step"] == "inputs" else conclude(params)
