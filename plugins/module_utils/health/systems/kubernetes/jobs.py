# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that failed, and CronJobs that were not started when they were due. Finished Jobs are no failures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ....clients.kubernetes import Object, Resource
from ....reports.model import DEGRADED
from ...model import Finding, Threshold
from ..folding import told
from .cluster import Run, check, conditions, listed, space_of, stamp, written
from .cron import Schedule

JOBS = Resource("batch/v1", "Job", "jobs")
CRON_JOBS = Resource("batch/v1", "CronJob", "cronjobs")


@dataclass(frozen=True)
class Job:
    """A Job. ``series`` is the CronJob that it belongs to, or itself."""

    namespace: str
    name: str
    series: str
    created: datetime | None
    succeeded: bool
    failed: str  # why, "" if it has not failed
    ended: str


def _job(item: Object) -> Job:
    metadata = item["metadata"]
    owner = next((one for one in metadata.get("ownerReferences") or [] if one.get("kind") == "CronJob"), None)
    name, namespace = str(metadata["name"]), str(metadata["namespace"])
    known = conditions(item.get("status") or {})
    failed = known.get("Failed") or {}
    why = f"{failed.get('reason') or 'Failed'}: {failed.get('message') or ''}".rstrip(": ") if failed.get("status") == "True" else ""
    succeeded = (known.get("Complete") or {}).get("status") == "True"
    series = f"CronJob/{owner['name']}" if owner else f"Job/{name}"
    return Job(namespace, name, series, stamp(metadata.get("creationTimestamp")), succeeded, why, str(failed.get("lastTransitionTime") or ""))


def _failed(session: Run) -> Iterable[Finding]:
    """Of a CronJob's Jobs only the last that ended counts: what failed before has been made good, or is told of by the last one."""
    everything = listed(session, JOBS, _job)
    last: dict[tuple[str, str], Job] = {}
    failures: dict[tuple[str, str], int] = {}
    for job in sorted((one for one in everything if one.failed or one.succeeded), key=lambda one: str(one.created)):
        key = (job.namespace, job.series)
        last[key] = job
        failures[key] = failures.get(key, 0) + 1 if job.failed else 0
    found = []
    for (namespace, series), job in last.items():
        space = space_of(session, namespace)
        if job.failed and not space.quiet:
            message = f"{job.name} failed at {job.ended} ({job.failed})"
            found.append(Finding(verdict=DEGRADED, observed=failures[namespace, series], name=f"{namespace}/{series}", tenants=space.tenants, message=message))
    return told(session, found, len(everything), "Jobs", none_is_fine="no Jobs in the cluster")


@dataclass(frozen=True)
class CronJob:
    """A CronJob. ``from_when``: since when its schedule counts - its last start, or its last change."""

    namespace: str
    name: str
    schedule: str
    zone: str | None
    suspended: bool
    active: int
    from_when: datetime | None


def _cron_job(item: Object) -> CronJob:
    metadata, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    times = [time for time in (stamp(status.get("lastScheduleTime")), written(item)) if time is not None]
    return CronJob(
        str(metadata["namespace"]),
        str(metadata["name"]),
        str(spec.get("schedule") or ""),
        spec.get("timeZone"),
        bool(spec.get("suspend")),
        len(status.get("active") or []),
        max(times, default=None),
    )


def _missed(session: Run) -> Iterable[Finding]:
    everything = listed(session, CRON_JOBS, _cron_job)
    found = []
    for one in everything:
        space = space_of(session, one.namespace)
        if one.suspended or space.quiet or one.from_when is None:
            continue
        name = f"{one.namespace}/{one.name}"
        try:
            due = Schedule.parse(one.schedule, one.zone).after(one.from_when)
        except (ValueError, KeyError, OSError) as error:  # an unknown zone is a KeyError, or an OSError where zones are missing
            found.append(Finding(verdict="unknown", name=name, tenants=space.tenants, message=f"its schedule cannot be read: {error}"))
            continue
        late = session.client.minutes(due) if due is not None and due < session.client.now else None
        if late is not None:
            why = f"; {one.active} of its Jobs still run" if one.active else ""
            found.append(
                Finding(observed=late, name=name, tenants=space.tenants, message=f"was due at {due:%Y-%m-%dT%H:%M}Z ({one.schedule}) and not started{why}")
            )
    return told(session, found, len(everything), "CronJobs", none_is_fine="no CronJobs in the cluster")


CHECKS = (
    check("jobs", "Have Jobs failed?", _failed, "kubectl get jobs -A", "list jobs (batch), and list namespaces"),
    check(
        "cronjobs",
        "Were CronJobs started when they were due?",
        _missed,
        "kubectl get cronjobs -A",
        "list cronjobs (batch), and list namespaces",
        threshold=Threshold(degraded=5, unit="min", source="ours: the controller looks every 10 s, so that 5 min late is missed"),
    ),
)
