# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus reads: whether anybody is there to be asked, answers, and tells what is true now."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from ....reports.model import CRITICAL, DEGRADED, UNKNOWN
from ...model import Finding, NoData, NotApplicable, Threshold
from ...reading import option, reviewed
from ...thresholds import is_number
from ..folding import told
from .server import Run, ask, check, clock, data_of, metric_names, moment, promql

_PATH = "/api/v1/targets?state=active"
_REPORTED = '{__name__=~".+_exporter_last_scrape_error|node_textfile_scrape_error"}'


def _active(session: Run) -> list[dict[str, Any]]:
    data = data_of(session, _PATH)
    found = data.get("activeTargets") if isinstance(data, Mapping) else None
    if not isinstance(found, list):
        raise NoData(f"{session.client.web.base} does not say what it scrapes")
    return found


def _names(targets: list[dict[str, Any]], limit: int = 5) -> str:
    shown = [f"{one['labels'].get('instance')} ({one.get('lastError') or 'not asked yet'})" for one in targets[:limit]]
    return "; ".join(shown) + (f" and {len(targets) - limit} more" if len(targets) > limit else "")


def _of_job(job: str, targets: list[dict[str, Any]]) -> Finding | None:
    """What is wrong with a job: critical if nobody of it answers, degraded if some do; unknown if nobody was asked yet."""
    down = [one for one in targets if one.get("health") == "down"]
    waiting = [one for one in targets if one.get("health") not in ("up", "down")]
    if down:
        message = f"{len(down)} of {len(targets)} targets do not answer: {_names(down)}"
        return Finding(observed=len(down), unit="targets", verdict=CRITICAL if len(down) == len(targets) else DEGRADED, name=job, message=message)
    if waiting:
        return Finding(verdict=UNKNOWN, name=job, message=f"{len(waiting)} of {len(targets)} targets were not asked yet: {_names(waiting)}")
    return None


def _targets(session: Run) -> Iterator[Finding]:
    active = _active(session)
    wanted = option(session, "jobs", list, [])
    if not active:
        yield Finding(observed=0, unit="targets", verdict=CRITICAL, message="it has nobody to ask: not one target")
        return
    jobs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in active:
        jobs[str(one["labels"].get("job"))].append(one)
    bad = [found for job in sorted(jobs) if (found := _of_job(job, jobs[job]))]
    bad += [Finding(observed=0, unit="targets", verdict=CRITICAL, name=str(job), message="no target of this job") for job in wanted if job not in jobs]
    yield from reviewed(bad, len(active), f"targets of {len(jobs)} jobs")


def _scrapes(session: Run) -> Iterator[Finding]:
    """How old what was read last is, in intervals of scraping; of those that do not answer the check targets tells."""
    now = clock(session)
    findings = []
    for one in _active(session):
        last = moment(one.get("lastScrape"))
        interval = _seconds(str(one.get("scrapeInterval")))
        if one.get("health") == "up" and last is not None:
            age = max(0.0, (now - last).total_seconds())
            name = f"{one['labels'].get('job')}/{one['labels'].get('instance')}"
            findings.append(Finding(observed=round(age / interval, 2), name=name, message=f"last read {age:.0f} s ago, every {interval:g} s is meant"))
    yield from told(session, findings, len(findings), "targets that answer")


def _seconds(text: str) -> float:
    """A duration as Prometheus writes it (1m30s). Raises NoData if it is none."""
    parts = re.findall(r"(\d+)(ms|[smhd])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise NoData(f"{text!r} is no duration")
    return sum(int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[unit] for number, unit in parts)


def _stale(session: Run) -> Iterator[Finding]:
    """Metrics that hold a time, which must not be long ago: an exporter that answers with what was, answers."""
    declared = option(session, "timestamps", dict, {})
    if not declared:
        raise NotApplicable("not configured: no metrics that hold a time are declared (health_options.timestamps)")
    findings = []
    for name in metric_names(declared, "timestamps"):
        limit = declared[name]
        if not is_number(limit) or limit <= 0:
            raise ValueError(f"the option timestamps of the health checks: {name} needs a number of seconds above 0, not {limit!r}")
        found = ask(session, f"abs(time() - {name})")
        if not found:
            findings.append(Finding(verdict=UNKNOWN, name=name, message=f"no series {name}: nothing was measured, which is not 0"))
        for labels, age in found:
            where = f"{labels.get('job')}/{labels.get('instance')}"
            message = f"{where} tells of {age:.0f} s ago (or ahead), and {limit:g} s are allowed"
            findings.append(Finding(observed=round(100 * age / limit, 1), name=f"{name}/{where}", message=message))
    yield from told(session, findings, len(findings), "metrics that hold a time")


def _exporters(session: Run) -> Iterator[Finding]:
    found = ask(session, _REPORTED)
    bad = [
        Finding(
            verdict=DEGRADED,
            name=f"{labels.get('job')}/{labels.get('instance')}",
            message=f"it answers, and says that it could not read what it exports ({labels.get('__name__')})",
        )
        for labels, value in found
        if value > 0
    ]
    yield from reviewed(bad, len(found), "exporters that tell of themselves", none_is_fine="no exporter that tells of itself")


CHECKS = (
    check("targets", "Do all that Prometheus asks answer, and is there anybody to ask?", _targets, f"curl -s 'PROMETHEUS{_PATH}'"),
    check(
        "scrapes",
        "Does Prometheus ask as often as it should?",
        _scrapes,
        f"curl -s 'PROMETHEUS{_PATH}'",
        Threshold(degraded=3, critical=10, unit="intervals", source="ours: one may be missed; after 5 min (20 intervals of 15 s) series end"),
    ),
    check(
        "stale_data",
        "Is what exporters tell of now?",
        _stale,
        promql("abs(time() - METRIC)"),
        Threshold(degraded=100, critical=1000, unit="% of what is allowed", source="inventory (health_options.timestamps); ten times of it is ours"),
    ),
    check("exporters", "Can exporters read what they export?", _exporters, promql(_REPORTED)),
)
