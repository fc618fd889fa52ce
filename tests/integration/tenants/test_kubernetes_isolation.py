# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody with the token of tenant A's ServiceAccount can do: everything is tried on a real cluster, with nothing but that token.

The sandbox has no network plugin, so that NetworkPolicies are stored and not enforced there: they are read back and evaluated instead.
"""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Kubernetes

EAST = "us-east-1"
Tenant = dict[str, Any]
KINDS = (
    *("pods", "services", "configmaps", "secrets", "serviceaccounts", "resourcequotas", "limitranges", "persistentvolumeclaims", "endpoints", "events"),
    *("deployments.apps", "statefulsets.apps", "replicasets.apps", "jobs.batch", "cronjobs.batch", "horizontalpodautoscalers.autoscaling"),
    *("networkpolicies.networking.k8s.io", "roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io", "endpointslices.discovery.k8s.io"),
)


@pytest.fixture(scope="module")
def pair(clusters: Kubernetes) -> tuple[Tenant, Tenant]:
    """Two tenants with everything, and a Secret in A's namespace that is none of A's business."""
    both = clusters.tenant("iso-a", tier="team"), clusters.tenant("iso-b", tier="team")
    clusters.everything(list(both))
    hidden = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "platform"}, "stringData": {"key": "not for tenants"}}
    clusters.kubectl(EAST, "apply", "-n", f"tenant-{both[0]['id']}", "-f", "-", given=hidden)
    time.sleep(1)  # admission policies are followed within moments, not at once
    return both


@pytest.fixture(scope="module")
def token(clusters: Kubernetes, pair: tuple[Tenant, Tenant]) -> Path:
    return clusters.token_kubeconfig(EAST, pair[0])


def allowed(clusters: Kubernetes, kubeconfig: Path, *arguments: str, given: Any = None) -> bool:
    """Whether kubectl with that kubeconfig succeeds. A failure that is not the API's refusal fails the test."""
    done = clusters.kubectl(EAST, *arguments, kubeconfig=kubeconfig, given=given, check=False)
    if done.returncode:
        assert "orbidden" in done.stderr or "denied" in done.stderr, f"kubectl {' '.join(arguments)}: {done.stderr}"
    return done.returncode == 0


def leaks(clusters: Kubernetes, kubeconfig: Path, other: Tenant) -> list[str]:
    """Everything of tenant ``other`` or of the cluster that the token can list, read or write; empty if isolation holds."""
    namespace = f"tenant-{other['id']}"
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "intruder", "namespace": namespace}}
    tries: list[tuple[tuple[str, ...], Any]] = [(("get", kind, "-n", namespace), None) for kind in KINDS]
    tries += [(("get", kind, "--all-namespaces"), None) for kind in KINDS]
    tries += [
        (("get", kind), None) for kind in ("namespaces", "nodes", "persistentvolumes", "clusterroles", "clusterrolebindings", "customresourcedefinitions")
    ]
    tries += [
        (("get", "namespace", namespace), None),
        (("get", "secret", "tenant-credentials", "-n", namespace), None),
        (("get", "configmap", "tenant-config", "-n", namespace), None),
        (("create", "-f", "-", "--dry-run=server"), config_map),
        (("delete", "configmap", "tenant-config", "-n", namespace, "--dry-run=server"), None),
        (("patch", "secret", "tenant-credentials", "-n", namespace, "-p", '{"data": {"x": "eA=="}}', "--dry-run=server"), None),
        (("create", "token", "tenant", "-n", namespace), None),
        (("create", "namespace", "tenant-intruder", "--dry-run=server"), None),
        (("label", "namespace", namespace, "x=y", "--dry-run=server"), None),
        (("get", "--raw", "/metrics"), None),
        (("get", "--raw", "/logs"), None),
        (("get", "pods", "-n", namespace, "--as", f"system:serviceaccount:{namespace}:tenant"), None),
        (("get", "secrets", "-n", "kube-system"), None),
    ]
    return [" ".join(arguments) for arguments, given in tries if allowed(clusters, kubeconfig, *arguments, given=given)]


def test_tenant_a_can_work_in_its_own_namespace(clusters: Kubernetes, pair: tuple[Tenant, Tenant], token: Path, pod: Any) -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod("web")["spec"]}},
    }
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    mounted = pod("reader", volumes=[{"name": "s", "secret": {"secretName": "tenant-credentials"}}], serviceAccountName="tenant")
    for given in (deployment, service, mounted, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "own"}, "data": {"a": "b"}}):
        assert allowed(clusters, token, "apply", "-f", "-", given=given), given["kind"]
    assert allowed(clusters, token, "scale", "deployment", "web", "--replicas=2")
    assert allowed(clusters, token, "get", "pods")
    done = clusters.kubectl(EAST, "get", "secret", "tenant-credentials", "-o", "json", kubeconfig=token)
    assert set(json.loads(done.stdout)["data"]) >= {"DATABASE_URL", "REDIS_URL", "S3_SECRET_ACCESS_KEY"}
    assert allowed(clusters, token, "delete", "deployment/web", "service/web", "pod/reader", "configmap/own", "--wait=false")


def test_tenant_a_reaches_nothing_of_b_nor_of_the_cluster(clusters: Kubernetes, pair: tuple[Tenant, Tenant], token: Path) -> None:
    assert leaks(clusters, token, pair[1]) == []


@pytest.mark.parametrize("kind", ["rolebinding", "clusterrolebinding"])
def test_the_probe_notices_one_binding_too_many(clusters: Kubernetes, pair: tuple[Tenant, Tenant], token: Path, kind: str) -> None:
    account = f"--serviceaccount=tenant-{pair[0]['id']}:tenant"
    place = ["-n", f"tenant-{pair[1]['id']}"] if kind == "rolebinding" else []
    name = f"ka-too-many-{clusters.run_id}"
    clusters.kubectl(EAST, "create", kind, name, "--clusterrole=view", account, *place)
    try:
        deadline = time.monotonic() + 10
        while not (found := leaks(clusters, token, pair[1])):
            assert time.monotonic() < deadline, "the probe sees nothing"
        assert any(f"get pods -n tenant-{pair[1]['id']}" in leak for leak in found)
    finally:
        clusters.kubectl(EAST, "delete", kind, name, *place)


def test_tenant_a_cannot_change_the_walls_around_itself(clusters: Kubernetes, pair: tuple[Tenant, Tenant], token: Path) -> None:
    namespace = f"tenant-{pair[0]['id']}"
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "more"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "tenant", "namespace": namespace}],
    }
    open_all = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "open"},
        "spec": {"podSelector": {}, "ingress": [{}], "egress": [{}], "policyTypes": ["Ingress", "Egress"]},
    }
    secret_of_account = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "forever", "annotations": {"kubernetes.io/service-account.name": "tenant"}},
        "type": "kubernetes.io/service-account-token",
    }
    subset = [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 443}]}]
    elsewhere = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "elsewhere"}, "subsets": subset}
    for given in (binding, open_all, secret_of_account, elsewhere, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "second"}}):
        assert not allowed(clusters, token, "create", "-f", "-", "--dry-run=server", given=given), given["kind"]
    for arguments in (
        ("patch", "resourcequota", "tenant-quota", "-p", '{"spec": {"hard": {"pods": "500"}}}'),
        ("delete", "resourcequota", "tenant-quota"),
        ("delete", "limitrange", "tenant-limits"),
        ("delete", "networkpolicy", "default-deny"),
        ("patch", "role", "tenant", "-p", '{"rules": []}'),
        ("patch", "namespace", namespace, "-p", '{"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}'),
        ("patch", "serviceaccount", "tenant", "-p", '{"automountServiceAccountToken": true}'),
        ("patch", "configmap", "tenant-config", "-p", '{"data": {"tenant_tier": "enterprise"}}'),
        ("delete", "configmap", "tenant-config"),
        ("patch", "secret", "tenant-credentials", "-p", '{"data": {"DATABASE_URL": "eA=="}}'),
    ):
        assert not allowed(clusters, token, *arguments, "--dry-run=server"), arguments
    assert not allowed(clusters, token, "get", "secret", "platform")
    assert not allowed(clusters, token, "get", "secrets")
    assert not allowed(clusters, token, "create", "token", "tenant")
    assert not allowed(clusters, token, "create", "token", "default")


SECRET_ENV = {"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "platform", "key": "key"}}}]}
ESCAPES: dict[str, dict[str, Any]] = {
    "mounts another Secret": {"volumes": [{"name": "v", "secret": {"secretName": "platform"}}]},
    "projects another Secret": {"volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "platform"}}]}}]},
    "takes its environment from another Secret": {"container": {"envFrom": [{"secretRef": {"name": "platform"}}]}},
    "takes a variable from another Secret": {"container": SECRET_ENV},
    "does so in an init container": {"initContainers": [SECRET_ENV]},
    "runs as another ServiceAccount": {"serviceAccountName": "foreign"},
    "pushes others off their nodes": {"priorityClassName": "system-cluster-critical"},
    "chooses its node": {"nodeName": "node-0"},
    "uses the host's network": {"hostNetwork": True},
    "uses the host's files": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
    "is privileged": {"container": {"securityContext": {"privileged": True}}},
    "runs as root": {"securityContext": {"runAsUser": 0}},
}
GUARDED = [name for name in ESCAPES if not any(word in name for word in ("host", "privileged", "root"))]  # the rest is Pod Security's


def escape(pod: Callable[..., dict[str, Any]], name: str) -> dict[str, Any]:
    change = json.loads(json.dumps(ESCAPES[name]))
    if "initContainers" in change:
        change["initContainers"][0] = {**pod("x")["spec"]["containers"][0], "name": "init", **change["initContainers"][0]}
    return pod("escape", **change)


def carriers(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The pod itself, and everything that a tenant can have it made by."""
    yield body
    template = {"metadata": {"labels": {"app": "x"}}, "spec": body["spec"]}
    once = {**template, "spec": {**body["spec"], "restartPolicy": "Never"}}
    selector = {"matchLabels": {"app": "x"}}
    metadata = {"name": "escape"}
    yield {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"selector": selector, "template": template}}
    yield {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": {"serviceName": "x", "selector": selector, "template": template}}
    yield {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": once}}
    yield {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": once}}}}


@pytest.mark.parametrize("name", ESCAPES)
def test_a_pod_of_tenant_a_does_not_get_out(clusters: Kubernetes, pair: tuple[Tenant, Tenant], token: Path, pod: Any, name: str) -> None:
    clusters.kubectl(
        EAST, "apply", "-n", f"tenant-{pair[0]['id']}", "-f", "-", given={"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "foreign"}}
    )
    body = escape(pod, name)
    tried = list(carriers(body)) if name in GUARDED else [body]  # Pod Security refuses the pod, and only warns about its template
    for given in tried:
        assert not allowed(clusters, token, "create", "-f", "-", "--dry-run=server", given=given), given["kind"]


def test_it_is_the_guard_that_holds_these_pods_back(clusters: Kubernetes, pair: tuple[Tenant, Tenant], pod: Any) -> None:
    """Another account with the same Role is not bound by the admission policies: for it the same pods are admitted."""
    namespace = f"tenant-{pair[0]['id']}"
    for arguments in (("serviceaccount", "platform"), ("rolebinding", "platform", "--role=tenant", f"--serviceaccount={namespace}:platform")):
        clusters.kubectl(EAST, "create", *arguments, "-n", namespace)
    kubeconfig = clusters.token_kubeconfig(EAST, pair[0], "platform")
    clusters.kubectl(EAST, "apply", "-n", namespace, "-f", "-", given={"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "foreign"}})
    for name in GUARDED:
        assert allowed(clusters, kubeconfig, "create", "-f", "-", "--dry-run=server", given=escape(pod, name)), name


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "NodePort", "ports": [{"port": 80}]},
        {"type": "LoadBalancer", "ports": [{"port": 80}]},
        {"type": "ExternalName", "externalName": "postgresql.leanvibe-production.svc"},
        {"externalIPs": ["10.0.0.1"], "ports": [{"port": 443}]},
    ],
)
def test_a_service_of_tenant_a_claims_no_address_of_others(clusters: Kubernetes, pair: tuple[Tenant, Tenant], token: Path, spec: dict[str, Any]) -> None:
    given = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "out"}, "spec": spec}
    assert not allowed(clusters, token, "create", "-f", "-", "--dry-run=server", given=given)
    plain = {**given, "spec": {"ports": [{"port": 80}]}}
    assert allowed(clusters, token, "create", "-f", "-", "--dry-run=server", given=plain)


def test_a_running_pod_of_others_is_not_a_way_in(clusters: Kubernetes, pair: tuple[Tenant, Tenant], token: Path, pod: Any) -> None:
    namespace = f"tenant-{pair[0]['id']}"
    theirs = pod("platform-job", volumes=[{"name": "v", "secret": {"secretName": "platform"}}])
    clusters.kubectl(EAST, "apply", "-n", namespace, "-f", "-", given=theirs)
    image = '{"spec": {"containers": [{"name": "main", "image": "evil.example/x"}]}}'
    debug = {"spec": {"ephemeralContainers": [{"name": "d", "image": "evil.example/x", "targetContainerName": "main"}]}}
    assert not allowed(clusters, token, "patch", "pod", "platform-job", "-p", image, "--dry-run=server")
    assert not allowed(clusters, token, "patch", "pod", "platform-job", "--subresource=ephemeralcontainers", "-p", json.dumps(debug), "--dry-run=server")
    for way in (["exec"], ["exec", "-i"]):
        assert not allowed(clusters, token, *way, "platform-job", "--", "true")
    assert not allowed(clusters, token, "get", "--raw", f"/api/v1/namespaces/{namespace}/pods/platform-job/proxy/")
    clusters.kubectl(EAST, "delete", "pod", "platform-job", "-n", namespace, "--wait=false")


def test_our_label_is_not_for_tenants(clusters: Kubernetes, pair: tuple[Tenant, Tenant], token: Path) -> None:
    labels = {"app.kubernetes.io/managed-by": "leanvibe.ops"}
    given = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "spoof", "labels": labels}}
    assert not allowed(clusters, token, "create", "-f", "-", "--dry-run=server", given=given)


def test_disks_of_nodes_and_the_servers_database_are_not_for_filling(clusters: Kubernetes, pair: tuple[Tenant, Tenant], token: Path, pod: Any) -> None:
    made = json.loads(clusters.kubectl(EAST, "create", "-f", "-", "--dry-run=server", "-o", "json", kubeconfig=token, given=pod("big")).stdout)
    assert made["spec"]["containers"][0]["resources"]["limits"]["ephemeral-storage"] == "1Gi"
    greedy = pod("big", container={"resources": {"limits": {"ephemeral-storage": "1Ti"}}})
    assert not allowed(clusters, token, "create", "-f", "-", "--dry-run=server", given=greedy)
    namespace = f"tenant-{pair[0]['id']}"
    clusters.kubectl(EAST, "patch", "resourcequota", "tenant-quota", "-n", namespace, "-p", '{"spec": {"hard": {"count/configmaps": "2"}}}')
    one_more = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one-more"}}
    deadline = time.monotonic() + 10
    while allowed(clusters, token, "create", "-f", "-", "--dry-run=server", given=one_more):
        assert time.monotonic() < deadline, "the number of objects is not limited"
    repaired = clusters.module(EAST, "prepare", [pair[0]])
    assert [change["object"] for change in repaired["results"][0]["changes"]] == [f"ResourceQuota {namespace}/tenant-quota"]


def test_a_suspended_tenants_token_opens_nothing(clusters: Kubernetes) -> None:
    tenant = clusters.tenant("iso-off")
    clusters.everything([tenant])
    kubeconfig = clusters.token_kubeconfig(EAST, tenant)
    assert allowed(clusters, kubeconfig, "get", "pods")
    clusters.everything([{**tenant, "state": "suspended"}])
    deadline = time.monotonic() + 10
    while allowed(clusters, kubeconfig, "get", "pods"):
        assert time.monotonic() < deadline
    assert not allowed(clusters, kubeconfig, "get", "secret", "tenant-credentials")
    assert not allowed(clusters, kubeconfig, "get", "configmaps")


# --- NetworkPolicies, evaluated as the Kubernetes documentation defines them ---

Pod = dict[str, Any]  # namespace, labels, ip


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    expressions = [{"key": key, "operator": "In", "values": [value]} for key, value in selector.get("matchLabels", {}).items()]
    operators: dict[str, Callable[[str | None, list[str]], bool]] = {
        "In": lambda value, values: value in values,
        "NotIn": lambda value, values: value not in values,
        "Exists": lambda value, _values: value is not None,
        "DoesNotExist": lambda value, _values: value is None,
    }
    return all(operators[item["operator"]](labels.get(item["key"]), item.get("values", [])) for item in [*expressions, *selector.get("matchExpressions", [])])


def admits(policy: dict[str, Any], direction: str, peer: Pod, namespaces: dict[str, dict[str, str]], port: tuple[str, int]) -> bool:
    """Whether one policy allows traffic with ``peer`` in one direction (``ingress`` or ``egress``)."""
    side = "from" if direction == "ingress" else "to"
    for rule in policy["spec"].get(direction, []):
        ports = rule.get("ports")
        if ports and not any(item.get("protocol", "TCP") == port[0] and item.get("port") in (None, port[1]) for item in ports):
            continue
        peers = rule.get(side)
        if not peers:
            return True
        for item in peers:
            if "ipBlock" in item:
                if ipaddress.ip_address(peer["ip"]) in ipaddress.ip_network(item["ipBlock"]["cidr"]):
                    return True
                continue
            if peer["namespace"] is None:
                continue
            if "namespaceSelector" in item:
                right_place = selects(item["namespaceSelector"], namespaces[peer["namespace"]])
            else:
                right_place = peer["namespace"] == policy["metadata"]["namespace"]
            if right_place and selects(item.get("podSelector", {}), peer["labels"]):
                return True
    return False


def flows(policies: list[dict[str, Any]], namespaces: dict[str, dict[str, str]], source: Pod, target: Pod, port: tuple[str, int]) -> bool:
    """Whether a connection from ``source`` to ``target`` is allowed on both ends."""
    for direction, here, there in (("Egress", source, target), ("Ingress", target, source)):
        of_pod = [item for item in policies if item["metadata"]["namespace"] == here["namespace"] and selects(item["spec"]["podSelector"], here["labels"])]
        binding = [item for item in of_pod if direction in item["spec"]["policyTypes"]]
        if binding and not any(admits(item, direction.lower(), there, namespaces, port) for item in binding):
            return False
    return True


def test_network_policies_let_through_what_they_should_and_nothing_else(clusters: Kubernetes, pair: tuple[Tenant, Tenant]) -> None:
    policies = clusters.get(EAST, "networkpolicies", "--all-namespaces")["items"]
    namespaces = {item["metadata"]["name"]: item["metadata"]["labels"] for item in clusters.get(EAST, "namespaces")["items"]}
    names = ("leanvibe-production", "leanvibe-monitoring", "elsewhere")
    namespaces.update({name: {"kubernetes.io/metadata.name": name} for name in names})
    # A namespace that calls itself the platform's in every label but the one that the API server writes.
    namespaces["pretender"] = {"kubernetes.io/metadata.name": "pretender", "name": "leanvibe-production", "app.kubernetes.io/name": "leanvibe-production"}

    def place(namespace: str | None, ip: str = "10.9.9.9", **labels: str) -> Pod:
        return {"namespace": namespace, "labels": {key.replace("_", "-"): value for key, value in labels.items()}, "ip": ip}

    a, a2, b = place(f"tenant-{pair[0]['id']}", app="web"), place(f"tenant-{pair[0]['id']}", app="db"), place(f"tenant-{pair[1]['id']}", app="web")
    platform, monitoring, elsewhere, pretender = (place(name) for name in (*names, "pretender"))
    dns, kube = place("kube-system", k8s_app="kube-dns"), place("kube-system", component="etcd")
    metadata, internet = place(None, "169.254.169.254"), place(None, "203.0.113.7")
    web, udp53, tcp53 = ("TCP", 80), ("UDP", 53), ("TCP", 53)
    open_flows = [(a, a2, web), (platform, a, web), (a, platform, ("TCP", 5432)), (monitoring, a, ("TCP", 9100)), (a, dns, udp53), (a, dns, tcp53)]
    shut = [
        (a, b, web), (b, a, web), (a, elsewhere, web), (elsewhere, a, web), (a, pretender, web), (pretender, a, web), (a, monitoring, web),
        (a, dns, web), (dns, a, web), (a, kube, ("TCP", 2379)), (kube, a, web), (a, metadata, web), (a, internet, ("TCP", 443)), (internet, a, web),
    ]  # fmt: skip
    assert [flow for flow in open_flows if not flows(policies, namespaces, *flow)] == []
    assert [flow for flow in shut if flows(policies, namespaces, *flow)] == []
    for name in ("default-deny", "allow-own-namespace", "allow-dns", "allow-platform", "allow-monitoring"):
        fewer = [item for item in policies if item["metadata"]["name"] != name]
        as_before = not [flow for flow in open_flows if not flows(fewer, namespaces, *flow)] and not [flow for flow in shut if flows(fewer, namespaces, *flow)]
        assert as_before == (name == "default-deny"), f"the evaluator notices that {name} is missing"
    nobody = [item for item in policies if item["metadata"]["namespace"] != a["namespace"]]
    assert flows(nobody, namespaces, elsewhere, a, web), "the evaluator notices when a namespace has no policies"
