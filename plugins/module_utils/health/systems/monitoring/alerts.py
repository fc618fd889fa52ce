# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus alerts of: now, and within 24 hours; the one alert that must always be there; and whether alerts leave the house."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator

from ....reports.model import CRITICAL, DEGRADED
from ...model import Finding, NoData, NotApplicable, Threshold
from ...reading import option
from .prometheus import runtime
from .rules import groups
from .server import WINDOW, WINDOW_SECONDS, Run, ask, check, clock, fine, moment, promql

_DAY = "max by (alertname, alertstate) (count_over_time(ALERTS[24h]))"
_NOW = "ALERTS"
FIRING, PENDING = "firing", "pending"
# Values of the label severity: what is worth getting up for, and what nobody is to act on.
_SEVERE, _QUIET = ("critical", "page", "emergency"), ("none", "info")
_SENT = (
    ("prometheus_errors", "sum(increase(prometheus_notifications_errors_total[{0}]))", "could not be handed to Alertmanager"),
    ("prometheus_dropped", "sum(increase(prometheus_notifications_dropped_total[{0}]))", "were dropped before Alertmanager had them"),
    ("alertmanager", "sum(increase(alertmanager_notifications_failed_total[{0}]))", "could not be delivered by Alertmanager"),
)


def watchdog_of(session: Run) -> str:
    """The name of the alert that always fires."""
    return str(option(session, "watchdog", str, "Watchdog"))


def _lasting(session: Run, counts: dict[str, float]) -> str:
    """Alerts with how long they were there, about: as many evaluations as were counted."""
    intervals = {str(rule["name"]): float(group["interval"]) for group in groups(session) for rule in group["rules"]}
    lasted = {name: count * intervals[name] / 60 for name, count in counts.items() if name in intervals}
    return ", ".join(f"{name} ({lasted[name]:.0f} min)" if name in lasted else name for name in sorted(counts)) or "none"


def _alerts(session: Run) -> Iterator[Finding]:
    """What fires now is a finding; what fired or was pending within the day is told."""
    ignored = watchdog_of(session)
    day: dict[str, dict[str, float]] = {FIRING: {}, PENDING: {}}
    for labels, count in ask(session, _DAY):
        if labels.get("alertname") != ignored and labels.get("alertstate") in day:
            day[labels["alertstate"]][labels.get("alertname", "")] = count
    now: dict[str, list[dict[str, str]]] = defaultdict(list)
    for labels, _one in ask(session, _NOW):
        if labels.get("alertstate") == FIRING and labels.get("alertname") != ignored and labels.get("severity") not in _QUIET:
            now[labels.get("alertname", "")].append(labels)
    for name, series in sorted(now.items()):
        severe = any(labels.get("severity") in _SEVERE for labels in series)
        tenants = {labels[word] for labels in series for word in ("tenant", "tenant_id") if labels.get(word)}
        places = {" ".join(labels[word] for word in ("region", "job", "instance", "namespace") if word in labels) for labels in series}
        where = "; ".join(sorted(places - {""})[:5])
        yield Finding(
            observed=len(series), unit="alerts", verdict=CRITICAL if severe else DEGRADED, name=name, tenants=sorted(tenants), message=f"fires: {where or name}"
        )
    only_pending = {name: count for name, count in day[PENDING].items() if name not in day[FIRING]}
    told = f"within 24 h fired {_lasting(session, day[FIRING])}; pending only were {_lasting(session, only_pending)}"
    yield fine(told, len(day[FIRING]), unit="alerts", name="day")


def _watchdog(session: Run) -> Iterator[Finding]:
    name = watchdog_of(session)
    if not name:
        raise NotApplicable("not configured: the inventory says that there is no alert that always fires (health_options.watchdog)")
    if ask(session, f'ALERTS{{alertname={json.dumps(name)},alertstate="{FIRING}"}}'):  # PromQL's texts are written as JSON's
        yield fine(f"{name} fires, as it always should")
    else:
        yield Finding(verdict=CRITICAL, message=f"{name}, which must always fire, does not: alerts are not evaluated, or nobody has written that rule")


def _notifications(session: Run) -> Iterator[Finding]:
    started = moment(runtime(session).get("startTime"))
    young = started is not None and (clock(session) - started).total_seconds() < WINDOW_SECONDS
    for name, expression, what in _SENT:
        if young and name == "prometheus_dropped":
            yield fine(f"it was started at {started:%H:%M:%S} UTC; what it dropped until it knew its Alertmanager is not counted", name=name)
            continue
        query = expression.format(WINDOW)
        found = ask(session, query)
        if not found:
            raise NoData(f"{query}: no series; nothing was measured, which is not 0 (Prometheus must scrape itself and Alertmanager)")
        lost = round(found[0][1], 1)
        yield Finding(observed=lost, name=name, query=promql(query), message=f"{lost:g} notifications {what} in {WINDOW}")


CHECKS = (
    check("alerts", "What alerts now, and what did within 24 hours?", _alerts, f"{promql(_DAY)}; {promql(_NOW)}"),
    check("watchdog", "Does the alert fire that always must?", _watchdog, promql('ALERTS{alertname="Watchdog",alertstate="firing"}')),
    check(
        "notifications",
        "Do alerts reach Alertmanager, and its notifications people?",
        _notifications,
        promql(f"sum(increase(alertmanager_notifications_failed_total[{WINDOW}]))"),
        Threshold(degraded=1, critical=10, unit="notifications", source="ours: one may be lost by chance; each that is lost may be the one that counts"),
    ),
)
