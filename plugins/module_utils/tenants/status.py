# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Desired state, observed state and the drift between them, as items of the operation ``tenant_status``. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..registry.observed import Known
from ..reports.model import Item
from .outcome import NO_HOST, Endpoint, Merged, Outcome, all_strangers, around, missing, platform_changes, strangers, undeclared_in, valid_ids
from .placement import ALL, HOME

RUNBOOK = "roles/tenant_status/README.md"
_SHOWN = 6


def _undeclared(place: str, ids: Sequence[str]) -> Item:
    return Item("tenants.undeclared", place, "degraded", strangers(ids), valid_ids(ids), evidence=all_strangers(ids), runbook=RUNBOOK)


def _drift(changes: Sequence[Mapping[str, Any]]) -> str:
    told = [f"{change['action']} {change['object']}" + (f" ({', '.join(change['fields'])})" if change.get("fields") else "") for change in changes[:_SHOWN]]
    more = f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
    return f"differs from what is declared; playbooks/tenants.yml would {', '.join(told)}{more}"


def _verdict(endpoint: Endpoint, merged: Merged) -> tuple[str, str]:
    """Verdict and message of one tenant in one system. Only what was looked at and is as declared is ok."""
    if endpoint.error or merged.verdict == "failed":
        return "unknown", merged.message or endpoint.error
    if merged.verdict == "refused":
        return "degraded", f"what is declared is refused: {merged.message}"
    if merged.verdict == "skipped":
        return "skipped", merged.message or "the system does not hold tenants"
    if merged.changes:
        return "degraded", _drift(merged.changes)
    return "ok", merged.message


def _cells(endpoint: Endpoint, outcome: Outcome, known: Mapping[tuple[str, str, str], Mapping[str, Any]]) -> list[Item]:
    items = []
    for tenant, merged in endpoint.outcomes(outcome.expected(endpoint)).items():
        verdict, message = _verdict(endpoint, merged)
        row = known.get((tenant, endpoint.system, endpoint.region))
        seen = f"{row['verdict']}, last seen {row['last_seen']}, last change {row['last_change'] or 'never'}" if row else "never worked on"
        items.append(
            Item(
                f"tenants.{endpoint.system}",
                f"{endpoint.place}/{tenant}",
                verdict,
                message,
                (tenant,),
                observed=dict(endpoint.observed(tenant)) or (dict(row["observed"]) if row else None),
                evidence=f"registry: {seen}",
                runbook=RUNBOOK,
            )
        )
    return items


def _registry(outcome: Outcome, known: Known | None, problem: str) -> list[Item]:
    if known is None:
        return [Item("tenants.registry", "control/registry", "unknown", problem, runbook=RUNBOOK)]
    items = [
        Item("tenants.registry", f"control/registry/{tenant}", "degraded", reason, (tenant,), runbook=RUNBOOK)
        for tenant, reason in sorted(outcome.refused.items())
    ]
    if outcome.undeclared:
        items.append(_undeclared("control/registry", outcome.undeclared))
    for run in known.runs:
        if run["operation"] == "tenants" and run["finished"] is None:
            told = f"run {run['run_id']} of {run['owner']}, started {run['started']}, has not ended"
            message = f"{told}: it is still going on, or was killed and the next run completes it"
            items.append(Item("tenants.last_run", "control/registry", "degraded", message, runbook=RUNBOOK))
    return items or [Item("tenants.registry", "control/registry", "ok", f"{len(known.tenants)} tenants", observed=len(known.tenants), unit="tenants")]


def status_items(outcome: Outcome, known: Known | None, problem: str, placement: Mapping[str, Mapping[str, str]]) -> list[Item]:
    """One item per tenant, system and region, and what else there is to say. ``problem`` says why the registry could not be read."""
    if outcome.refusal is not None:
        return [Item("tenants.run", f"control/{outcome.refusal[0]}", "unknown", outcome.refusal[1], runbook=RUNBOOK)]
    rows = {(row["tenant"], row["system"], row["region"]): row for row in known.systems} if known is not None else {}
    items = _registry(outcome, known, problem)
    items += [Item("tenants.inventory", place, "unknown", NO_HOST, runbook=RUNBOOK) for place in missing(outcome, placement)]
    for endpoint in outcome.endpoints:
        items += around(endpoint, outcome)
        if endpoint.placement not in (ALL, HOME):
            continue
        items += _cells(endpoint, outcome, rows)
        if endpoint.error and not outcome.expected(endpoint):
            items.append(Item(f"tenants.{endpoint.system}", endpoint.place, "unknown", endpoint.error, runbook=RUNBOOK))
        if platform := platform_changes(endpoint):
            items.append(Item(f"tenants.{endpoint.system}", endpoint.place, "degraded", _drift(platform), runbook=RUNBOOK))
        if undeclared := undeclared_in(endpoint):
            items.append(_undeclared(endpoint.place, undeclared))
    return items
