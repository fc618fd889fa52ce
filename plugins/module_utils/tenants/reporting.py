# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run on tenants: the registry learns what was found, the report is written, also if the registry has gone meanwhile."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..common.errors import OpsError
from ..registry.connection import session
from ..registry.desired import Run
from ..registry.observed import Known, finish, read, record
from ..reports.model import Item, Report, TenantRow
from ..reports.text import summary
from ..reports.writer import now, target, write
from .names import displayed
from .outcome import Endpoint, Outcome, action_items, notes, observations
from .status import status_items

ACTING = "tenants"
LOOKING = "tenant_status"


def outcome_of(params: Mapping[str, Any]) -> Outcome:
    """Read the module's parameters."""
    refusal = params.get("refusal")
    return Outcome(
        endpoints=[Endpoint.from_mapping(endpoint) for endpoint in json.loads(params["endpoints"])],
        placed=params["expected"],
        kept_out=params["kept_out"],
        refused=params["refused"],
        undeclared=params["undeclared"],
        refusal=(str(refusal["step"]), str(refusal["reason"])) if refusal else None,
    )


def _rows(tenants: Sequence[Mapping[str, Any]]) -> list[TenantRow]:
    return [TenantRow(tenant["id"], displayed(tenant["name"]), tenant["tier"], tenant["region"], tenant.get("state", "active")) for tenant in tenants]


def _known(params: Mapping[str, Any]) -> tuple[Known | None, str]:
    try:
        with session(params["registry"], params["timeout"]) as connection:
            return read(connection, [tenant["id"] for tenant in params["tenants"]]), ""
    except OpsError as error:
        return None, error.message


def _record(report: Report, outcome: Outcome, params: Mapping[str, Any]) -> Report:
    """Tell the registry. If it cannot be told, the report says so: the run is then not a success."""
    run = Run(params["run_id"], report.operation, report.environment, params["owner"])
    try:
        with session(params["registry"], params["timeout"]) as connection:
            record(connection, observations(outcome), run, params["token"])
            finish(connection, run, report.verdict, report.counts, str(target(report, params["report_dir"])))
    except OpsError as error:
        message = f"what was done is not recorded: {error.message} Run it again; it completes the records."
        return replace(report, items=[*report.items, Item("tenants.registry", "control/registry", "failed", message)])
    return report


def conclude(params: Mapping[str, Any]) -> dict[str, Any]:
    """Record, write, summarise; return what the module returns. Raises OpsError if the report cannot be written."""
    outcome = outcome_of(params)
    acting = params["operation"] == ACTING
    if acting:
        items = action_items(outcome, params["placement"])
    else:
        known, problem = _known(params)
        items = status_items(outcome, known, problem, params["placement"])
    report = Report(
        operation=params["operation"],
        environment=params["environment"],
        regions=params["regions"],
        run_id=params["run_id"],
        check_mode=params["check"],
        started=params["started"],
        finished=now(),
        acting=acting,
        items=items,
        tenants=_rows(params["tenants"]),
        notes=notes(outcome),
    )
    if acting and not params["check"] and outcome.refusal is None:
        report = _record(report, outcome, params)
    path = write(report, params["report_dir"])
    return {
        "changed": False,
        "verdict": report.verdict,
        "counts": report.counts,
        "changes": report.changed,
        "path": str(path),
        "summary": summary(report, str(path.with_suffix(".html"))),
    }
