# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of a cluster: nothing wrong on a healthy one, exactly what is broken on a broken one, unknown for what cannot be seen."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.kubernetes import NotServedError, Plain
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.kubernetes_config import Access
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import Unreachable
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.kubernetes import CHECKS
from cryptography.hazmat.primitives import serialization
from kubernetes_fakes import (
    NOW,
    Api,
    about,
    ago,
    budget,
    certificate,
    condition,
    container,
    deployment,
    endpoints,
    failed,
    healthy,
    hook,
    item,
    lease,
    namespace,
    node,
    pem,
    perform,
    pod,
    quota,
    said,
    secret,
    times,
    wrong,
)

Change = Callable[[Api], Any]


def add(kind: str, *objects: dict[str, Any]) -> Change:
    return lambda api: api.objects[kind].extend(objects)


def replaced(kind: str, *objects: dict[str, Any]) -> Change:
    return lambda api: api.objects.update({kind: list(objects)})


def test_nothing_is_wrong_with_a_healthy_cluster_and_everything_was_looked_at() -> None:
    run = perform(healthy())
    assert wrong(run) == {}
    assert {done.outcome for done in run.checks} == {"executed"}
    assert len(run.checks) == len(CHECKS) >= 24
    assert run.facts["version"] == {"major": 1, "minor": 36, "release": "v1.36.3"}


def test_the_number_of_requests_does_not_grow_with_the_tenants() -> None:
    few, many = healthy(2), healthy(400)
    assert wrong(perform(few)) == wrong(perform(many)) == {}
    assert few.asked == many.asked
    assert max(count for what, count in many.asked.items() if what != "namespaces") <= 2
    assert many.selectors["pods"] == "status.phase!=Succeeded"
    assert many.selectors["events"] == "type=Warning"


NOT_READY = [condition("Ready", "False", reason="KubeletNotReady", message="no runtime")]
CASES: list[tuple[str, Change, dict[str, str]]] = [
    ("api not ready", lambda api: setattr(api, "ready", Plain(500, "[+]ping ok\n[-]informer-sync failed: x\n")), {"api_ready": "critical"}),
    (
        "api without its store",
        lambda api: setattr(api, "ready", Plain(500, "[+]ping ok\n[-]etcd failed: x\n")),
        {"api_ready": "critical", "api_latency": "unknown"},
    ),
    ("api answers as a proxy", lambda api: setattr(api, "ready", Plain(200, "<html>login</html>")), {"api_ready": "unknown"}),
    ("api in trouble without a word", lambda api: setattr(api, "ready", Plain(503, "")), {"api_ready": "critical"}),
    (
        "scheduler without a leader",
        replaced("leases/kube-system", lease("kube-scheduler", ago(seconds=60)), lease("kube-controller-manager", ago(seconds=1))),
        {"controllers/kube-scheduler": "degraded"},
    ),
    (
        "controller manager gone",
        replaced("leases/kube-system", lease("kube-controller-manager", ago(hours=1))),
        {"controllers/kube-controller-manager": "critical"},
    ),
    ("no leases of controllers", replaced("leases/kube-system"), {"controllers": "skipped"}),
    (
        "aggregated api gone",
        add("apiservices", item("v1.x", spec={"service": {"name": "x"}}, status={"conditions": [condition("Available", "False", message="no endpoints")]})),
        {"api_services/v1.x": "critical"},
    ),
    ("node down", add("nodes", node("bad", condition("Ready", "Unknown", lastTransitionTime=ago(minutes=9)))), {"nodes_ready/bad": "critical"}),
    ("node down for a moment", add("nodes", node("bad", condition("Ready", "False", lastTransitionTime=ago(minutes=2)))), {"nodes_ready/bad": "degraded"}),
    ("node that just joined", add("nodes", node("new", condition("MemoryPressure", "False"), age=ago(minutes=2))), {}),
    ("node that never joined", add("nodes", node("new", condition("MemoryPressure", "False"), age=ago(minutes=30))), {"nodes_ready/new": "critical"}),
    (
        "silent kubelets, and nobody who notices",
        replaced("leases/kube-node-lease", lease("n0", ago(minutes=20)), lease("n1", ago(seconds=1)), lease("n2", ago(minutes=2))),
        {"nodes_ready/n0": "critical", "nodes_ready/n2": "degraded"},
    ),
    ("no nodes", replaced("nodes"), {"nodes_ready": "unknown", "nodes_pressure": "unknown", "nodes_cordoned": "unknown", "nodes_version": "unknown"}),
    (
        "pressure",
        add("nodes", node("p", condition("Ready", "True"), condition("DiskPressure", "True"))),
        {"nodes_pressure/p/DiskPressure": "degraded"},
    ),
    (
        "no network",
        add("nodes", node("p", condition("Ready", "True"), condition("NetworkUnavailable", "True"))),
        {"nodes_pressure/p/NetworkUnavailable": "critical"},
    ),
    (
        "cordoned since yesterday",
        add("nodes", node("c", unschedulable=True, taints=[{"key": "node.kubernetes.io/unschedulable", "timeAdded": ago(days=1)}])),
        {"nodes_cordoned/c": "degraded"},
    ),
    ("cordoned just now", add("nodes", node("c", unschedulable=True, taints=[{"key": "node.kubernetes.io/unschedulable", "timeAdded": ago(minutes=5)}])), {}),
    ("kubelet three behind", add("nodes", node("old", kubelet="v1.33.1-eks-1")), {"nodes_version/old": "degraded"}),
    ("kubelet four behind", add("nodes", node("old", kubelet="v1.32.9")), {"nodes_version/old": "critical"}),
    ("kubelet two behind", add("nodes", node("old", kubelet="v1.34.0")), {}),
    ("kubelet ahead", add("nodes", node("new", kubelet="v1.37.0")), {"nodes_version/new": "critical"}),
    ("kubelet of no version", add("nodes", node("odd", kubelet="")), {"nodes_version": "unknown"}),
    ("simulated nodes only", replaced("nodes", *(node(f"n{n}", kubelet="kwok-v0.8.0") for n in range(3))), {"nodes_version": "skipped"}),
    (
        "workload of the platform down",
        add("deployments", deployment("platform", "api", 3, 0, condition("Available", "False", lastTransitionTime=ago(minutes=20)))),
        {"workloads/platform/Deployment/api": "critical"},
    ),
    (
        "workload of a tenant down",
        add("deployments", deployment("tenant-t0", "api", 3, 0, condition("Available", "False", lastTransitionTime=ago(minutes=20)))),
        {"workloads/tenant-t0/Deployment/api": "degraded"},
    ),
    ("one of three missing", add("deployments", deployment("platform", "api", 3, 2)), {"workloads/platform/Deployment/api": "degraded"}),
    (
        "one of three missing for a moment",
        lambda api: (
            add("deployments", deployment("platform", "web2", 3, 2))(api),
            add("pods", pod("platform", "w-1", owner=("ReplicaSet", "web2-5d8f"), conditions=[condition("Ready", "False", lastTransitionTime=ago(minutes=1))]))(
                api
            ),
        ),
        {},
    ),
    (
        "all ready, not yet available",
        lambda api: (
            add("deployments", deployment("platform", "web2", 2, 0))(api),
            add("pods", *(pod("platform", f"w-{n}", owner=("ReplicaSet", "web2-5d8f")) for n in range(2)))(api),
        ),
        {},
    ),
    (
        "roll-out under way",
        add("deployments", deployment("platform", "api", 3, 2, condition("Available", "False", lastTransitionTime=ago(minutes=6)), updatedReplicas=1)),
        {},
    ),
    (
        "refused by a quota",
        add("deployments", deployment("tenant-t1", "api", 3, 1, condition("ReplicaFailure", "True", message="exceeded quota"))),
        {"workloads/tenant-t1/Deployment/api": "degraded"},
    ),
    (
        "daemonset short of one",
        add(
            "daemonsets",
            item("d", "platform", spec={}, status={"desiredNumberScheduled": 3, "numberAvailable": 2, "updatedNumberScheduled": 3, "observedGeneration": 1}),
        ),
        {"workloads/platform/DaemonSet/d": "degraded"},
    ),
    (
        "roll-out stuck",
        add("deployments", deployment("platform", "api", 2, 2, condition("Progressing", "False", reason="ProgressDeadlineExceeded"))),
        {"rollouts/platform/Deployment/api": "degraded"},
    ),
    (
        "controller does not look",
        add("deployments", deployment("platform", "api", 2, 2, observedGeneration=0)),
        {"rollouts/platform/Deployment/api": "critical"},
    ),
    (
        "no node for a pod",
        add(
            "pods",
            pod(
                "platform",
                "p",
                phase="Pending",
                conditions=[condition("PodScheduled", "False", reason="Unschedulable", message="0/3 nodes: cpu", lastTransitionTime=ago(hours=1))],
            ),
        ),
        {"pods_pending/platform/Deployment/web": "critical"},
    ),
    (
        "no node for a tenant's pod",
        add(
            "pods",
            pod("tenant-t0", "p", phase="Pending", conditions=[condition("PodScheduled", "False", reason="Unschedulable", lastTransitionTime=ago(hours=1))]),
        ),
        {"pods_pending/tenant-t0/Deployment/web": "degraded"},
    ),
    (
        "gated on purpose",
        add("pods", pod("platform", "p", phase="Pending", conditions=[condition("PodScheduled", "False", reason="SchedulingGated")])),
        {},
    ),
    (
        "pending for a moment",
        add(
            "pods",
            pod("platform", "p", phase="Pending", conditions=[condition("PodScheduled", "False", reason="Unschedulable", lastTransitionTime=ago(minutes=1))]),
        ),
        {},
    ),
    (
        "image does not exist",
        add("pods", pod("tenant-t0", "p", phase="Pending", containerStatuses=[container(waiting="ImagePullBackOff", message="not found")])),
        {"pods_images/tenant-t0/Deployment/web": "degraded"},
    ),
    (
        "image tried for the first time",
        add("pods", pod("platform", "p", age=ago(minutes=1), phase="Pending", containerStatuses=[container(waiting="ErrImagePull")])),
        {},
    ),
    (
        "secret missing",
        add("pods", pod("platform", "p", phase="Pending", containerStatuses=[container(waiting="CreateContainerConfigError", message="secret x not found")])),
        {"pods_config/platform/Deployment/web": "degraded"},
    ),
    (
        "crash loop of the platform",
        add("pods", pod("platform", "p", containerStatuses=[container(7, waiting="CrashLoopBackOff", ended=ago(minutes=2), began=ago(minutes=3))])),
        {"pods_crashes/platform/Deployment/web": "critical"},
    ),
    (
        "crash loop of a tenant",
        add("pods", pod("tenant-t1", "p", containerStatuses=[container(7, waiting="CrashLoopBackOff", ended=ago(minutes=2), began=ago(minutes=3))])),
        {"pods_crashes/tenant-t1/Deployment/web": "degraded"},
    ),
    (
        "restarted twice within the hour, runs again",
        add("pods", pod("platform", "p", containerStatuses=[container(9, began=ago(minutes=20), ended=ago(minutes=10))])),
        {"pods_crashes/platform/Deployment/web": "degraded"},
    ),
    (
        "restarted a thousand times, long ago",
        add("pods", pod("platform", "p", containerStatuses=[container(1000, began=ago(hours=9), ended=ago(hours=8))])),
        {},
    ),
    ("restarted for the first time", add("pods", pod("platform", "p", containerStatuses=[container(1, began=ago(minutes=30), ended=ago(minutes=10))])), {}),
    (
        "young pod with many restarts",
        add("pods", pod("platform", "p", age=ago(minutes=30), containerStatuses=[container(6, began=ago(minutes=6), ended=ago(minutes=5))])),
        {"pods_crashes/platform/Deployment/web": "critical"},
    ),
    (
        "runs and is not ready",
        add("pods", pod("platform", "p", conditions=[condition("Ready", "False", reason="ContainersNotReady", lastTransitionTime=ago(minutes=30))])),
        {"pods_ready/platform/Deployment/web": "degraded"},
    ),
    ("just not ready", add("pods", pod("platform", "p", conditions=[condition("Ready", "False", lastTransitionTime=ago(minutes=1))])), {}),
    (
        "will not go",
        lambda api: add(
            "pods", {**(leaving := pod("platform", "p")), "metadata": {**leaving["metadata"], "deletionTimestamp": ago(hours=1), "finalizers": ["x/y"]}}
        )(api),
        {"pods_ready/platform/Deployment/web": "degraded"},
    ),
    ("lone pod failed", add("pods", pod("platform", "lone", owner=None, phase="Failed", reason="Error")), {"pods_ready/platform/Pod/lone": "degraded"}),
    ("evicted, another in its place", add("pods", pod("platform", "p", phase="Failed", reason="Evicted")), {}),
    ("job failed", add("jobs", item("once", "tenant-t0", status=failed("DeadlineExceeded"))), {"jobs/tenant-t0/Job/once": "degraded"}),
    (
        "last job of a series failed",
        add("jobs", item("nightly-3", "platform", age=ago(hours=1), meta={"ownerReferences": [{"kind": "CronJob", "name": "nightly"}]}, status=failed("x"))),
        {"jobs/platform/CronJob/nightly": "degraded"},
    ),
    (
        "cron job missed",
        add("cronjobs", item("hourly", "tenant-t1", spec={"schedule": "15 * * * *"}, status={"lastScheduleTime": ago(hours=5, minutes=45)})),
        {"cronjobs/tenant-t1/hourly": "degraded"},
    ),
    (
        "cron job suspended",
        add("cronjobs", item("h", "platform", spec={"schedule": "15 * * * *", "suspend": True}, status={"lastScheduleTime": ago(days=5)})),
        {},
    ),
    (
        "cron job changed since",
        add(
            "cronjobs",
            item(
                "h",
                "platform",
                meta={"managedFields": [{"time": ago(minutes=20)}, {"time": ago(hours=20), "subresource": "status"}]},
                spec={"schedule": "0 * * * *"},
                status={"lastScheduleTime": ago(days=5)},
            ),
        ),
        {},
    ),
    (
        "cron job in another zone",
        add("cronjobs", item("h", "platform", spec={"schedule": "0 3 * * *", "timeZone": "America/New_York"}, status={"lastScheduleTime": ago(hours=22)})),
        {},
    ),
    ("cron job of nonsense", add("cronjobs", item("h", "platform", spec={"schedule": "61 * * * *"}, status={})), {"cronjobs/platform/h": "unknown"}),
    (
        "claim lost its volume",
        add("persistentvolumeclaims", item("d", "tenant-t0", spec={"storageClassName": "fast"}, status={"phase": "Lost"})),
        {"volume_claims/tenant-t0/d": "critical"},
    ),
    (
        "claim waits",
        add("persistentvolumeclaims", item("d", "tenant-t0", spec={"storageClassName": "fast"}, status={"phase": "Pending"})),
        {"volume_claims/tenant-t0/d": "degraded"},
    ),
    (
        "claim waits for a moment",
        add("persistentvolumeclaims", item("d", "tenant-t0", age=ago(minutes=1), spec={"storageClassName": "fast"}, status={"phase": "Pending"})),
        {},
    ),
    (
        "lazy claim that a pod waits for",
        add("pods", lazy := {**pod("platform", "p", phase="Pending", conditions=[condition("PodScheduled", "False", lastTransitionTime=ago(minutes=1))])}),
        {"volume_claims/platform/later": "degraded"},
    ),
    ("tenant's quota full", add("resourcequotas", quota("tenant-t0", pods=("10", "10"))), {"quotas/tenant-t0/quota": "degraded"}),
    ("tenant's quota nearly full", add("resourcequotas", quota("tenant-t0", pods=("100", "89"))), {}),
    ("platform's quota full", replaced("resourcequotas", quota("platform", cpu=("1", "1000m"))), {"quotas/platform/quota": "critical"}),
    ("more in use than allowed", replaced("resourcequotas", quota("platform", cpu=("0", "100m"))), {"quotas/platform/quota": "critical"}),
    ("quotas nobody counts", replaced("resourcequotas", item("quota", "tenant-t0", status={})), {"quotas": "unknown"}),
    ("budget blocks", add("poddisruptionbudgets", budget("all", 3, 3, 0)), {"disruption_budgets/platform/all": "degraded"}),
    ("budget holds what is left", add("poddisruptionbudgets", budget("all", 3, 2, 0)), {}),
    ("budget of nothing", add("poddisruptionbudgets", budget("none", 0, 0, 0)), {}),
    (
        "webhook without service",
        add("validatingwebhookconfigurations", item("bad", webhooks=[hook("bad.example", "Fail", "platform", "gone")])),
        {"webhooks/ValidatingWebhookConfiguration/bad/bad.example": "critical"},
    ),
    (
        "webhook whose service has no pods",
        lambda api: replaced("endpointslices", endpoints("platform", "policy", ready=False))(api),
        {"webhooks/ValidatingWebhookConfiguration/policy/policy.example": "critical"},
    ),
    (
        "webhook that is ignored",
        add("mutatingwebhookconfigurations", item("bad", webhooks=[hook("bad.example", "Ignore", "platform", "gone")])),
        {"webhooks/MutatingWebhookConfiguration/bad/bad.example": "degraded"},
    ),
    (
        "guard's binding gone",
        lambda api: api.objects["validatingadmissionpolicybindings"].pop(0),
        {"tenant_guard/ValidatingAdmissionPolicyBinding/leanvibe-tenant-workloads": "critical"},
    ),
    (
        "guard only warns",
        lambda api: api.objects["validatingadmissionpolicybindings"][0]["spec"].update(validationActions=["Audit"]),
        {"tenant_guard/ValidatingAdmissionPolicyBinding/leanvibe-tenant-workloads": "critical"},
    ),
    (
        "guard narrowed",
        lambda api: api.objects["validatingadmissionpolicybindings"][1]["spec"].update(matchResources={"namespaceSelector": {}}),
        {"tenant_guard/ValidatingAdmissionPolicyBinding/leanvibe-tenant-objects": "critical"},
    ),
    (
        "guard with a rule less",
        lambda api: api.objects["validatingadmissionpolicies"][0]["spec"].update(
            validations=api.objects["validatingadmissionpolicies"][0]["spec"]["validations"][1:]
        ),
        {"tenant_guard/ValidatingAdmissionPolicy/leanvibe-tenant-workloads": "critical"},
    ),
    ("old cluster without policies", lambda api: api.errors.update(validatingadmissionpolicies=NotServedError("not served")), {"tenant_guard": "degraded"}),
    ("no tenants", replaced("namespaces", namespace("default"), namespace("platform"), namespace("tenant-off", "", "suspended")), {"tenant_guard": "skipped"}),
    (
        "warnings that go on",
        add(
            "events",
            item("a", "tenant-t0", reason="FailedMount", message="no volume", involvedObject=about("tenant-t0", "Pod", "x"), count=9, **times(50, 1)),
            item("b", "tenant-t1", reason="FailedMount", involvedObject=about("tenant-t1", "Pod", "y"), count=9, **times(50, 1)),
        ),
        {"warning_events/FailedMount": "degraded"},
    ),
    (
        "warning that stopped",
        add("events", item("a", "platform", reason="FailedMount", involvedObject=about("platform", "Pod", "x"), count=9, **times(60, 30))),
        {},
    ),
    (
        "warning told elsewhere",
        add("events", item("a", "platform", reason="FailedScheduling", involvedObject=about("platform", "Pod", "x"), count=9, **times(60, 1))),
        {},
    ),
    (
        "stuck on its way out",
        add("namespaces", namespace("tenant-gone", "gone", deletionTimestamp=ago(hours=2))),
        {"namespaces_terminating/tenant-gone": "degraded"},
    ),
    ("on its way out", add("namespaces", namespace("tenant-gone", "gone", deletionTimestamp=ago(minutes=2))), {}),
    ("client certificate expires", lambda api: setattr(api, "access", Access("https://api", None, certificate=pem(20))), {"certificate_client": "degraded"}),
    ("client certificate expired", lambda api: setattr(api, "access", Access("https://api", None, certificate=pem(-1))), {"certificate_client": "critical"}),
    (
        "client by plugin",
        lambda api: setattr(api, "access", Access("https://api", None, static_token=None, token_file=None)),
        {"certificate_client": "skipped"},
    ),
    (
        "serving certificate expires",
        lambda api: setattr(api, "shown", certificate(3).public_bytes(serialization.Encoding.DER)),
        {"certificate_serving": "critical"},
    ),
    ("no certificate at all", lambda api: setattr(api, "shown", b"nonsense"), {"certificate_serving": "unknown"}),
    ("gateway's certificate expires", add("secrets", secret("tenant-t0", "gw", pem(2))), {"certificate_secrets/tenant-t0/gw": "critical"}),
    ("short certificate nobody renews", add("secrets", secret("platform", "s", pem(0.5, 6))), {"certificate_secrets/platform/s": "critical"}),
    ("secret without certificate", add("secrets", secret("platform", "s", b"")), {"certificate_secrets/platform/s": "degraded"}),
    (
        "api that goes with the next release",
        lambda api: setattr(
            api,
            "metrics",
            Plain(
                200,
                'apiserver_request_total 1\napiserver_requested_deprecated_apis{group="x.io",removed_release="1.37",resource="things",version="v1beta1"} 1\n',
            ),
        ),
        {"deprecated_apis/things.v1beta1.x.io": "degraded"},
    ),
    ("metrics of something else", lambda api: setattr(api, "metrics", Plain(200, "other 1\n")), {"deprecated_apis": "unknown"}),
]
lazy["spec"] = {"volumes": [{"persistentVolumeClaim": {"claimName": "later"}}]}


@pytest.mark.parametrize(("change", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_exactly_what_is_broken_is_found(change: Change, expected: dict[str, str]) -> None:
    api = healthy()
    change(api)
    assert wrong(perform(api)) == expected


def test_findings_in_tenants_namespaces_name_the_tenants() -> None:
    api = healthy()
    add("resourcequotas", quota("tenant-t0", pods=("10", "10")))(api)
    add("events", item("a", "tenant-t1", reason="FailedMount", involvedObject=about("tenant-t1", "Pod", "y"), count=9, **times(50, 1)))(api)
    api.objects["validatingadmissionpolicybindings"].pop()
    touched = {one["id"]: one["tenants"] for one in perform(api).items if one["verdict"] != "ok"}
    assert touched == {"kubernetes.quotas": ["t0"], "kubernetes.warning_events": ["t1"], "kubernetes.tenant_guard": ["off", "t0", "t1"]}


@pytest.mark.parametrize(
    ("denied", "unknown", "grant"),
    [
        (
            "pods",
            {"workloads", "pods_ready", "pods_crashes", "pods_pending", "pods_images", "pods_config", "volume_claims"},
            "list pods",
        ),
        ("secrets", {"certificate_secrets"}, "leanvibe-health-tls-secrets"),
        ("resourcequotas", {"quotas"}, "list resourcequotas"),
        ("/metrics", {"deprecated_apis"}, "/metrics"),
        ("leases/kube-system", {"controllers"}, "kube-system"),
        ("validatingadmissionpolicies", {"tenant_guard"}, "validatingadmissionpolicies"),
    ],
)
def test_a_missing_right_is_unknown_and_named(denied: str, unknown: set[str], grant: str) -> None:
    api = healthy()
    api.denied.add(denied)
    run = perform(api)
    assert {name.split("/")[0] for name in wrong(run)} == unknown
    assert set(wrong(run).values()) == {"unknown"}
    assert all(grant in done.reason and "a right is missing" in done.reason for done in run.checks if done.outcome == "could_not_run")


def test_every_right_that_a_check_names_is_in_the_role_and_no_other() -> None:
    from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.kubernetes import rights

    role = rights.reader()
    given = {name for rule in role["rules"] for name in (*rule.get("resources", ()), *rule.get("nonResourceURLs", ()))}
    verbs = {verb for rule in role["rules"] for verb in rule["verbs"]}
    api = healthy()
    perform(api)
    used = {what.split("/")[0] if not what.startswith("/") else what.split("?")[0] for what in api.asked} - {"certificate", "secrets"}
    assert (given, verbs) == (used, {"get", "list"})
    assert "secrets" not in given
    assert rights.secrets_reader()["rules"] == [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]


def test_thresholds_of_the_inventory_decide_what_is_told() -> None:
    assert wrong(perform(healthy(), "quotas", thresholds={"kubernetes.quotas[tenant]": {"degraded": 50}})) == {
        "quotas/tenant-t0/quota": "degraded",
        "quotas/tenant-t1/quota": "degraded",
    }
    healthy_quotas = said(perform(healthy(), "quotas"), "quotas")
    assert (healthy_quotas["observed"], healthy_quotas["message"]) == (50.0, "4 quotas, nothing wrong")


def test_nothing_to_measure_is_no_zero() -> None:
    assert said(perform(healthy(), "workloads"), "workloads")["observed"] is None  # not 0 % available
    empty = healthy()
    for kind in ("deployments", "statefulsets", "daemonsets", "jobs"):
        empty.objects[kind] = []
    run = perform(empty)
    assert wrong(run) == {}
    assert [said(run, name)["observed"] for name in ("workloads", "jobs")] == [None, None]
    assert said(run, "jobs")["message"] == "no Jobs in the cluster"


def test_a_flood_of_findings_is_folded_and_names_all_tenants() -> None:
    api = healthy(60)
    replaced("resourcequotas", *(quota(f"tenant-t{number}", pods=("10", "10")) for number in range(60)))(api)
    items = [one for one in perform(api, "quotas").items if one["verdict"] != "ok"]
    assert len(items) == 26
    assert items[-1]["subject"].endswith("/further")
    assert {tenant for one in items for tenant in one["tenants"]} == {f"t{number}" for number in range(60)}
    assert items[-1]["observed"] == 35


def token(life_days: float, left_days: float) -> str:
    end = NOW.timestamp() + 86400 * left_days
    claims = (
        base64.urlsafe_b64encode(json.dumps({"sub": "system:serviceaccount:a:b", "iat": end - 86400 * life_days, "exp": end}).encode()).decode().rstrip("=")
    )
    return f"head.{claims}.signature"


@pytest.mark.parametrize(("life", "left", "verdict"), [(365, 200, "ok"), (365, 10, "degraded"), (60, 3, "critical"), (1, 0.5, "skipped")])
def test_a_token_of_the_kubeconfig_expires_too(life: float, left: float, verdict: str) -> None:
    api = healthy()
    api.access = Access("https://api", None, static_token=token(life, left))
    run = perform(api, "certificate_client")
    assert said(run, "certificate_client")["verdict"] == verdict
    assert "signature" not in json.dumps(run.to_mapping())


def test_only_the_secrets_that_the_inventory_names_are_read() -> None:
    api = healthy()
    add("secrets", secret("platform", "other", pem(1)))(api)
    assert wrong(perform(api, "certificate_secrets", options={"tls_secrets": ["platform/gateway"]})) == {}
    assert wrong(perform(api, "certificate_secrets", options={"tls_secrets": []})) == {"certificate_secrets": "skipped"}
    assert wrong(perform(api, "certificate_secrets", options={"tls_secrets": ["platform/gone"]})) == {"certificate_secrets": "unknown"}
    assert "cHJpdmF0ZQ" not in json.dumps(perform(api, "certificate_secrets").to_mapping())


def test_a_controller_that_elects_no_leader_is_asked_at_its_address() -> None:
    api = healthy()
    api.objects["leases/kube-system"] = []
    run = perform(api, "controllers", options={"controllers": {"kube-scheduler": "http://127.0.0.1:9/healthz"}})
    assert wrong(run) == {"controllers/kube-scheduler": "critical"}
    assert "127.0.0.1:9" in said(run, "controllers")["message"]


def test_silence_is_unknown_for_every_check_that_meets_it() -> None:
    api = healthy()
    api.errors["nodes"] = Unreachable("no answer within 5 s")
    run = perform(api)
    assert {name: verdict for name, verdict in wrong(run).items() if verdict != "unknown"} == {}
    assert {"nodes_ready", "nodes_pressure", "nodes_cordoned", "nodes_version"} == set(wrong(run))
    assert api.asked["nodes"] == 1


@pytest.mark.parametrize(("ahead", "verdict"), [(0.0, "ok"), (-7.0, "degraded"), (120.0, "critical"), (None, "unknown")])
def test_its_clock_is_compared_with_ours(ahead: float | None, verdict: str) -> None:
    api = healthy()
    api.ahead = ahead
    assert said(perform(api, "clock"), "clock")["verdict"] == verdict
