# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Warnings that go on: events are grouped by their reason, and what lasts is a finding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ....clients.kubernetes import Object, Resource
from ....reports.model import OK
from ...model import Finding, Threshold
from ..folding import told
from .cluster import LONG, Run, check, listed, option, space_of, stamp

EVENTS = Resource("v1", "Event", "events")
_HOURS = 3.0  # the usual window; events are kept for an hour by default
_LASTING, _LATELY = 10.0, 15.0  # minutes from the first to the last time, and from the last time to now
# What checks of their own tell better, with the cause: pods_pending, pods_crashes, pods_images and pods_config, nodes_ready.
_TOLD_ELSEWHERE = frozenset({"FailedScheduling", "BackOff", "Failed", "ErrImageNeverPull", "InspectFailed", "NodeNotReady"})


@dataclass(frozen=True)
class Event:
    """One warning about one object, repeated ``count`` times."""

    namespace: str
    about: str
    reason: str
    message: str
    count: int
    first: datetime | None
    last: datetime | None


def _event(item: Object) -> Event:
    about, series = item.get("involvedObject") or {}, item.get("series") or {}
    first = stamp(item.get("firstTimestamp")) or stamp(item.get("eventTime")) or stamp(item["metadata"].get("creationTimestamp"))
    last = stamp(series.get("lastObservedTime")) or stamp(item.get("lastTimestamp")) or first
    name = f"{about.get('kind', '')}/{about.get('name', '')}"
    count = int(series.get("count") or item.get("count") or 1)
    return Event(str(about.get("namespace") or ""), name, str(item.get("reason") or "none"), str(item.get("message") or ""), count, first, last)


def _warnings(session: Run) -> Iterable[Finding]:
    now = session.client
    window = 60 * option(session, "event_hours", _HOURS)
    lasting = option(session, "event_lasting_minutes", _LASTING)
    recent = [one for one in listed(session, EVENTS, _event, "type=Warning") if (now.minutes(one.last) or 0.0) <= window]
    groups: dict[str, list[Event]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    for one in recent:
        counts[one.reason] += one.count
        goes_on = one.first is not None and one.last is not None and (one.last - one.first).total_seconds() >= 60 * lasting and one.count > 1
        if goes_on and (now.minutes(one.last) or 0.0) <= _LATELY and one.reason not in _TOLD_ELSEWHERE and not space_of(session, one.namespace).quiet:
            groups[one.reason].append(one)
    found = []
    for reason, events in groups.items():
        subjects = sorted({f"{one.namespace}/{one.about}".lstrip("/") for one in events})
        tenants = sorted({tenant for one in events for tenant in space_of(session, one.namespace).tenants})
        message = f"{len(subjects)} objects, again and again: {', '.join(subjects[:3])}{', …' if len(subjects) > 3 else ''}: {events[0].message[:300]}"
        found.append(Finding(observed=len(subjects), name=reason, tenants=tenants, message=message))
    told_of = told(session, found, len(recent), "warnings", none_is_fine="no warnings")
    if not found and recent:
        most = ", ".join(f"{reason} {counts[reason]}" for reason in sorted(counts, key=lambda name: (-counts[name], name))[:5])
        return [Finding(observed=0, verdict=OK, message=f"warnings in the last {window / 60:g} h, none of which goes on: {most}")]
    return told_of


CHECKS = (
    check(
        "warning_events",
        "Which warnings go on?",
        _warnings,
        "kubectl get events -A --field-selector type=Warning --sort-by=.lastTimestamp",
        "list events, and list namespaces",
        timeout=LONG,
        threshold=Threshold(degraded=1, unit="objects", source="ours: a warning that repeats for 10 min and has not stopped does not go away by itself"),
    ),
)
