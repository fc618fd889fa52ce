# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments, StatefulSets and DaemonSets: what is available of what is wanted, and whether roll-outs move."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ....clients.kubernetes import Object, Resource
from ....reports.model import CRITICAL, DEGRADED
from ...model import Finding, Threshold
from ..folding import told
from . import pods as states
from .cluster import LONG, Run, check, conditions, listed, option, space_of, stamp, written
from .pods import Pod, by_workload, pods

KINDS = (
    Resource("apps/v1", "Deployment", "deployments"),
    Resource("apps/v1", "StatefulSet", "statefulsets"),
    Resource("apps/v1", "DaemonSet", "daemonsets"),
)
# Minutes that pods may be missing before anybody is told; while a roll-out is under way, Kubernetes' own default deadline.
_GRACE, _ROLLING = 3.0, 10.0
_UNSEEN = 5.0  # minutes that a controller may take to look at a change


@dataclass(frozen=True)
class Workload:
    """What the checks need of one. ``seen``: whether its controller has looked at what it is to be since ``changed``."""

    kind: str
    namespace: str
    name: str
    wanted: int
    available: int
    rolling: bool
    seen: bool
    changed: datetime | None
    conditions: Mapping[str, Any]

    @property
    def subject(self) -> str:
        """``namespace/kind/name``, as pods say what they belong to."""
        return f"{self.namespace}/{self.kind}/{self.name}"

    def condition(self, kind: str, status: str) -> Mapping[str, Any] | None:
        """The condition, if it has that status."""
        found: Mapping[str, Any] | None = self.conditions.get(kind)
        return found if found is not None and found.get("status") == status else None


def _shape(kind: str, item: Object) -> Workload:
    metadata, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    if kind == "DaemonSet":
        wanted, available = int(status.get("desiredNumberScheduled") or 0), int(status.get("numberAvailable") or 0)
        rolling = int(status.get("updatedNumberScheduled") or 0) < wanted
    else:
        wanted = int(spec["replicas"]) if spec.get("replicas") is not None else 1
        available = int(status.get("availableReplicas") or 0)
        rolling = int(status.get("updatedReplicas") or 0) < wanted
    seen = int(status.get("observedGeneration") or 0) >= int(metadata.get("generation") or 0)
    name, namespace = str(metadata["name"]), str(metadata["namespace"])
    return Workload(kind, namespace, name, wanted, available, rolling, seen, written(item), conditions(status))


def workloads(session: Run) -> list[Workload]:
    """All of them, but those in namespaces that are going or whose tenant is suspended: there nothing has to run."""
    found: list[Workload] = []
    for resource in KINDS:
        found += listed(session, resource, lambda item, kind=resource.kind: _shape(kind, item))  # type: ignore[misc]
    return [one for one in found if not space_of(session, one.namespace).quiet]


def _missing_since(session: Run, one: Workload, its: Iterable[Pod]) -> float | None:
    """For how many minutes pods have been missing, by whatever tells most; None if nothing tells."""
    known = [one.condition("Available", "False"), one.condition("ReplicaFailure", "True")]
    times = [stamp(condition.get("lastTransitionTime")) for condition in known if condition]
    times += [pod.since for pod in its if pod.state not in (states.WELL, states.FINISHED)]
    return max((age for age in map(session.client.minutes, times) if age is not None), default=None)


def _available(session: Run) -> Iterable[Finding]:
    grace, rolling = option(session, "grace_minutes", _GRACE), option(session, "rollout_minutes", _ROLLING)
    everything = workloads(session)
    groups = by_workload(pods(session))
    found = []
    for one in everything:
        if one.wanted < 1 or one.available >= one.wanted:
            continue
        its = groups.get(one.subject, [])
        if sum(pod.state == states.WELL for pod in its) >= one.wanted:
            continue  # all are ready, and become available after minReadySeconds
        since = _missing_since(session, one, its)
        # Nothing tells how long: then it is as old as the last change of what is wanted, at most.
        lasted = since if since is not None else session.client.minutes(one.changed) or 0.0
        if lasted < (rolling if one.rolling else grace):
            continue
        space = space_of(session, one.namespace)
        failure = one.condition("ReplicaFailure", "True") or {}
        said = f"{one.available} of {one.wanted} available for {lasted} min" + (f": {failure.get('message')}" if failure else "")
        share = round(100 * one.available / one.wanted, 1)
        found.append(Finding(observed=share, variant=space.variant, name=one.subject, tenants=space.tenants, message=said))
    return told(session, found, len(everything), "workloads", none_is_fine="no Deployments, StatefulSets or DaemonSets")


def _rollouts(session: Run) -> Iterable[Finding]:
    everything = workloads(session)
    unseen = option(session, "unseen_minutes", _UNSEEN)
    found = []
    for one in everything:
        space = space_of(session, one.namespace)
        stuck = one.condition("Progressing", "False")
        age = session.client.minutes(one.changed)
        if not one.seen and (age is None or age >= unseen):
            message = f"changed {age} min ago, and its controller has not looked at it: is the controller manager at work?"
            found.append(Finding(verdict=CRITICAL, observed=age, unit="min", name=one.subject, tenants=space.tenants, message=message))
        elif stuck:
            message = f"the roll-out is stuck since {stuck.get('lastTransitionTime')}: {stuck.get('reason')}: {stuck.get('message')}"
            found.append(Finding(verdict=DEGRADED, name=one.subject, tenants=space.tenants, message=message))
    return told(session, found, len(everything), "workloads", none_is_fine="no Deployments, StatefulSets or DaemonSets")


_RIGHTS = "list deployments, statefulsets and daemonsets (apps), list pods, and list namespaces"
CHECKS = (
    check(
        "workloads",
        "How much of what is wanted is available?",
        _available,
        "kubectl get deployments,statefulsets,daemonsets -A",
        _RIGHTS,
        timeout=LONG,
        threshold=Threshold(degraded=99.9, critical=0, worse="lower", unit="%", source="ours: one missing pod weakens a workload, none left is an outage"),
        variants={
            "tenant": Threshold(
                degraded=99.9, worse="lower", unit="%", source="ours: what a tenant runs is the tenant's; it does not make the platform critical"
            )
        },
    ),
    check("rollouts", "Do roll-outs move?", _rollouts, "kubectl get deployments -A; kubectl rollout status", _RIGHTS, timeout=LONG),
)
