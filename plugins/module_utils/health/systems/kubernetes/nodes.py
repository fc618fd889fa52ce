# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes: ready, under pressure, cordoned and since when, and how far behind the API server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ....clients.kubernetes import Object
from ....reports.model import CRITICAL, DEGRADED
from ...model import Finding, NoData, NotApplicable, Threshold
from ..folding import told
from .api import LEASES
from .cluster import NODES, Run, check, conditions, listed, stamp, written

PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
_LEASES_IN = "kube-node-lease"
_VERSION = re.compile(r"^v?(\d+)\.(\d+)\.")
_STARTING = 10.0  # minutes that a new node has to become ready


@dataclass(frozen=True)
class Node:
    """What the checks need of a node."""

    name: str
    created: datetime | None
    conditions: Mapping[str, Any]
    cordoned: bool
    cordoned_since: datetime | None
    kubelet: str


def _node(item: Object) -> Node:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    taints = [taint.get("timeAdded") for taint in spec.get("taints") or [] if taint.get("key") == "node.kubernetes.io/unschedulable"]
    cordoned = bool(spec.get("unschedulable"))
    since = (stamp(taints[0]) if taints and taints[0] else None) or _cordoned_at(item)
    version = str((status.get("nodeInfo") or {}).get("kubeletVersion") or "")
    return Node(
        str(item["metadata"]["name"]), stamp(item["metadata"].get("creationTimestamp")), conditions(status), cordoned, since if cordoned else None, version
    )


def _cordoned_at(item: Object) -> datetime | None:
    """When the field was set, by whoever holds it now."""
    holders = [
        entry.get("time")
        for entry in item["metadata"].get("managedFields") or []
        if "f:unschedulable" in ((entry.get("fieldsV1") or {}).get("f:spec") or {}) and entry.get("subresource") != "status"
    ]
    return stamp(max(holders)) if holders else written(item)


def nodes(session: Run) -> list[Node]:
    """All nodes. Raises NoData if there are none."""
    found = listed(session, NODES, _node)
    if not found:
        raise NoData("the cluster has no nodes: nothing can run, or they are hidden from this account")
    return found


def _heartbeat(item: Object) -> tuple[str, datetime | None]:
    return str(item["metadata"]["name"]), stamp((item.get("spec") or {}).get("renewTime"))


def _ready(session: Run) -> Iterable[Finding]:
    """By its condition; and by its lease, because the condition stays as it was when the controller that judges it is down."""
    beats = dict(listed(session, LEASES, _heartbeat, namespace=_LEASES_IN))
    found, looked_at = [], 0
    for node in nodes(session):
        looked_at += 1
        ready = node.conditions.get("Ready")
        silent = session.client.minutes(beats.get(node.name))
        if ready is None or ready["status"] != "True":
            age = session.client.minutes(node.created)
            if age is not None and age < _STARTING and ready is None:
                continue
            since = session.client.minutes(stamp((ready or {}).get("lastTransitionTime")) or node.created)
            reason = f"{(ready or {}).get('reason') or 'no condition'}: {(ready or {}).get('message') or 'its kubelet has never reported'}"
            found.append(Finding(observed=since, name=node.name, message=f"not ready for {since} min ({reason})"))
        elif silent is not None:
            found.append(Finding(observed=silent, name=node.name, message=f"counts as ready, and its kubelet has been silent for {silent} min"))
    return told(session, found, looked_at, "nodes")


def _pressure(session: Run) -> Iterable[Finding]:
    found, looked_at = [], 0
    for node in nodes(session):
        looked_at += 1
        for kind in PRESSURES:
            condition = node.conditions.get(kind) or {}
            if condition.get("status") == "True":
                verdict = CRITICAL if kind == "NetworkUnavailable" else DEGRADED
                since = condition.get("lastTransitionTime") or "an unknown time"
                found.append(Finding(verdict=verdict, name=f"{node.name}/{kind}", message=f"{kind} since {since}: {condition.get('message', '')}".rstrip(": ")))
    return told(session, found, looked_at, "nodes")


def _cordoned(session: Run) -> Iterable[Finding]:
    everything = nodes(session)
    found = []
    for node in everything:
        if node.cordoned:
            minutes = session.client.minutes(node.cordoned_since)
            hours = None if minutes is None else round(minutes / 60, 2)
            found.append(Finding(observed=hours, name=node.name, message=f"closed for new pods for {hours} h; is anybody still working on it?"))
    return told(session, found, len(everything), "nodes")


def _skew(session: Run) -> Iterable[Finding]:
    major, minor = session.client.version
    found, strange = [], []
    for node in nodes(session):
        match = _VERSION.match(node.kubelet)
        if match is None:
            strange.append(node)
        elif int(match[1]) != major or int(match[2]) > minor:
            message = f"kubelet {node.kubelet} is newer than the API server ({session.client.release}), which is not supported"
            found.append(Finding(verdict=CRITICAL, observed=minor - int(match[2]), name=node.name, message=message))
        else:
            behind = minor - int(match[2])
            message = f"kubelet {node.kubelet} is {behind} minor releases behind the API server ({session.client.release})"
            found.append(Finding(observed=behind, name=node.name, message=message))
    simulated = [node for node in strange if node.kubelet.startswith("kwok-")]
    if strange != simulated:
        odd = next(node for node in strange if node not in simulated)
        raise NoData(f"the kubelet of {odd.name} gives its version as {odd.kubelet!r}")
    if not found:
        raise NotApplicable(f"all {len(simulated)} nodes are simulated by kwok and have no kubelet whose version could lag")
    return told(session, found, len(found), "nodes")


CHECKS = (
    check(
        "nodes_ready",
        "Is every node ready, and heard of?",
        _ready,
        "kubectl get nodes; kubectl get leases -n kube-node-lease",
        "list nodes, and list leases (coordination.k8s.io) in kube-node-lease",
        threshold=Threshold(degraded=1, critical=5, unit="min", source="pods are evicted from a node after 5 min (Kubernetes' default tolerations)"),
    ),
    check("nodes_pressure", "Is a node short of memory, disk, processes or network?", _pressure, "kubectl describe nodes", "list nodes"),
    check(
        "nodes_cordoned",
        "Has a node been forgotten closed?",
        _cordoned,
        "kubectl get nodes --field-selector spec.unschedulable=true",
        "list nodes",
        threshold=Threshold(degraded=2, unit="h", source="ours: twice the guides' maintenance window, which lasts an hour"),
    ),
    check(
        "nodes_version",
        "How many minor releases are kubelets behind the API server?",
        _skew,
        "kubectl version; kubectl get nodes",
        "list nodes",
        threshold=Threshold(degraded=3, critical=4, unit="releases", source="Kubernetes' version skew policy: kubelets may be three minor releases older"),
    ),
)
