# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings as events of PagerDuty (Events API v2), by the vendor's own library: one per finding, resolved when the finding is gone."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...common.errors import OpsError
from ...common.lazy import LazyModule
from ...common.redaction import redact
from ..model import CRITICAL, DEGRADED, UNKNOWN, Item, Report
from ..sections import figure
from .notice import bad, resolved, short

pagerduty = LazyModule("pagerduty")

# Documented by the module health_report.
OPTIONS: dict[str, Any] = {
    "routing_key": {"type": "str", "required": True, "no_log": True},
    "api_url": {"type": "str", "default": "https://events.pagerduty.com"},
}
TRIGGER, RESOLVE = "trigger", "resolve"
_SEVERITY = {CRITICAL: "critical", UNKNOWN: "error", DEGRADED: "warning"}
# Limits of the API, in characters.
_LONGEST_KEY, _LONGEST_SUMMARY = 255, 1024


@dataclass(frozen=True)
class Event:
    """``key`` joins the events of a finding; ``fields`` is all else that a trigger says."""

    action: str
    key: str
    fields: Mapping[str, Any] = field(default_factory=dict)


def key_of(environment: str, check: str, subject: str) -> str:
    """The same for a finding from run to run: environment, check and subject; of what is too long the beginning and a hash."""
    key = f"{environment}/{check}/{subject}"
    if len(key) <= _LONGEST_KEY:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"{key[: _LONGEST_KEY - len(digest) - 1]}#{digest}"


def _trigger(report: Report, item: Item, key: str) -> Event:
    details = {
        "message": short(item.message, 2000),
        "observed": f"{figure(item.observed)} {item.unit or ''}".strip() if isinstance(item.observed, (int, float, str)) else None,
        "threshold": dict(item.threshold) if item.threshold else None,
        "since": item.since,
        "tenants": list(item.tenants),
        "runbook": item.runbook,
        "query": item.query,
        "run": report.run_id,
    }
    payload = {
        "summary": short(f"{report.environment}: {item.id} {item.subject}: {item.message}", _LONGEST_SUMMARY),
        "source": short(item.subject),
        "severity": _SEVERITY[item.verdict],
        "timestamp": report.started,
        "component": item.id.split(".", 1)[0],
        "group": report.environment,
        "class": item.id,
        "custom_details": redact({name: value for name, value in details.items() if value}),
    }
    links = [{"href": item.runbook, "text": "Runbook"}] if item.runbook and item.runbook.startswith("https://") else []
    return Event(TRIGGER, key, {"payload": payload, "client": "leanvibe.ops", **({"links": links} if links else {})})


def events(report: Report, at_least: str, opened: Collection[str]) -> list[Event]:
    """What is to be sent: what is new, worst first, then what is resolved, then what is open anyway (PagerDuty adds it to what it has).

    ``opened`` are keys that were triggered and not resolved yet. They are resolved when their finding is gone, waived, or no longer as bad as
    ``at_least``; what this run did not look at stays open.
    """
    environment = report.environment
    triggers: dict[str, Event] = {}
    for item in bad(report.items, at_least):
        key = key_of(environment, item.id, item.subject)
        triggers.setdefault(key, _trigger(report, item, key))
    unseen = {key_of(environment, one["id"], one["subject"]) for one in (report.insights.unseen if report.insights is not None else ())}
    gone = {key_of(environment, one["id"], one["subject"]) for one in resolved(report, at_least)}
    mine = {key for key in opened if key.startswith(f"{environment}/")}
    resolves = [Event(RESOLVE, key) for key in sorted((gone | mine) - set(triggers) - unseen)]
    new = [event for key, event in triggers.items() if key not in mine]
    return [*new, *resolves, *(event for key, event in triggers.items() if key in mine)]


def _send(client: Any, event: Event) -> tuple[str, bool]:
    """Send one event: why it was not taken ("" if it was), and whether there was an answer at all."""
    try:
        client.send_event(event.action, dedup_key=event.key, **event.fields)
    except pagerduty.Error as error:
        # Not the error's own words: they may hold the end of the routing key.
        if error.response is None:
            return f"did not answer ({type(error.__cause__ or error).__name__})", False
        return f"answered {error.response.status_code} and did not take it", True
    return "", True


def send(due: Sequence[Event], options: Mapping[str, Any], opened: set[str]) -> None:
    """Send events one by one, and keep ``opened`` true while doing so; without an answer it stops. Raises OpsError if one was not taken."""
    refused: list[str] = []
    sent = 0
    context = ssl.create_default_context(cafile=options["ca_file"])
    with pagerduty.EventsApiV2Client(options["routing_key"], base_url=options["api_url"], verify=context) as client:
        client.timeout = options["timeout"]
        # The next run sends everything again that is still true, so that little is repeated here.
        client.max_network_attempts, client.retry, client.sleep_timer = 0, {429: 2}, 0.5
        for event in due:
            why, answered = _send(client, event)
            if not why:
                sent += 1
                (opened.add if event.action == TRIGGER else opened.discard)(event.key)
                continue
            refused.append(f"{why}: {event.action} of {event.key}")
            if not answered:
                break
    if refused:
        raise OpsError(f"PagerDuty {refused[0]}; {sent} of {len(due)} event(s) were sent")
