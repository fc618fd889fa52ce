# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with pods. Each pod has one state, so none of these tells of the same pod twice; findings are about workloads, not pods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from ....reports.model import CRITICAL, DEGRADED
from ...model import Finding, Threshold
from ..folding import told
from . import pods as states
from .cluster import LONG, Run, check, option, space_of
from .pods import Pod, by_workload, living, pods

_NEVER_HEALS = ("InvalidImageName", "ErrImageNeverPull", "ImagePullBackOff")
_HOURS = 1.0  # the usual window of restarts; the option restart_hours changes it
_NO_PODS = "no pods in the cluster"


def _oldest(session: Run, group: Sequence[Pod]) -> float | None:
    ages = [session.client.minutes(one.since) for one in group]
    return max((age for age in ages if age is not None), default=None)


def _finding(session: Run, group: Sequence[Pod], message: str, observed: float | None, verdict: str | None = None) -> Finding:
    """About one workload; ``group`` is those of its pods that are in trouble."""
    space = space_of(session, group[0].namespace)
    evidence = "\n".join(f"{one.namespace}/{one.name}: {one.reason} {one.message}".strip() for one in group[:5])
    return Finding(
        observed=observed, verdict=verdict, variant=space.variant, name=group[0].subject, tenants=space.tenants, message=message, evidence=evidence or None
    )


def _in(session: Run, state: str, judge: Callable[[Sequence[Pod]], Finding | None]) -> Iterable[Finding]:
    groups = by_workload(one for one in living(session) if one.state == state)
    found = [finding for finding in map(judge, groups.values()) if finding is not None]
    return told(session, found, len(pods(session)), "pods", none_is_fine=_NO_PODS)


def _pending(session: Run) -> Iterable[Finding]:
    def judge(group: Sequence[Pod]) -> Finding | None:
        waiting = [one for one in group if one.reason != "SchedulingGated"]  # somebody wants them to wait
        if not waiting:
            return None
        age = _oldest(session, waiting)
        return _finding(session, waiting, f"{len(waiting)} pods wait for a node, one of them for {age} min: {waiting[0].message or waiting[0].reason}", age)

    return _in(session, states.PENDING, judge)


def _images(session: Run) -> Iterable[Finding]:
    def judge(group: Sequence[Pod]) -> Finding | None:
        age = _oldest(session, group)
        sure = any(one.reason in _NEVER_HEALS for one in group)
        return _finding(session, group, f"{len(group)} pods cannot start: {group[0].reason}: {group[0].message}", age, DEGRADED if sure else None)

    return _in(session, states.NO_IMAGE, judge)


def _config(session: Run) -> Iterable[Finding]:
    def judge(group: Sequence[Pod]) -> Finding | None:
        age = _oldest(session, group)
        return _finding(session, group, f"{len(group)} pods cannot start: {group[0].reason}: {group[0].message}", age)

    return _in(session, states.NO_CONFIG, judge)


def _crashes(session: Run) -> Iterable[Finding]:
    """Whoever waits between two crashes is in a loop now. Others by how often they restarted in the window; a single restart is no loop."""
    window = option(session, "restart_hours", _HOURS)
    start = session.client.now - timedelta(hours=window)
    found = []
    for group in by_workload(one for one in living(session) if one.state not in (states.LEAVING, states.FINISHED)).values():
        looping = [one for one in group if one.state == states.CRASHING]
        restarts = {one.name: one.restarts_since(start) for one in group}
        worst = max(group, key=lambda one: restarts[one.name])
        if looping:
            tenant = bool(space_of(session, group[0].namespace).tenant)
            message = f"{len(looping)} pods crash again and again; {looping[0].message or looping[0].reason}"
            found.append(_finding(session, looping, message, max(2, restarts[worst.name]), DEGRADED if tenant else CRITICAL))
        elif restarts[worst.name]:
            why = next((container.why for container in worst.containers if container.why), "")
            message = f"at least {restarts[worst.name]} restarts of a container within {window:g} h ({why})"
            found.append(_finding(session, [worst], message, restarts[worst.name]))
    return told(session, found, len(pods(session)), "pods", none_is_fine=_NO_PODS)


def _unready(session: Run) -> Iterable[Finding]:
    """Running or starting and not ready, or going and not gone. Pods of Jobs need not be ready, they need to end."""
    found = []
    candidates = (one for one in living(session) if one.state in (states.NOT_READY, states.LEAVING) or (one.state == states.FAILED and _alone(one)))
    for group in by_workload(one for one in candidates if not (one.of_job and one.state == states.NOT_READY)).values():
        age = _oldest(session, group)
        reasons = ", ".join(sorted({one.reason for one in group if one.reason}))
        found.append(_finding(session, group, f"{len(group)} pods not ready, one of them for {age} min ({reasons})", age))
    return told(session, found, len(pods(session)), "pods", none_is_fine=_NO_PODS)


def _alone(one: Pod) -> bool:
    """Nobody makes another in its place, so that it failed is not somebody else's finding."""
    return one.workload == f"Pod/{one.name}"


_QUERY = "kubectl get pods -A --field-selector status.phase!=Succeeded"
_RIGHTS = "list pods, and list namespaces"
_KEEPS_TRYING = "ours: what heals by itself has by then; what it costs the workload is judged by kubernetes.workloads"

CHECKS = (
    check(
        "pods_ready",
        "Are pods ready that should be?",
        _unready,
        _QUERY,
        _RIGHTS,
        timeout=LONG,
        threshold=Threshold(degraded=10, unit="min", source="guides: KubernetesPodNotReady after 10 min; what it costs the workload is judged there"),
    ),
    check(
        "pods_crashes",
        "Do containers restart again and again?",
        _crashes,
        f"{_QUERY} -o custom-columns='POD:.metadata.name,LAST:.status.containerStatuses[*].lastState.terminated.finishedAt'",
        _RIGHTS,
        timeout=LONG,
        threshold=Threshold(degraded=2, critical=5, unit="restarts", source="ours: one restart is no loop; back-off reaches 5 min after five of them"),
        variants={"tenant": Threshold(degraded=2, unit="restarts", source="ours: what a tenant runs is the tenant's; it does not make the platform critical")},
    ),
    check(
        "pods_pending",
        "Do pods wait for a node, and why?",
        _pending,
        "kubectl get pods -A --field-selector status.phase=Pending",
        _RIGHTS,
        timeout=LONG,
        threshold=Threshold(degraded=5, critical=15, unit="min", source="kubernetes-mixin: a pod that is not ready for 15 min; 5 min is what new nodes take"),
        variants={"tenant": Threshold(degraded=5, unit="min", source="ours: what new nodes take; a tenant's pod may ask for what no node has")},
    ),
    check(
        "pods_images",
        "Can images be pulled?",
        _images,
        _QUERY,
        _RIGHTS,
        timeout=LONG,
        threshold=Threshold(degraded=3, unit="min", source=_KEEPS_TRYING),
    ),
    check(
        "pods_config",
        "Do containers lack what they are started with (Secrets, ConfigMaps, commands)?",
        _config,
        _QUERY,
        _RIGHTS,
        timeout=LONG,
        threshold=Threshold(degraded=3, unit="min", source=_KEEPS_TRYING),
    ),
)
