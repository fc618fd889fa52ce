# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus makes of what it reads: rules that fail or are late, and metrics that dashboards need and nobody delivers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ....reports.model import CRITICAL, DEGRADED, UNKNOWN
from ...model import Finding, NoData, NotApplicable, Threshold
from ...reading import option, reviewed
from ..folding import told
from .server import Run, ask, check, clock, data_of, metric_names, moment, promql

_PATH = "/api/v1/rules"


def groups(session: Run) -> list[dict[str, Any]]:
    """All groups of rules. Raises NoData."""
    data = data_of(session, _PATH)
    found = data.get("groups") if isinstance(data, Mapping) else None
    if not isinstance(found, list):
        raise NoData(f"{session.client.web.base} does not say what rules it has")
    return found


def _rules(session: Run) -> Iterator[Finding]:
    rules = [(f"{group['name']}/{rule['name']}", rule) for group in groups(session) for rule in group["rules"]]
    if not any(rule.get("type") == "alerting" for _name, rule in rules):
        yield Finding(observed=0, unit="rules", verdict=CRITICAL, message="it has not one rule that alerts: whatever happens, nobody is told")
        return
    bad = []
    for name, rule in rules:
        if rule.get("health") == "err":
            bad.append(Finding(verdict=CRITICAL, name=name, message=f"cannot be evaluated: {rule.get('lastError') or 'it does not say why'}"))
        elif rule.get("health") != "ok":
            bad.append(Finding(verdict=UNKNOWN, name=name, message="was not evaluated yet"))
    yield from reviewed(bad, len(rules), "rules")


def _groups(session: Run) -> Iterator[Finding]:
    now = clock(session)
    findings = []
    for group in groups(session):
        last, interval = moment(group.get("lastEvaluation")), float(group["interval"])
        if last is None:
            findings.append(Finding(verdict=UNKNOWN, name=str(group["name"]), message="was not evaluated yet"))
            continue
        age = max(0.0, (now - last).total_seconds())
        message = f"evaluated {age:.0f} s ago, every {interval:g} s is meant; it takes {float(group.get('evaluationTime') or 0):.3f} s"
        findings.append(Finding(observed=round(age / interval, 2), name=str(group["name"]), message=message))
    yield from told(session, findings, len(findings), "groups of rules")


def _metrics(session: Run) -> Iterator[Finding]:
    """All in one request: which of the names are there."""
    wanted = metric_names(option(session, "metrics", list, []), "metrics")
    if not wanted:
        raise NotApplicable("not configured: no metrics that dashboards and rules need are declared (health_options.metrics)")
    there = {labels["__name__"] for labels, _count in ask(session, f'count by (__name__) ({{__name__=~"{"|".join(wanted)}"}})')}
    bad = [
        Finding(verdict=DEGRADED, name=name, message="nobody delivers it: dashboards and rules that need it are empty, and an empty one does not alert")
        for name in wanted
        if name not in there
    ]
    yield from reviewed(bad, len(wanted), "metrics that are needed")


CHECKS = (
    check("rules", "Can all rules be evaluated, and is there one that alerts?", _rules, f"curl -s PROMETHEUS{_PATH}"),
    check(
        "rule_groups",
        "Are rules evaluated as often as they should be?",
        _groups,
        f"curl -s PROMETHEUS{_PATH}",
        Threshold(degraded=3, critical=10, unit="intervals", source="ours: one evaluation may be missed; beyond that alerts come late"),
    ),
    check("metrics", "Is there everything that the platform's dashboards need?", _metrics, promql("absent(METRIC)")),
)
