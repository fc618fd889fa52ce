# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tenants_kubernetes on real clusters: create, modify, suspend, each checked and done, first and again, and read back with kubectl."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from conftest import Kubernetes

EAST, WEST = "us-east-1", "us-west-2"
HOME_OBJECTS = 13


def changes(returned: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((change["object"], change["action"]) for result in returned["results"] for change in result["changes"])


def verdicts(returned: dict[str, Any]) -> dict[str, str]:
    return {result["tenant"]: result["verdict"] for result in returned["results"]}


def secret(clusters: Kubernetes, region: str, tenant: dict[str, Any]) -> dict[str, str]:
    item = clusters.get(region, "secret", "tenant-credentials", "-n", f"tenant-{tenant['id']}")
    return {"state": item["metadata"]["annotations"]["leanvibe.ai/credentials-state"], **{k: base64.b64decode(v).decode() for k, v in item["data"].items()}}


def cycle(clusters: Kubernetes, tenant: dict[str, Any], expected: int) -> list[tuple[str, str]]:
    """Check, check again, do, do again. The checks write nothing and say what the run then does; the last does nothing."""
    before = clusters.snapshot(EAST, tenant)
    first, second = (clusters.module(EAST, "prepare", [tenant], check=True) for _time in range(2))
    assert clusters.snapshot(EAST, tenant) == before
    assert changes(first) == changes(second)
    done = clusters.module(EAST, "prepare", [tenant])
    assert changes(done) == changes(first)
    assert done["diff"] == first["diff"]
    assert len(changes(done)) == expected
    after = clusters.snapshot(EAST, tenant)
    again = clusters.module(EAST, "prepare", [tenant])
    assert (changes(again), again["changed"]) == ([], False)
    assert clusters.snapshot(EAST, tenant) == after
    assert after != before
    return changes(done)


def test_the_twelve_steps(clusters: Kubernetes) -> None:
    tenant = clusters.tenant("cycle")
    namespace = f"tenant-{tenant['id']}"
    assert all(action == "create" for _object, action in cycle(clusters, tenant, HOME_OBJECTS))
    labels = clusters.get(EAST, "namespace", namespace)["metadata"]["labels"]
    assert {key: labels[key] for key in ("leanvibe.ai/tenant-id", "leanvibe.ai/tier", "app.kubernetes.io/managed-by")} == {
        "leanvibe.ai/tenant-id": tenant["id"],
        "leanvibe.ai/tier": "developer",
        "app.kubernetes.io/managed-by": "leanvibe.ops",
    }
    assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "warn", "audit")} == {"restricted"}
    assert clusters.get(EAST, "serviceaccount", "tenant", "-n", namespace)["automountServiceAccountToken"] is False
    assert clusters.get(EAST, "configmap", "tenant-config", "-n", namespace)["data"] == {
        "tenant_id": tenant["id"],
        "tenant_tier": "developer",
        "tenant_name": "Tenant cycle",
    }

    cycle(clusters, {**tenant, "tier": "team", "name": "Renamed"}, HOME_OBJECTS)
    quota = clusters.get(EAST, "resourcequota", "tenant-quota", "-n", namespace)["spec"]["hard"]
    assert (quota["pods"], quota["services.nodeports"]) == ("25", "0")
    assert clusters.get(EAST, "configmap", "tenant-config", "-n", namespace)["data"]["tenant_name"] == "Renamed"

    suspended = cycle(clusters, {**tenant, "tier": "team", "name": "Renamed", "state": "suspended"}, 7)
    assert [name for name, action in suspended if action == "delete"] == [
        *(f"NetworkPolicy {namespace}/allow-{what}" for what in ("dns", "monitoring", "own-namespace", "platform")),
        f"RoleBinding {namespace}/tenant",
    ]
    assert clusters.get(EAST, "resourcequota", "tenant-quota", "-n", namespace)["spec"]["hard"]["pods"] == "0"
    assert [item["metadata"]["name"] for item in clusters.get(EAST, "networkpolicies", "-n", namespace)["items"]] == ["default-deny"]
    assert clusters.get(EAST, "rolebindings", "-n", namespace)["items"] == []


def test_what_others_wrote_survives_and_what_they_changed_of_ours_is_taken_back(clusters: Kubernetes) -> None:
    tenant = clusters.tenant("drift")
    namespace = f"tenant-{tenant['id']}"
    clusters.module(EAST, "prepare", [tenant])
    clusters.kubectl(EAST, "label", "namespace", namespace, "team=blue")
    clusters.kubectl(EAST, "annotate", "resourcequota", "tenant-quota", "-n", namespace, "note=hands off")
    clusters.kubectl(EAST, "create", "configmap", "theirs", "-n", namespace, "--from-literal=a=b")
    clusters.kubectl(EAST, "label", "configmap", "theirs", "-n", namespace, "app.kubernetes.io/managed-by=leanvibe.ops")
    clusters.kubectl(EAST, "patch", "secret", "tenant-credentials", "-n", namespace, "-p", '{"data": {"THEIRS": "eA=="}}')
    assert clusters.module(EAST, "prepare", [tenant])["changed"] is False

    clusters.kubectl(
        EAST, "patch", "resourcequota", "tenant-quota", "-n", namespace, "-p", '{"spec": {"hard": {"pods": "999"}}}', "--field-manager=kubectl-edit"
    )
    clusters.kubectl(EAST, "delete", "networkpolicy", "default-deny", "-n", namespace)
    clusters.kubectl(EAST, "label", "namespace", namespace, "pod-security.kubernetes.io/enforce-", "app.kubernetes.io/managed-by-")
    clusters.kubectl(EAST, "label", "secret", "tenant-credentials", "-n", namespace, "leanvibe.ai/tenant-id-", "app.kubernetes.io/managed-by-")
    clusters.kubectl(EAST, "patch", "role", "tenant", "-n", namespace, "-p", '{"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]}')
    clusters.kubectl(EAST, "delete", "rolebinding", "tenant", "-n", namespace)
    clusters.kubectl(EAST, "create", "rolebinding", "tenant", "-n", namespace, "--clusterrole=admin", f"--serviceaccount={namespace}:tenant")
    clusters.kubectl(
        EAST, "label", "rolebinding", "tenant", "-n", namespace, "app.kubernetes.io/managed-by=leanvibe.ops", f"leanvibe.ai/tenant-id={tenant['id']}"
    )
    repaired = clusters.module(EAST, "prepare", [tenant])
    assert changes(repaired) == [
        (f"Namespace {namespace}", "update"),
        (f"NetworkPolicy {namespace}/default-deny", "create"),
        (f"ResourceQuota {namespace}/tenant-quota", "update"),
        (f"Role {namespace}/tenant", "update"),
        (f"RoleBinding {namespace}/tenant", "update"),
        (f"Secret {namespace}/tenant-credentials", "update"),
    ]
    fields = {change["object"].split()[0]: change["fields"] for change in repaired["results"][0]["changes"]}
    assert fields["ResourceQuota"] == ["spec.hard.pods (taken back from kubectl-edit)"]
    assert clusters.module(EAST, "prepare", [tenant])["changed"] is False
    assert clusters.get(EAST, "rolebinding", "tenant", "-n", namespace)["roleRef"]["kind"] == "Role"
    assert clusters.get(EAST, "namespace", namespace)["metadata"]["labels"]["team"] == "blue"
    assert clusters.get(EAST, "resourcequota", "tenant-quota", "-n", namespace)["metadata"]["annotations"] == {"note": "hands off"}
    assert clusters.get(EAST, "configmap", "theirs", "-n", namespace)["data"] == {"a": "b"}
    assert secret(clusters, EAST, tenant)["THEIRS"] == "x"


def test_a_server_side_dry_run_agrees_with_the_plan(clusters: Kubernetes) -> None:
    """The oracle: the server finds nothing to change where the plan has nothing, also for quantities that are written in other ways."""
    odd = {"kubernetes": {"quota": {"requests.cpu": "2000m", "limits.cpu": "3.5", "limits.memory": "8192Mi", "pods": 10}}}
    tenant = clusters.tenant("oracle", overrides={"quotas": odd})
    namespace = f"tenant-{tenant['id']}"
    bodies = clusters.module(EAST, "prepare", [tenant], check=True)["diff"]["after"]
    clusters.module(EAST, "prepare", [tenant])
    assert clusters.module(EAST, "prepare", [tenant])["changed"] is False
    versions = {"NetworkPolicy": "networking.k8s.io/v1", "Role": "rbac.authorization.k8s.io/v1", "RoleBinding": "rbac.authorization.k8s.io/v1"}

    def dry_run(kind: str, body: dict[str, Any]) -> tuple[Any, Any]:
        given = {"apiVersion": versions.get(kind, "v1"), "kind": kind, **body}
        arguments = ("apply", "--server-side", "--force-conflicts", "--field-manager=leanvibe.ops", "--dry-run=server", "-o", "json", "--show-managed-fields")
        answer = json.loads(clusters.kubectl(EAST, *arguments, "-f", "-", given=given).stdout)
        place = () if kind == "Namespace" else ("-n", namespace)
        return answer, clusters.get(EAST, kind.lower(), body["metadata"]["name"], *place)

    seen = set()
    for title, body in bodies.items():
        kind = title.split()[1]
        if kind in ("Secret", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"):
            continue
        answer, live = dry_run(kind, body)
        assert answer == live, kind
        seen.add(kind)
    assert seen == {"Namespace", "NetworkPolicy", "ConfigMap", "LimitRange", "ResourceQuota", "ServiceAccount", "Role", "RoleBinding"}
    name, changed = next((title, body) for title, body in bodies.items() if "ResourceQuota" in title)
    changed["spec"]["hard"]["pods"] = "11"
    answer, live = dry_run(name.split()[1], changed)
    assert answer != live, "the oracle notices a change"


def test_the_life_of_a_secret(clusters: Kubernetes) -> None:
    at_home, abroad = clusters.tenant("home"), clusters.tenant("abroad", region=WEST)
    both = [at_home, abroad]
    for region in (EAST, WEST):
        assert set(verdicts(clusters.module(region, "prepare", both)).values()) == {"succeeded"}
    born = {tenant["id"]: secret(clusters, tenant["region"], tenant) for tenant in both}
    assert {item["state"] for item in born.values()} == {"pending"}
    assert verdicts(clusters.module(WEST, "finish", both, ready=[abroad["id"]])) == {at_home["id"]: "skipped", abroad["id"]: "succeeded"}
    for region in (EAST, WEST):
        clusters.module(region, "finish", both, ready=[tenant["id"] for tenant in both])
    for tenant in both:
        other = WEST if tenant["region"] == EAST else EAST
        home, copied = secret(clusters, tenant["region"], tenant), secret(clusters, other, tenant)
        assert home == {**born[tenant["id"]], "state": "current"}
        assert copied["state"] == "current"
        assert copied["S3_SECRET_ACCESS_KEY"] == home["S3_SECRET_ACCESS_KEY"]
        assert copied["REDIS_URL"] != home["REDIS_URL"]
    assert not any(item["changed"] for item in clusters.everything(both))


def test_a_secret_that_cannot_be_read_stops_its_tenants_and_nobody_generates_another(clusters: Kubernetes, tmp_path: Path) -> None:
    tenant = clusters.tenant("unread")
    clusters.everything([tenant])
    before = clusters.snapshot(WEST, tenant)
    closed = {EAST: {**clusters.connection(EAST), "kubeconfig": str(tmp_path / "absent")}}
    failed = clusters.module(WEST, "finish", [tenant], ready=[tenant["id"]], secrets=closed)["results"][0]
    assert (failed["verdict"], failed["changed"]) == ("failed", False)
    assert "home region us-east-1" in failed["message"]
    assert clusters.snapshot(WEST, tenant) == before


def test_a_downgrade_below_what_runs_is_refused(clusters: Kubernetes, pod: Any) -> None:
    tenant = clusters.tenant("shrink", tier="team")
    namespace = f"tenant-{tenant['id']}"
    clusters.module(EAST, "prepare", [tenant])
    for number in range(11):
        clusters.kubectl(EAST, "apply", "-n", namespace, "-f", "-", given=pod(f"p{number}"))
    deadline = time.monotonic() + 30
    while clusters.get(EAST, "resourcequota", "tenant-quota", "-n", namespace)["status"]["used"]["pods"] != "11":
        assert time.monotonic() < deadline
        time.sleep(0.3)
    before = clusters.snapshot(EAST, tenant)
    refused = clusters.module(EAST, "prepare", [{**tenant, "tier": "developer"}])["results"][0]
    assert refused["verdict"] == "refused"
    assert "pods: 11 in use, the new limit would be 10 (now 25)" in refused["message"]
    assert clusters.snapshot(EAST, tenant) == before


def test_a_namespace_of_others_is_refused_and_an_undeclared_one_is_listed(clusters: Kubernetes) -> None:
    foreign, ours, undeclared = clusters.tenant("foreign"), clusters.tenant("ours"), clusters.tenant("undeclared")
    clusters.kubectl(EAST, "create", "namespace", f"tenant-{foreign['id']}")
    clusters.module(EAST, "prepare", [undeclared])
    before = clusters.snapshot(EAST, foreign)
    returned = clusters.module(EAST, "prepare", [foreign, ours])
    assert verdicts(returned) == {foreign["id"]: "refused", ours["id"]: "succeeded"}
    assert clusters.snapshot(EAST, foreign) == before
    assert undeclared["id"] in returned["undeclared"]
    assert ours["id"] not in returned["undeclared"]
    clusters.kubectl(
        EAST, "label", "namespace", f"tenant-{foreign['id']}", "app.kubernetes.io/managed-by=leanvibe.ops", f"leanvibe.ai/tenant-id={foreign['id']}"
    )
    assert verdicts(clusters.module(EAST, "prepare", [foreign])) == {foreign["id"]: "succeeded"}, "handed over as the message says"


def test_a_namespace_that_is_being_deleted_fails_its_tenant_only(clusters: Kubernetes) -> None:
    dying, fine = clusters.tenant("dying"), clusters.tenant("fine")
    namespace = f"tenant-{dying['id']}"
    clusters.module(EAST, "prepare", [dying])
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "namespace": namespace, "finalizers": ["leanvibe.ai/test"]}}
    clusters.kubectl(EAST, "apply", "-f", "-", given=held)
    clusters.kubectl(EAST, "delete", "namespace", namespace, "--wait=false")
    try:
        returned = clusters.module(EAST, "prepare", [dying, fine])
        assert verdicts(returned) == {dying["id"]: "failed", fine["id"]: "succeeded"}
        assert "is being deleted since" in returned["results"][0]["message"]
    finally:
        clusters.kubectl(EAST, "patch", "configmap", "held", "-n", namespace, "--type=merge", "-p", '{"metadata": {"finalizers": null}}')


@pytest.mark.parametrize(("change", "said"), [({"user": {"token": "wrong"}}, "does not know the credentials"), ({"port": 9}, "does not answer")])
def test_a_cluster_that_cannot_be_worked_with_fails_the_module(clusters: Kubernetes, tmp_path: Path, change: dict[str, Any], said: str) -> None:
    config = yaml.safe_load(Path(clusters.connection(EAST)["kubeconfig"]).read_text(encoding="utf-8"))
    if "port" in change:
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{change['port']}"
    else:
        config["users"][0]["user"] = change["user"]
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    returned = clusters.module(EAST, "prepare", [clusters.tenant("never")], connection={"kubeconfig": str(path)}, timeout=2)
    assert returned["failed"] is True
    assert said in returned["msg"]


def test_an_exec_plugin_can_log_in(clusters: Kubernetes, tmp_path: Path) -> None:
    config = yaml.safe_load(Path(clusters.connection(EAST)["kubeconfig"]).read_text(encoding="utf-8"))
    user = config["users"][0]["user"]
    parts = {}
    for key in ("client-certificate", "client-key"):
        parts[key] = base64.b64decode(user[f"{key}-data"]).decode() if f"{key}-data" in user else Path(user[key]).read_text(encoding="utf-8")
    status = {"clientCertificateData": parts["client-certificate"], "clientKeyData": parts["client-key"]}
    credential = tmp_path / "credential.json"
    credential.touch(mode=0o600)
    credential.write_text(json.dumps({"kind": "ExecCredential", "status": status}), encoding="utf-8")
    config["users"][0]["user"] = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "cat", "args": [str(credential)]}}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    returned = clusters.module(EAST, "prepare", [clusters.tenant("plugin")], check=True, connection={"kubeconfig": str(path)})
    assert set(verdicts(returned).values()) == {"succeeded"}


READ_WRITE = ["get", "list", "create", "patch"]
OPERATOR_RULES: list[dict[str, Any]] = [
    {"apiGroups": [""], "resources": ["namespaces", "secrets"], "verbs": READ_WRITE},
    {"apiGroups": [""], "resources": ["resourcequotas", "limitranges", "configmaps", "serviceaccounts"], "verbs": [*READ_WRITE, "delete"]},
    {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": [*READ_WRITE, "delete"]},
    {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": [*READ_WRITE, "delete", "escalate", "bind"]},
    {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["rolebindings"], "verbs": [*READ_WRITE, "delete"]},
    {
        "apiGroups": ["admissionregistration.k8s.io"],
        "resources": ["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
        "verbs": ["get", "list", "create", "patch"],
    },
]


def test_the_documented_rights_are_enough_and_a_missing_one_is_named(clusters: Kubernetes) -> None:
    """docs/tenants/kubernetes.md, "Rights that a run needs", with a short-lived token in place of the administrator's certificate."""
    tenant, place = clusters.tenant("rights"), clusters.tenant("operator")
    namespace, name = f"tenant-{place['id']}", f"ka-operator-{clusters.run_id}"
    clusters.kubectl(EAST, "create", "namespace", namespace)
    clusters.kubectl(EAST, "create", "serviceaccount", "operator", "-n", namespace)
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": OPERATOR_RULES}
    clusters.kubectl(EAST, "create", "-f", "-", given=role)
    clusters.kubectl(EAST, "create", "clusterrolebinding", name, f"--clusterrole={name}", f"--serviceaccount={namespace}:operator")
    try:
        connection = {"kubeconfig": str(clusters.token_kubeconfig(EAST, place, "operator"))}
        for phase in ("prepare", "finish"):
            returned = clusters.module(EAST, phase, [tenant], ready=[tenant["id"]], connection=connection)
            assert verdicts(returned) == {tenant["id"]: "succeeded"}, returned
            assert changes(returned)
        suspended = clusters.module(EAST, "prepare", [{**tenant, "state": "suspended"}], connection=connection)
        assert verdicts(suspended) == {tenant["id"]: "succeeded"}, suspended
        clusters.kubectl(EAST, "patch", "clusterrole", name, "-p", json.dumps({"rules": OPERATOR_RULES[1:]}))
        deadline = time.monotonic() + 10
        while "msg" not in (denied := clusters.module(EAST, "prepare", [tenant], check=True, connection=connection)):
            assert time.monotonic() < deadline
        assert 'cannot list resource "' in denied["msg"]
    finally:
        clusters.kubectl(EAST, "delete", "clusterrole,clusterrolebinding", name)


@pytest.mark.faults(sample=2)
@pytest.mark.parametrize("seconds", [0.25, 0.4, 0.6, 0.8, 1.0, 1.3])
def test_a_killed_run_is_completed_by_the_next(clusters: Kubernetes, tmp_path: Path, seconds: float) -> None:
    tenants = [clusters.tenant(f"kill{number}-{int(seconds * 100)}") for number in range(25)]
    given = clusters.params(EAST, "prepare", tenants)
    (tmp_path / "given.json").write_text(
        json.dumps({**given, "network": None, "neo4j_isolation": False, "ready": [], "lease": None, "declared_ids": None, "concurrency": 16})
    )
    code = (
        "import json, sys\n"
        "from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.kubernetes import run\n"
        "given = json.load(open(sys.argv[1]))\n"
        "given['network'] = {'dns_namespace': 'kube-system', 'dns_labels': {'k8s-app': 'kube-dns'}, 'platform_namespaces': ['leanvibe-production'],"
        " 'monitoring_namespaces': ['leanvibe-monitoring'], 'egress': []}\n"
        "run(given, check_mode=False, diff=False)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3] / "collections")}
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "given.json")], env=environment)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=20)
    before = {tenant["id"]: clusters.snapshot(EAST, tenant) for tenant in tenants[:5]}
    held = {tenant["id"]: secret(clusters, EAST, tenant) for tenant in tenants[:5] if "Secret/tenant-credentials" in before[tenant["id"]]}
    assert set(verdicts(clusters.module(EAST, "prepare", tenants)).values()) == {"succeeded"}
    assert clusters.module(EAST, "prepare", tenants)["changed"] is False
    for tenant in tenants[:5]:
        if tenant["id"] in held:
            assert secret(clusters, EAST, tenant) == held[tenant["id"]], "a generated secret is never generated again"
