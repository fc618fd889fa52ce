# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the endpoints of a run returned to its report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..reports.model import FAILED, Item, Report
from ..reports.text import summary
from ..reports.writer import now, write

OPERATION = "health_reader"


def items(endpoints: Iterable[Mapping[str, Any]]) -> list[Item]:
    """One item an endpoint, from what the filter ``leanvibe.ops.health_runs`` collected. Pure."""
    found = []
    for endpoint in endpoints:
        name, place = f"{OPERATION}.{endpoint['system']}", f"{endpoint['region']}/{endpoint['system']}"
        if "error" in endpoint:
            found.append(Item(name, place, FAILED, endpoint["error"]))
            continue
        run = endpoint["run"]
        about = f"{run['account']}: {run['message']}" if run["account"] and run["message"] else run["message"] or run["account"]
        found.append(Item(name, place, run["verdict"], about, (), bool(run["changes"]), run["changes"]))
    return found


def notes(endpoints: Iterable[Mapping[str, Any]]) -> list[str]:
    """What was changed, and what people should know, once each with all places. Pure."""
    said: dict[str, list[str]] = {}
    for endpoint in endpoints:
        run = endpoint.get("run") or {}
        changed = [f"{one['action']} {one['object']}{' (' + ', '.join(one['fields']) + ')' if one['fields'] else ''}" for one in run.get("changes", ())]
        for text in (*changed, *run.get("notes", ())):
            said.setdefault(text, []).append(f"{endpoint['region']}/{endpoint['system']}")
    return [f"{', '.join(places)}: {text}" for text, places in said.items()]


def conclude(params: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Write the report and return what the module returns. Raises OpsError if it cannot be written."""
    endpoints = json.loads(params["endpoints"])
    report = Report(
        operation=OPERATION,
        environment=params["environment"],
        regions=params["regions"],
        run_id=params["run_id"],
        check_mode=check,
        started=params["started"],
        finished=now(),
        acting=True,
        items=items(endpoints),
        notes=notes(endpoints),
    )
    path = write(report, params["report_dir"])
    return {
        "changed": False,
        "verdict": report.verdict,
        "counts": report.counts,
        "changes": report.changed,
        "path": str(path),
        "summary": summary(report, str(path.with_suffix(".html"))),
    }
