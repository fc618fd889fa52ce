# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a diagnosis: the health run's conclusion (history, waivers, decision), with areas, ranking and plan on top, and the bundle on request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..common.errors import InvalidInput, OpsError
from ..common.redaction import redact
from ..health import catalogue
from ..health.conclude import check_inputs, make, store_of
from ..health.decision import decide
from ..health.gathering import own
from ..health.history import moment
from ..health.majority import put_right
from ..health.results import CONTROL
from ..reports.health_html import render_health
from ..reports.health_text import health_summary
from ..reports.model import DEGRADED, UNKNOWN, Item, Report
from ..reports.writer import SECRET, put, target, write
from . import bundle, ranking, text
from .areas import areas, unheard

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
    return {**check_inputs(params), "tenant": tenant}


def _with(report: Report, found: Sequence[Mapping[str, Any]], fail_on: Sequence[str]) -> Report:
    """The report with more findings of the run about itself, and the decision that goes with them."""
    if not found or report.insights is None:
        return report
    items = [*report.items, *(Item(**{**one, "since": report.started, "status": "new"}) for one in found)]
    decision = decide([{"verdict": item.verdict, "status": item.status or "new"} for item in items], fail_on)
    return replace(report, items=items, insights=replace(report.insights, failed=decision.failed, decision=decision.why))


def _silent(report: Report) -> list[dict[str, Any]]:
    """A finding for each area of which nothing is known."""
    found = []
    for one in unheard(areas(report.items), report.items):
        told = own(AREA, f"{CONTROL}/{one.name}", UNKNOWN, f"{one.name}: {one.message}", "playbooks/diagnose.yml")
        found.append({**told, "runbook": "diagnose.md#areas"})
    return found


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


@dataclass(frozen=True)
class Told:
    """A report with its diagnosis, for machines and for people."""

    report: Report
    page: str
    summary: str

    @classmethod
    def of(cls, report: Report, params: Mapping[str, Any]) -> Told:
        """Areas, ranking and plan are made of the report's findings."""
        told = diagnosis(report, params["tenant"])
        report = replace(report, diagnosis=told)
        parts = (ranking.where_time_goes(report.items), ranking.tenants_part(report.items), ranking.ways(report.items))
        page = render_health(report, text.page(told, *parts))
        html = target(report, params["report_dir"]).with_suffix(".html")
        return cls(report, page, f"{text.summary(told, *parts)}\n\n{health_summary(report, str(html))}")

    def files(self, endpoints: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """What a bundle holds: the report in all its forms, and what each endpoint returned."""
        files = {"report.json": _json(self.report.to_mapping()), "report.html": self.page, "summary.txt": self.summary + "\n"}
        for number, endpoint in enumerate(endpoints, 1):
            files[f"endpoints/{number:02d}-{endpoint['region']}-{endpoint['system']}.json"] = _json(redact(dict(endpoint)))
        return files


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _bundled(told: Told, params: Mapping[str, Any], path: Path) -> str:
    hide = [secret for secret in params["hide"] if len(secret) >= LEAST_SECRET]
    at = int(moment(told.report.started).timestamp())
    archive = bundle.archive(told.files(json.loads(params["endpoints"])), hide, path.stem, at)
    return str(put(path.with_suffix(".tar.gz"), archive, "report_dir", SECRET))


def conclude(params: Mapping[str, Any]) -> dict[str, Any]:
    """Write the report, keep the run, make the bundle if it is asked for; return what the module returns. Raises OpsError."""
    known = catalogue.everything()
    store = store_of(params)
    params = put_right({**params, "questions": {one.id: one.question for one in known}})
    loaded = store.load(params["environment"], moment(params["started"]))
    report, past = make(params, known, loaded)
    told = Told.of(_with(report, _silent(report), params["fail_on"]), params)
    path = write(told.report, params["report_dir"], html=told.page)
    if not report.check_mode:
        try:
            store.add(past)  # after the report, as health does
        except OpsError as error:
            problem = own(catalogue.SINKS, f"{CONTROL}/outputs/1", DEGRADED, error.message, "playbooks/diagnose.yml")
            told = Told.of(_with(told.report, [problem], params["fail_on"]), params)
            write(told.report, params["report_dir"], html=told.page)
    made = [_bundled(told, params, path)] if params["bundle"] else []
    report = told.report
    return {
        "changed": False,
        "verdict": report.verdict,
        "failing": report.insights is not None and report.insights.failed,
        "counts": report.counts,
        "areas": {one["area"]: one["verdict"] for one in (report.diagnosis or {})["areas"]},
        "path": str(path),
        "paths": [str(path), str(path.with_suffix(".html")), *made],
        "summary": "\n".join([told.summary, *(f"Bundle: {one}" for one in made)]),
    }


def perform(params: Mapping[str, Any]) -> dict[str, Any]:
    """What the module does."""
    return begin(params) if params["step"] == "inputs" else conclude(params)
