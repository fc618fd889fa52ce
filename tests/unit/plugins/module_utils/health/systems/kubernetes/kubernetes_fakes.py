# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster in memory that answers as the API does, well unless a test changes something, and how its checks are run."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from ansible_collections.leanvibe.ops.plugins.module_utils.clients.kubernetes import Plain, Resource
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.kubernetes_config import Access
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import AccessDenied
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.runner import Link, Selection, run_checks
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.kubernetes import CHECKS
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.kubernetes.cluster import Cluster
from ansible_collections.leanvibe.ops.plugins.module_utils.health.thresholds import with_overrides
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.kubernetes_guard import declared
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NOW = datetime.datetime(2026, 11, 21, 6, 0, tzinfo=datetime.UTC)
READY = "[+]ping ok\n[+]etcd ok\n[+]informer-sync ok\nreadyz check passed\n"
METRICS = 'apiserver_request_total{code="200"} 5\napiserver_requested_deprecated_apis{group="",removed_release="",resource="endpoints",version="v1"} 1\n'
Object = dict[str, Any]


def ago(**how: float) -> str:
    """A time of the API, before the cluster's now: ``ago(minutes=5)``."""
    return (NOW - datetime.timedelta(**how)).strftime("%Y-%m-%dT%H:%M:%SZ")


def certificate(days: float, life: float = 365) -> x509.Certificate:
    """A certificate that expires in ``days`` and was issued for ``life`` days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    end = NOW + datetime.timedelta(days=days)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    return builder.not_valid_before(end - datetime.timedelta(days=life)).not_valid_after(end).sign(key, hashes.SHA256())


def pem(days: float, life: float = 365) -> bytes:
    return certificate(days, life).public_bytes(serialization.Encoding.PEM)


def item(name: str, namespace: str | None = None, *, age: str | None = None, meta: Object | None = None, **more: Any) -> Object:
    metadata = {"name": name, "creationTimestamp": age or ago(days=9), "generation": 1, **({"namespace": namespace} if namespace else {}), **(meta or {})}
    return {"metadata": metadata, **more}


def condition(kind: str, status: str, **more: Any) -> Object:
    return {"type": kind, "status": status, "lastTransitionTime": ago(days=9), **more}


def namespace(name: str, tenant: str = "", state: str = "active", **meta: Any) -> Object:
    labels = {"leanvibe.ai/tenant-id": tenant, "app.kubernetes.io/managed-by": "leanvibe.ops"} if tenant else {}
    return item(name, meta={"labels": labels, "annotations": {"leanvibe.ai/state": state}, **meta}, status={})


def node(name: str, *conditions: Object, kubelet: str = "v1.36.3", age: str | None = None, **spec: Any) -> Object:
    return item(name, age=age, spec=spec, status={"conditions": list(conditions or [condition("Ready", "True")]), "nodeInfo": {"kubeletVersion": kubelet}})


def lease(name: str, renewed: str) -> Object:
    return item(name, spec={"renewTime": renewed, "holderIdentity": "x"})


def pod(namespace: str, name: str, *, owner: tuple[str, str] | None = ("ReplicaSet", "web-5d8f"), age: str | None = None, **status: Any) -> Object:
    labels = {"pod-template-hash": "5d8f"}
    owners = [{"kind": owner[0], "name": owner[1], "controller": True}] if owner else []
    well = {"phase": "Running", "conditions": [condition("PodScheduled", "True"), condition("Ready", "True")], "containerStatuses": [container()]}
    return item(name, namespace, age=age, meta={"ownerReferences": owners, "labels": labels}, spec={"nodeName": "n1"}, status={**well, **status})


def container(restarts: int = 0, *, waiting: str = "", message: str = "", began: str = "", ended: str = "") -> Object:
    state = {"waiting": {"reason": waiting, "message": message}} if waiting else {"running": {}}
    last = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": began, "finishedAt": ended}} if ended else {}
    return {"name": "main", "restartCount": restarts, "state": state, "lastState": last}


def deployment(namespace: str, name: str = "web", wanted: int = 2, available: int = 2, *conditions: Object, **status: Any) -> Object:
    known = list(conditions or [condition("Available", "True"), condition("Progressing", "True")])
    said = {"observedGeneration": 1, "availableReplicas": available, "updatedReplicas": wanted, "conditions": known, **status}
    return item(name, namespace, spec={"replicas": wanted}, status=said)


@dataclass
class Api:
    """What a KubernetesClient is to the checks. ``denied`` are plurals that may not be read; ``asked`` counts requests by what they were about."""

    objects: dict[str, list[Object]]
    ready: Plain = field(default_factory=lambda: Plain(200, READY))
    metrics: Plain = field(default_factory=lambda: Plain(200, METRICS))
    shown: bytes | None = None
    access: Access = field(default_factory=lambda: Access("https://api:6443", None, certificate=pem(300)))
    denied: set[str] = field(default_factory=set)
    errors: dict[str, Exception] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    selectors: dict[str, str] = field(default_factory=dict)
    server: str = "https://api:6443"
    timeout: float = 5.0
    ahead: float | None = 0.0

    def _count(self, what: str) -> None:
        self.asked[what] = self.asked.get(what, 0) + 1
        if what in self.errors:
            raise self.errors[what]
        if what in self.denied:
            raise AccessDenied(f'Kubernetes at {self.server}: {what} is forbidden: User "reader" cannot list resource "{what}"')

    def listed(
        self, resource: Resource, shape: Callable[[Object], Any], label_selector: str = "", field_selector: str = "", namespace: str | None = None
    ) -> Any:
        key = f"{resource.plural}/{namespace}" if namespace and f"{resource.plural}/{namespace}" in self.objects else resource.plural
        self._count(key)
        self.selectors[key] = field_selector
        return [shape(one) for one in self.objects.get(key, [])]

    def list(self, resource: Resource, label_selector: str = "", field_selector: str = "", namespace: str | None = None) -> Any:
        name = label_selector.partition("=")[2]
        return [one for one in self.listed(resource, dict, namespace=None) if one["metadata"]["namespace"] == namespace and one["service"] == name]

    def get(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        self._count(resource.plural)
        found = (one for one in self.objects.get(resource.plural, []) if one["metadata"]["name"] == name and one["metadata"].get("namespace") == namespace)
        return next(found, None)

    def plain(self, path: str) -> Plain:
        self._count(path)
        if path == "/version":
            return Plain(200, "{}", formatdate(time.time() + self.ahead, usegmt=True) if self.ahead is not None else "")
        return self.metrics if path == "/metrics" else self.ready

    def serving_certificate(self) -> bytes | None:
        self._count("certificate")
        return self.shown


def healthy(tenants: int = 2) -> Api:
    """A cluster with some of everything, and nothing wrong: finished Jobs and pods, a pod that restarted once, a suspended tenant whose pods are gone."""
    names = [f"tenant-t{number}" for number in range(tenants)]
    objects: dict[str, list[Object]] = {
        "namespaces": [namespace("default"), namespace("platform"), namespace("tenant-off", "off", "suspended")]
        + [namespace(name, name.removeprefix("tenant-")) for name in names],
        "nodes": [node(f"n{number}") for number in range(3)],
        "leases/kube-node-lease": [lease(f"n{number}", ago(seconds=8)) for number in range(3)],
        "leases/kube-system": [lease("kube-controller-manager", ago(seconds=2)), lease("kube-scheduler", ago(seconds=1)), lease("apiserver-x", ago(days=3))],
        "apiservices": [
            item("v1.apps", spec={}, status={"conditions": [condition("Available", "True")]}),
            item("v1beta1.metrics.k8s.io", spec={"service": {"name": "metrics"}}, status={"conditions": [condition("Available", "True")]}),
        ],
        "deployments": [deployment(space) for space in ("platform", *names)] + [deployment("platform", "idle", 0, 0), deployment("tenant-off", "web", 2, 0)],
        "statefulsets": [deployment("platform", "store", 1, 1)],
        "daemonsets": [
            item(
                "agent",
                "platform",
                spec={},
                status={"desiredNumberScheduled": 3, "numberAvailable": 3, "updatedNumberScheduled": 3, "observedGeneration": 1},
            )
        ],
        "pods": [pod(space, f"web-5d8f-{number}") for space in ("platform", *names) for number in range(2)]
        + [pod("platform", "once", owner=("StatefulSet", "store"), containerStatuses=[container(1, began=ago(days=2), ended=ago(minutes=20))])]
        + [pod("platform", "work", owner=("Job", "nightly-29384710"), phase="Running", conditions=[condition("Ready", "False")])]
        + [pod("platform", "tried", owner=("Job", "nightly-29384710"), phase="Failed")],
        "jobs": [
            item(
                "nightly-1",
                "platform",
                age=ago(days=2),
                meta={"ownerReferences": [{"kind": "CronJob", "name": "nightly"}]},
                status=failed("BackoffLimitExceeded"),
            ),
            item("nightly-2", "platform", age=ago(days=1), meta={"ownerReferences": [{"kind": "CronJob", "name": "nightly"}]}, status=completed()),
            item("migrate", "platform", status=completed()),
        ],
        "cronjobs": [item("nightly", "platform", spec={"schedule": "0 3 * * *"}, status={"lastScheduleTime": ago(hours=3)})],
        "persistentvolumeclaims": [
            item("data", "platform", spec={"storageClassName": "fast"}, status={"phase": "Bound"}),
            item("later", "platform", spec={"storageClassName": "lazy"}, status={"phase": "Pending"}),
        ],
        "storageclasses": [item("fast", volumeBindingMode="Immediate"), item("lazy", volumeBindingMode="WaitForFirstConsumer")],
        "resourcequotas": [quota(name, pods=("10", "5"), **{"services.nodeports": ("0", "0")}) for name in names]
        + [quota("tenant-off", pods=("0", "2")), quota("platform", cpu=("10", "500m"))],
        "poddisruptionbudgets": [budget("web", 2, 2, 1)],
        "validatingwebhookconfigurations": [item("policy", webhooks=[hook("policy.example", "Fail", "platform", "policy")])],
        "mutatingwebhookconfigurations": [item("outside", webhooks=[{"name": "outside.example", "clientConfig": {"url": "https://outside.example"}}])],
        "services": [item("policy", "platform", spec={"type": "ClusterIP"})],
        "endpointslices": [endpoints("platform", "policy")],
        "events": [item("e", "platform", reason="Unhealthy", involvedObject=about("platform", "Pod", "x"), count=40, **times(minutes_from=60, minutes_to=40))],
        "secrets": [secret("platform", "gateway", pem(200)), secret("platform", "short", pem(5, 12))],
        **{resource.plural: [] for resource, _object in declared()},
    }
    for resource, wanted in declared():
        objects[resource.plural].append({**wanted, "spec": {**wanted["spec"], "defaulted": True}})
    return Api(objects, shown=certificate(200).public_bytes(serialization.Encoding.DER))


def times(minutes_from: float, minutes_to: float) -> Object:
    return {"firstTimestamp": ago(minutes=minutes_from), "lastTimestamp": ago(minutes=minutes_to)}


def about(space: str, kind: str, name: str) -> Object:
    return {"namespace": space, "kind": kind, "name": name}


def failed(reason: str) -> Object:
    return {"conditions": [condition("Failed", "True", reason=reason, message="it failed")]}


def completed() -> Object:
    return {"conditions": [condition("Complete", "True")]}


def quota(space: str, **limits: tuple[str, str]) -> Object:
    return item(
        "quota",
        space,
        status={"hard": {name: hard for name, (hard, _used) in limits.items()}, "used": {name: used for name, (_hard, used) in limits.items()}},
    )


def budget(name: str, expected: int, now_healthy: int, allowed: int, **more: Any) -> Object:
    said = {"observedGeneration": 1, "expectedPods": expected, "currentHealthy": now_healthy, "disruptionsAllowed": allowed, **more}
    return item(name, "platform", spec={"minAvailable": 1}, status=said)


def hook(name: str, policy: str, space: str, service: str) -> Object:
    return {"name": name, "failurePolicy": policy, "clientConfig": {"service": {"namespace": space, "name": service}}}


def endpoints(space: str, service: str, *, ready: bool = True) -> Object:
    return item(f"{service}-x", space, service=service, endpoints=[{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}])


def secret(space: str, name: str, certificate_pem: bytes) -> Object:
    import base64

    return item(name, space, type="kubernetes.io/tls", data={"tls.crt": base64.b64encode(certificate_pem).decode(), "tls.key": "cHJpdmF0ZQ=="})


def perform(api: Api, *only: str, thresholds: Any = None, options: Any = None) -> Run:
    """Run the checks as the module does."""
    checks = with_overrides(CHECKS, thresholds or {})
    cluster = Cluster(api, (1, 36), "v1.36.3", NOW)  # type: ignore[arg-type]

    def answers(_client: Cluster, _seconds: float) -> None:
        return None

    link: Link[Cluster] = Link(connect=lambda _seconds: cluster, answers=answers, close=lambda _cluster: None)
    return run_checks(
        checks,
        link,
        system="kubernetes",
        region="us-east-1",
        selection=Selection(only=[f"kubernetes.{name}" for name in only]),
        options=options,
    )


def wrong(run: Run) -> dict[str, str]:
    """``check/name: verdict`` of everything that is not ok."""
    return {
        f"{one['id'].removeprefix('kubernetes.')}{one['subject'].removeprefix('us-east-1/kubernetes')}": one["verdict"]
        for one in run.items
        if one["verdict"] != "ok"
    }


def said(run: Run, name: str) -> Object:
    """The first item of a check."""
    return next(one for one in run.items if one["id"] == f"kubernetes.{name}")
