# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims of volumes that wait for one, or have lost theirs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ....clients.kubernetes import Object, Resource
from ....reports.model import CRITICAL
from ...model import Finding, Threshold
from ..folding import told
from .cluster import LONG, Run, check, listed, space_of, stamp
from .pods import pods

CLAIMS = Resource("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
CLASSES = Resource("storage.k8s.io/v1", "StorageClass", "storageclasses", namespaced=False)


@dataclass(frozen=True)
class Claim:
    """A claim of a volume."""

    namespace: str
    name: str
    phase: str
    storage_class: str
    created: datetime | None


def _claim(item: Object) -> Claim:
    metadata, spec = item["metadata"], item.get("spec") or {}
    phase = str((item.get("status") or {}).get("phase") or "")
    return Claim(str(metadata["namespace"]), str(metadata["name"]), phase, str(spec.get("storageClassName") or ""), stamp(metadata.get("creationTimestamp")))


def _waits(item: Object) -> tuple[str, bool]:
    return str(item["metadata"]["name"]), item.get("volumeBindingMode") == "WaitForFirstConsumer"


def _claims(session: Run) -> Iterable[Finding]:
    """A claim of a class that waits for its first consumer is pending by design until a pod asks for it."""
    everything = listed(session, CLAIMS, _claim)
    lost = [one for one in everything if one.phase == "Lost" and space_of(session, one.namespace).leaving_since is None]
    pending = [one for one in everything if one.phase == "Pending" and not space_of(session, one.namespace).quiet]
    waiting = {name for name, waits in listed(session, CLASSES, _waits) if waits} if pending else set()
    asked_for = {(pod.namespace, claim) for pod in pods(session) for claim in pod.claims} if pending else set()
    found = []
    for one in (*lost, *pending):
        space = space_of(session, one.namespace)
        name = f"{one.namespace}/{one.name}"
        if one.phase == "Lost":
            message = "its volume does not exist any more: what was stored there is lost or detached"
            found.append(Finding(verdict=CRITICAL, name=name, tenants=space.tenants, message=message))
        elif one.storage_class not in waiting or (one.namespace, one.name) in asked_for:
            message = f"waits for a volume of class {one.storage_class!r}" if one.storage_class else "names no storage class, and nobody offers it a volume"
            found.append(Finding(observed=session.client.minutes(one.created), name=name, tenants=space.tenants, message=message))
    return told(session, found, len(everything), "claims of volumes", none_is_fine="no claims of volumes")


CHECKS = (
    check(
        "volume_claims",
        "Has every claim its volume?",
        _claims,
        "kubectl get pvc -A; kubectl describe pvc",
        "list persistentvolumeclaims, list storageclasses (storage.k8s.io), list pods, and list namespaces",
        timeout=LONG,
        threshold=Threshold(degraded=5, unit="min", source="kubernetes-mixin: KubePersistentVolumeErrors after 5 min"),
    ),
)
