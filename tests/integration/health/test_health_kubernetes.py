# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_kubernetes on real clusters: nothing on a healthy one, and for each fault the findings that were written down before, and no others."""

from __future__ import annotations

import base64
import datetime
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.kubernetes_guard import declared
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from health_cluster import NOWHERE, Cluster, ago, server_of, told, verdicts

EAST, WEST = "us-east-1", "us-west-2"
# Findings that a sandbox always has: its nodes are simulated, so they have no kubelet.
ALWAYS = {("nodes_version", "skipped")}


@pytest.fixture
def cluster(sandbox: dict[str, Any], sandbox_dir: Path) -> Iterator[Cluster]:
    made = Cluster(sandbox, sandbox_dir, EAST)
    made.namespace()
    yield made
    made.clean()


@dataclass(frozen=True)
class Fault:
    """``may``: the checks that may tell of it, all of which must. ``thresholds`` and ``options`` spare the test the wait."""

    do: Callable[[Cluster], Any]
    may: set[str]
    thresholds: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


def image(cluster: Cluster) -> None:
    cluster.waiting("hc-image", "ImagePullBackOff")


def config(cluster: Cluster) -> None:
    cluster.waiting("hc-config", "CreateContainerConfigError")


def crashing(cluster: Cluster) -> None:
    cluster.create(cluster.deployment("hc-crash", labels={"sandbox.leanvibe.ai/broken": "true"}))
    cluster.until("CrashLoopBackOff", "get", "pods", "-n", cluster.space, "-o", "jsonpath={.items[0].status.containerStatuses[0].state.waiting.reason}")


def restarting(cluster: Cluster) -> None:
    cluster.create(cluster.pod("hc-restarts"))
    cluster.field("pod/hc-restarts", ".status.phase", "Running")
    last = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "startedAt": ago(minutes=3), "finishedAt": ago(minutes=1)}}
    container = {
        "name": "main",
        "image": "x",
        "imageID": "",
        "ready": True,
        "restartCount": 3,
        "lastState": last,
        "state": {"running": {"startedAt": ago(seconds=50)}},
    }
    cluster.status("pod/hc-restarts", {"containerStatuses": [container]})
    cluster.field("pod/hc-restarts", ".status.containerStatuses[0].restartCount", "3")


def pending(cluster: Cluster) -> None:
    cluster.create(cluster.pod("hc-pending", nodeSelector=NOWHERE))
    cluster.field("pod/hc-pending", ".status.conditions[0].reason", "Unschedulable")


def unready(cluster: Cluster) -> None:
    cluster.create(cluster.pod("hc-unready"))
    cluster.field("pod/hc-unready", ".status.phase", "Running")
    cluster.status("pod/hc-unready", {"conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": ago(hours=1)}]})
    cluster.field("pod/hc-unready", ".status.conditions[0].status", "False")


def stuck_rollout(cluster: Cluster) -> None:
    cluster.create(cluster.deployment("hc-stuck", deadline=1, nodeSelector=NOWHERE))
    cluster.field("deployment/hc-stuck", '.status.conditions[?(@.type=="Progressing")].status', "False")


def failed_job(cluster: Cluster) -> None:
    spec = {"activeDeadlineSeconds": 1, "template": {"spec": cluster.pod_spec(restartPolicy="Never", nodeSelector=NOWHERE)}}
    cluster.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "hc-job", "namespace": cluster.space}, "spec": spec})
    cluster.field("job/hc-job", '.status.conditions[?(@.type=="Failed")].reason', "DeadlineExceeded")


def missed_cron_job(cluster: Cluster) -> None:
    job = {"template": {"spec": cluster.pod_spec(restartPolicy="Never")}}
    spec = {"schedule": "* * * * *", "startingDeadlineSeconds": 0, "jobTemplate": {"spec": job}}
    cluster.create({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "hc-cron", "namespace": cluster.space}, "spec": spec})
    time.sleep(62 - datetime.datetime.now(datetime.UTC).second)
    cluster.field("cronjob/hc-cron", ".status.lastScheduleTime", "")


def claim(cluster: Cluster) -> None:
    cluster.create(claim_of(cluster, "hc-claim"))
    cluster.field("pvc/hc-claim", ".status.phase", "Pending")


def lost_claim(cluster: Cluster) -> None:
    body = claim_of(cluster, "hc-lost", volumeName="hc-no-such-volume")
    body["metadata"]["annotations"] = {"pv.kubernetes.io/bind-completed": "yes"}
    cluster.create(body)
    cluster.field("pvc/hc-lost", ".status.phase", "Lost")


def claim_of(cluster: Cluster, name: str, **spec: Any) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "hc-none", "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": cluster.space}, "spec": spec}


def full_quota(cluster: Cluster) -> None:
    cluster.field("configmap/kube-root-ca.crt", ".metadata.name", "kube-root")
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "hc", "namespace": cluster.space}, "spec": {"hard": {"count/configmaps": "1"}}}
    cluster.create(body)
    cluster.field("resourcequota/hc", ".status.used.count/configmaps", "1")


def guarded_tenant(cluster: Cluster) -> None:
    """A tenant under the policies of the tenants operation; where no tenant was ever written, they are put there first, and stay."""
    cluster.tenant()
    for _resource, wanted in declared():
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=leanvibe.ops", "-f", "-", given=wanted)


def full_quota_of_a_tenant(cluster: Cluster) -> None:
    guarded_tenant(cluster)
    full_quota(cluster)


def blocking_budget(cluster: Cluster) -> None:
    cluster.create(cluster.deployment("hc-one"))
    cluster.field("deployment/hc-one", ".status.availableReplicas", "1")
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "hc-one"}}}
    cluster.create({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "hc", "namespace": cluster.space}, "spec": spec})
    cluster.field("pdb/hc", ".status.currentHealthy", "1")


def cordoned(cluster: Cluster) -> None:
    node = f"{cluster.region}-node-2"
    cluster.undo.append(lambda: (cluster.kubectl("uncordon", node), cluster.field(f"node/{node}", ".spec.unschedulable", "", space=None)))
    cluster.kubectl("cordon", node)
    cluster.field(f"node/{node}", ".spec.unschedulable", "true", space=None)


def node_condition(cluster: Cluster, kind: str, status: str, **more: Any) -> None:
    """Set one condition of the last node and leave the others."""
    node = f"node/{cluster.region}-node-2"
    known = json.loads(cluster.kubectl("get", node, "-o", "json"))["status"]["conditions"]
    changed = [{**one, "status": status, **more} if one["type"] == kind else one for one in known]
    cluster.status(node, {"conditions": changed}, space=None)
    cluster.field(node, f'.status.conditions[?(@.type=="{kind}")].status', status, space=None)


def pressed(cluster: Cluster) -> None:
    cluster.undo.append(lambda: node_condition(cluster, "DiskPressure", "False"))
    node_condition(cluster, "DiskPressure", "True", reason="KubeletHasDiskPressure")


def old_kubelet(cluster: Cluster) -> None:
    node = f"node/{cluster.region}-node-2"
    known = cluster.kubectl("get", node, "-o", "jsonpath={.status.nodeInfo.kubeletVersion}")
    cluster.undo.append(lambda: cluster.status(node, {"nodeInfo": {"kubeletVersion": known}}, space=None))
    cluster.status(node, {"nodeInfo": {"kubeletVersion": "v1.31.0"}}, space=None)
    cluster.field(node, ".status.nodeInfo.kubeletVersion", "v1.31", space=None)


def node_down(cluster: Cluster) -> None:
    pause = cluster.paused("kwok")  # else it mends the node at once
    pause.__enter__()
    cluster.undo.append(lambda: pause.__exit__(None, None, None))
    cluster.undo.append(lambda: node_condition(cluster, "Ready", "True", lastTransitionTime=ago(seconds=0)))
    node_condition(cluster, "Ready", "False", reason="KubeletNotReady", lastTransitionTime=ago(minutes=10))


def no_scheduler(cluster: Cluster) -> None:
    pause = cluster.paused("kube-scheduler")
    pause.__enter__()
    cluster.undo.append(lambda: pause.__exit__(None, None, None))


def stuck_namespace(cluster: Cluster) -> None:
    held = {"name": "hc-held", "namespace": cluster.space, "finalizers": ["hc.leanvibe.ai/held"]}
    cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": held})
    release = json.dumps({"metadata": {"finalizers": None}})
    cluster.undo.append(lambda: cluster.kubectl("patch", "configmap/hc-held", "-n", cluster.space, "--type=merge", "-p", release))
    cluster.kubectl("delete", "namespace", cluster.space, "--wait=false")
    cluster.field(f"namespace/{cluster.space}", ".status.phase", "Terminating", space=None)
    cluster.field(f"namespace/{cluster.space}", '.status.conditions[?(@.type=="NamespaceFinalizersRemaining")].status', "True", space=None)


def webhook(cluster: Cluster) -> None:
    """It matches nothing but what is in the test's own namespace."""
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"], "scope": "Namespaced"}]
    hook = {
        "name": "hc.leanvibe.ai",
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "rules": rules,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": cluster.space}},
        "clientConfig": {"service": {"namespace": cluster.space, "name": "hc-gone"}},
    }
    kind = "ValidatingWebhookConfiguration"
    cluster.undo.append(lambda: cluster.kubectl("delete", kind, cluster.space, "--ignore-not-found"))
    cluster.create({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": cluster.space}, "webhooks": [hook]})
    refused = cluster.kubectl("create", "configmap", "hc-x", "-n", cluster.space, "--dry-run=server", check=False)
    assert refused == ""


def guard_that_only_watches(cluster: Cluster) -> None:
    guarded_tenant(cluster)
    binding = declared()[1][1]
    name = f"validatingadmissionpolicybinding/{binding['metadata']['name']}"

    def set_to(action: str) -> None:
        cluster.kubectl("patch", name, "--type=merge", "-p", json.dumps({"spec": {"validationActions": [action]}}))
        cluster.field(name, ".spec.validationActions[0]", action, space=None)

    cluster.undo.append(lambda: set_to("Deny"))
    set_to("Audit")


def expired_certificate(cluster: Cluster) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hc")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = builder.not_valid_before(now - datetime.timedelta(days=366)).not_valid_after(now - datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    data = {"tls.crt": base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode(), "tls.key": base64.b64encode(private).decode()}
    cluster.create(
        {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": "hc-tls", "namespace": cluster.space}, "data": data}
    )
    cluster.field("secret/hc-tls", ".type", "kubernetes.io/tls")


def lasting_warning(cluster: Cluster) -> None:
    about = {"apiVersion": "v1", "kind": "Pod", "name": "hc", "namespace": cluster.space}
    times = {"firstTimestamp": ago(minutes=40), "lastTimestamp": ago(minutes=1), "count": 20}
    meta = {"name": "hc.1", "namespace": cluster.space}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": meta,
        "type": "Warning",
        "reason": "HcFailedMount",
        "message": "no volume",
        "involvedObject": about,
    }
    cluster.create({**event, **times, "source": {"component": "hc"}})
    cluster.field("event/hc.1", ".count", "20")


NOW = {"degraded": 0}
FAULTS = {
    "image": Fault(image, {"pods_images"}),
    "config": Fault(config, {"pods_config"}, {"kubernetes.pods_config": NOW}),
    "crash": Fault(crashing, {"pods_crashes", "workloads"}, options={"grace_minutes": 0}),
    "restarts": Fault(restarting, {"pods_crashes"}),
    "pending": Fault(pending, {"pods_pending"}, {"kubernetes.pods_pending": NOW}),
    "unready": Fault(unready, {"pods_ready"}),
    "rollout": Fault(stuck_rollout, {"rollouts", "workloads"}, options={"grace_minutes": 0}),
    "job": Fault(failed_job, {"jobs"}),
    "cron": Fault(missed_cron_job, {"cronjobs"}, {"kubernetes.cronjobs": NOW}),
    "claim": Fault(claim, {"volume_claims"}, {"kubernetes.volume_claims": NOW}),
    "lost": Fault(lost_claim, {"volume_claims"}),
    "quota": Fault(full_quota, {"quotas"}),
    "tenant's quota": Fault(full_quota_of_a_tenant, {"quotas"}),
    "budget": Fault(blocking_budget, {"disruption_budgets"}),
    "cordon": Fault(cordoned, {"nodes_cordoned"}, {"kubernetes.nodes_cordoned": NOW}),
    "pressure": Fault(pressed, {"nodes_pressure"}),
    "kubelet": Fault(old_kubelet, {"nodes_version"}),
    "node": Fault(node_down, {"nodes_ready", "controllers"}),
    "scheduler": Fault(no_scheduler, {"controllers"}),
    "terminating": Fault(stuck_namespace, {"namespaces_terminating"}, {"kubernetes.namespaces_terminating": NOW}),
    "webhook": Fault(webhook, {"webhooks"}),
    "guard": Fault(guard_that_only_watches, {"tenant_guard"}),
    "certificate": Fault(expired_certificate, {"certificate_secrets"}),
    "warning": Fault(lasting_warning, {"warning_events"}),
}


@pytest.mark.parametrize("region", [EAST, WEST])
def test_a_healthy_cluster_has_no_findings(sandbox: dict[str, Any], sandbox_dir: Path, region: str) -> None:
    run = Cluster(sandbox, sandbox_dir, region).look()
    assert {(check, verdict) for (check, _subject), verdict in verdicts(run).items()} - {("tenant_guard", "skipped")} == ALWAYS, told(run)
    assert run["seconds"] < 5


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_nothing_else(cluster: Cluster, name: str, catalogue: Any) -> None:
    """What is there beside (other tests, other people) is taken out by looking before."""
    fault = FAULTS[name]
    how: dict[str, Any] = {"thresholds": fault.thresholds, "options": fault.options}
    before = verdicts(cluster.look(**how))
    fault.do(cluster)
    try:
        run = cluster.look(**how)
    finally:
        cluster.clean()
    new = {key: verdict for key, verdict in verdicts(run).items() if before.get(key) != verdict}
    catalogue.judge(f"kubernetes: {name}", fault.may, {check for check, _subject in new}, told(run))
    assert set(new.values()) <= {"degraded", "critical"}
    ours = {check for check, subject in new if cluster.space in subject}
    tenants = {tenant for one in run["items"] for tenant in one["tenants"] if cluster.space in tenant}
    assert ours or fault.may & {"nodes_cordoned", "nodes_pressure", "nodes_version", "nodes_ready", "controllers", "webhooks", "warning_events", "tenant_guard"}
    assert tenants == ({f"t-{cluster.space}"} if "tenant" in name or name == "guard" else set())


def test_what_is_finished_suspended_or_young_is_no_finding(cluster: Cluster) -> None:
    done = {"template": {"spec": cluster.pod_spec(restartPolicy="Never")}}
    cluster.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "hc-done", "namespace": cluster.space}, "spec": done})
    cluster.field("job/hc-done", ".status.succeeded", "1")
    cluster.create(cluster.deployment("hc-young", nodeSelector=NOWHERE))
    cluster.field("deployment/hc-young", ".status.unavailableReplicas", "1")
    run = cluster.look()
    assert not [key for key in verdicts(run) if cluster.space in key[1]], told(run)
    cluster.kubectl("annotate", "namespace", cluster.space, "leanvibe.ai/state=suspended")
    run = cluster.look(options={"grace_minutes": 0, "rollout_minutes": 0}, thresholds={"kubernetes.pods_pending": NOW})
    assert not [key for key in verdicts(run) if cluster.space in key[1]], told(run)


def test_who_may_only_look_sees_the_same_but_for_secrets(sandbox: dict[str, Any], sandbox_dir: Path) -> None:
    cluster = Cluster(sandbox, sandbox_dir, EAST)
    may_write = cluster.kubectl("auth", "can-i", "--list", "--as=leanvibe-health", "--no-headers")
    verbs = {verb for line in may_write.splitlines() if "selfsubject" not in line for verb in line.rpartition("[")[2].rstrip("]").split()}
    assert verbs == {"get", "list"}, may_write
    run = cluster.look(health=True)
    assert {(check, verdict) for (check, _subject), verdict in verdicts(run).items()} - {("tenant_guard", "skipped")} == ALWAYS | {
        ("certificate_secrets", "unknown")
    }, told(run)
    reason = next(done["reason"] for done in run["checks"] if done["id"] == "kubernetes.certificate_secrets")
    assert "leanvibe-health-tls-secrets" in reason
    none = verdicts(cluster.look(only=("certificate_secrets",), health=True, options={"tls_secrets": []}))
    assert list(none.values()) == ["skipped"]


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("server", ["etcd", "kube-apiserver"])
def test_a_server_that_is_paused_costs_its_time_out_once(sandbox: dict[str, Any], sandbox_dir: Path, server: str) -> None:
    cluster = Cluster(sandbox, sandbox_dir, WEST)
    with cluster.paused(server):
        began = time.monotonic()
        run = cluster.look()
        took = time.monotonic() - began
    assert took < 10
    found = {one["id"]: one["verdict"] for one in run["items"]}
    assert {name for name, verdict in found.items() if verdict != "unknown"} <= {"kubernetes.api_ready"}, told(run)
    assert found["kubernetes.api_ready"] == ("critical" if server == "etcd" else "unknown")
    cluster.until("ok", "get", "--raw", "/readyz", seconds=30)


def test_nobody_elses_server_is_ever_stopped(sandbox: dict[str, Any]) -> None:
    data = str(sandbox["data"])
    assert all(word.startswith(f"{data}/") for word in server_of(data, EAST, "kwok").cmdline()[:1])
    with pytest.raises(AssertionError, match="0 servers kwok"):
        server_of(f"{data}-of-somebody-else", EAST, "kwok")
    with pytest.raises(AssertionError, match="0 servers kwok"):
        server_of(data.rpartition("/")[0] + "/other", EAST, "kwok")
