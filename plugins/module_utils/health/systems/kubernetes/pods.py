# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods as the checks need them: what state each is in, of which there is exactly one, and which workload it belongs to. Pure but for the list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ....clients.kubernetes import Object
from .cluster import PODS, Run, conditions, listed, space_of, stamp

IMAGE = ("ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable")
CONFIG = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError", "PostStartHookError")
CRASH = "CrashLoopBackOff"
# States. Of a pod that is several, the first counts: it says more about the cause.
LEAVING, FINISHED, FAILED, PENDING, NO_IMAGE, NO_CONFIG, CRASHING, NOT_READY, WELL = (
    "leaving", "finished", "failed", "pending", "image", "config", "crashing", "not_ready", "well",
)  # fmt: skip
_JOB_OF_CRON = re.compile(r"-\d{8,10}$")


@dataclass(frozen=True)
class Container:
    """What a status says of a container. ``ended``/``began``: when its last run ended, and when that run had begun."""

    name: str
    restarts: int
    waiting: str = ""
    message: str = ""
    ended: datetime | None = None
    began: datetime | None = None
    why: str = ""


@dataclass(frozen=True)
class Pod:
    """``workload`` is what stays the same from run to run: ``Deployment/web``, or the pod's own name if it belongs to nothing."""

    namespace: str
    name: str
    workload: str
    state: str
    since: datetime | None
    created: datetime | None
    reason: str = ""
    message: str = ""
    containers: tuple[Container, ...] = ()
    claims: tuple[str, ...] = ()
    of_job: bool = False

    @property
    def subject(self) -> str:
        """``namespace/kind/name`` of what it belongs to."""
        return f"{self.namespace}/{self.workload}"

    def restarts_since(self, start: datetime) -> int:
        """How many restarts since ``start`` the status proves, of the container with the most.

        The total counts from the pod's creation and says nothing about now. What is known: a pod that is younger than that has had all its restarts
        since; else the last run's end is one restart, and its beginning, if it was no first run, another.
        """
        if self.created is not None and self.created >= start:
            return max((container.restarts for container in self.containers), default=0)
        proven = 0
        for container in self.containers:
            ended = container.ended is not None and container.ended >= start and container.restarts > 0
            began = container.began is not None and container.began >= start and container.restarts > 1
            proven = max(proven, int(ended) + int(ended and began))
        return proven


def workload_of(metadata: Mapping[str, Any]) -> str:
    """``kind/name`` of what keeps a pod alive: a Deployment rather than its ReplicaSet, a CronJob's Job without its time."""
    owner = next((one for one in metadata.get("ownerReferences") or [] if one.get("controller")), None)
    if owner is None:
        return f"Pod/{metadata['name']}"
    kind, name = str(owner["kind"]), str(owner["name"])
    if kind == "ReplicaSet":
        suffix = f"-{(metadata.get('labels') or {}).get('pod-template-hash')}"
        return f"Deployment/{name.removesuffix(suffix)}" if name.endswith(suffix) else f"ReplicaSet/{name}"
    if kind == "Job":
        return f"Job/{_JOB_OF_CRON.sub('', name)}"
    return f"Pod/{metadata['name']}" if kind == "Node" else f"{kind}/{name}"


def _container(status: Mapping[str, Any]) -> Container:
    waiting = (status.get("state") or {}).get("waiting") or {}
    last = (status.get("lastState") or {}).get("terminated") or {}
    why = f"{last.get('reason') or 'ended'}, exit status {last.get('exitCode')}" if last else ""
    ended, began = stamp(last.get("finishedAt")), stamp(last.get("startedAt"))
    return Container(
        str(status["name"]), int(status.get("restartCount") or 0), str(waiting.get("reason") or ""), str(waiting.get("message") or ""), ended, began, why
    )


def _state(item: Object, containers: tuple[Container, ...]) -> tuple[str, datetime | None, str, str]:
    """State, since when, reason and message."""
    metadata, status = item["metadata"], item.get("status") or {}
    known = conditions(status)
    created = stamp(metadata.get("creationTimestamp"))
    phase = status.get("phase")
    if metadata.get("deletionTimestamp"):
        return LEAVING, stamp(metadata["deletionTimestamp"]), "Terminating", ", ".join(metadata.get("finalizers") or [])
    if phase == "Succeeded":
        return FINISHED, None, "", ""
    if phase == "Failed":
        return FAILED, created, str(status.get("reason") or "Failed"), str(status.get("message") or "")
    scheduled = known.get("PodScheduled") or {}
    if scheduled.get("status") == "False":
        since = stamp(scheduled.get("lastTransitionTime")) or created
        return PENDING, since, str(scheduled.get("reason") or "Unschedulable"), str(scheduled.get("message") or "")
    if phase in (None, "Pending") and not (item.get("spec") or {}).get("nodeName"):
        return PENDING, created, "NotScheduled", "no scheduler has looked at it"
    for state, reasons in ((NO_IMAGE, IMAGE), (NO_CONFIG, CONFIG), (CRASHING, (CRASH,))):
        for container in containers:
            if container.waiting in reasons:
                return state, created, container.waiting, f"container {container.name}: {container.message or container.why}"
    ready = known.get("Ready") or {}
    if ready.get("status") != "True":
        waiting = next((container.waiting for container in containers if container.waiting), "")
        return NOT_READY, stamp(ready.get("lastTransitionTime")) or created, str(waiting or ready.get("reason") or phase), str(ready.get("message") or "")
    return WELL, None, "", ""


def pod(item: Object) -> Pod:
    """Read one pod."""
    metadata, status = item["metadata"], item.get("status") or {}
    statuses = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    containers = tuple(_container(one) for one in statuses)
    state, since, reason, message = _state(item, containers)
    troubled = tuple(container for container in containers if container.restarts or container.waiting)
    claims = [(volume.get("persistentVolumeClaim") or {}).get("claimName") for volume in (item.get("spec") or {}).get("volumes") or []]
    return Pod(
        str(metadata["namespace"]),
        str(metadata["name"]),
        workload_of(metadata),
        state,
        since,
        stamp(metadata.get("creationTimestamp")),
        reason,
        message,
        troubled,
        tuple(claim for claim in claims if claim) if state == PENDING else (),
        any(owner.get("kind") == "Job" for owner in metadata.get("ownerReferences") or []),
    )


def pods(session: Run) -> list[Pod]:
    """All pods that have not finished well: those are left out by the API already."""
    return listed(session, PODS, pod, "status.phase!=Succeeded")


def living(session: Run) -> list[Pod]:
    """Those that are meant to run: not in namespaces that are going or whose tenant is suspended."""
    return session.once("living", lambda _cluster: [one for one in pods(session) if not space_of(session, one.namespace).quiet])


def by_workload(found: Iterable[Pod]) -> dict[str, list[Pod]]:
    """Pods by what they belong to."""
    groups: dict[str, list[Pod]] = {}
    for one in found:
        groups.setdefault(one.subject, []).append(one)
    return groups
