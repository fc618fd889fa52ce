# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants in Kubernetes, planned and applied on clusters that stand in for real ones; the integration tests use real ones."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.kubernetes import (
    AlreadyExists,
    Changed,
    KubernetesClient,
    NotServedError,
    RejectedError,
    Resource,
)
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import InvalidInput, LeaseLost, Unreachable
from ansible_collections.leanvibe.ops.plugins.module_utils.common.leases import NoLease
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems import kubernetes, kubernetes_guard, kubernetes_objects
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.kubernetes import _desired, apply, observe, plan

EAST, WEST = "us-east-1", "us-west-2"
TIERS = {
    tier: {
        "kubernetes": {
            "quota": {"pods": str(pods), "requests.cpu": f"{pods * 200}m"},
            "limit_range": {"default": {"cpu": "250m"}, "default_request": {"cpu": "100m"}, "max": {"cpu": "1"}},
        }
    }
    for tier, pods in (("developer", 10), ("team", 25), ("enterprise", 50))
}
NETWORK = {
    "dns_namespace": "kube-system",
    "dns_labels": {"k8s-app": "kube-dns"},
    "platform_namespaces": ["leanvibe-production"],
    "monitoring_namespaces": ["leanvibe-monitoring"],
    "egress": [],
}
OBJECTS = 13  # of one tenant in its home region, Namespace and Secret included
POLICIES = 4  # of one cluster


def endpoints(port: int) -> dict[str, Any]:
    redis, store, neo4j = {"host": "r", "port": port, "tls": True}, {"endpoint": f"https://s:{port}"}, {"uri": "bolt://n"}
    return {"postgresql": {"host": "p", "port": port, "database": "app"}, "redis": redis, "object_store": store, "neo4j": neo4j}


class Cluster:
    """One cluster: keeps objects and the fields that a manager holds, as server-side apply does, for the kinds that are used here."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.writes: list[str] = []
        self.version = 0
        self.requests = 0
        self.lists = 0
        self.before_write: Callable[[str], None] = lambda _what: None
        self.served = True

    def put(self, resource: Resource, namespace: str | None, body: dict[str, Any], entries: list[dict[str, Any]]) -> dict[str, Any]:
        key = (resource.plural, namespace or "", body["metadata"]["name"])
        self.version += 1
        uid = self.objects[key]["metadata"]["uid"] if key in self.objects else f"uid-{self.version}"
        body["metadata"].update(uid=uid, resourceVersion=str(self.version), managedFields=entries)
        if "stringData" in body:
            body["data"] = {name: base64.b64encode(value.encode()).decode() for name, value in body.pop("stringData").items()}
        self.objects[key] = body
        return copy.deepcopy(body)

    def note(self, verb: str, resource: Resource, namespace: str | None, name: str) -> None:
        what = f"{verb} {resource.kind} {namespace or ''}/{name}"
        self.before_write(what)
        self.writes.append(what)
        self.requests += 1

    def list(self, resource: Resource, label_selector: str = "", field_selector: str = "", namespace: str | None = None) -> list[dict[str, Any]]:
        self.requests += 1
        self.lists += 1
        if resource.plural.startswith("validating") and not self.served:
            raise NotServedError("not served")
        found = [item for (plural, where, _name), item in self.objects.items() if plural == resource.plural and namespace in (None, where)]
        if label_selector:
            found = [item for item in found if (item["metadata"].get("labels") or {}).get("app.kubernetes.io/managed-by") == "leanvibe.ops"]
        if field_selector:
            found = [item for item in found if item["metadata"]["name"] == field_selector.removeprefix("metadata.name=")]
        return copy.deepcopy(found)

    def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any] | None:
        return copy.deepcopy(self.objects.get((resource.plural, namespace or "", name)))

    def create(self, resource: Resource, namespace: str | None, body: dict[str, Any]) -> dict[str, Any]:
        name = body["metadata"]["name"]
        if (resource.plural, namespace or "", name) in self.objects:
            raise AlreadyExists(f"{name} exists")
        self.note("create", resource, namespace, name)
        fields = {"f:data": {f"f:{key}": {} for key in body["stringData"]}}
        return self.put(resource, namespace, copy.deepcopy(body), [{"manager": "leanvibe.ops", "operation": "Update", "fieldsV1": fields}])

    def apply(self, resource: Resource, namespace: str | None, body: dict[str, Any]) -> dict[str, Any]:
        name = body["metadata"]["name"]
        live = self.objects.get((resource.plural, namespace or "", name))
        if resource.namespaced and ("namespaces", "", namespace or "") not in self.objects:
            raise RejectedError(f'namespaces "{namespace}" not found')
        self.note("apply", resource, namespace, name)
        made = copy.deepcopy(live) if live else {"metadata": {"name": name}}
        if namespace:
            made["metadata"]["namespace"] = namespace
        entries = [entry for entry in made["metadata"].get("managedFields", []) if entry["manager"] != "leanvibe.ops"]
        held = next((entry["fieldsV1"] for entry in made["metadata"].get("managedFields", []) if entry["manager"] == "leanvibe.ops"), {})
        declared = {key: value for key, value in body.items() if key not in ("apiVersion", "kind")}
        declared["metadata"] = {key: value for key, value in body["metadata"].items() if key not in ("name", "namespace")}
        drop(made, held, declared)
        merge(made, declared)
        return self.put(resource, namespace, made, [*entries, {"manager": "leanvibe.ops", "operation": "Apply", "fieldsV1": tree(declared)}])

    def merge(self, resource: Resource, namespace: str | None, name: str, body: dict[str, Any]) -> dict[str, Any]:
        live = copy.deepcopy(self.objects[(resource.plural, namespace or "", name)])
        if body["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]:
            raise Changed("the object has been modified")
        self.note("merge", resource, namespace, name)
        for part in ("labels", "annotations"):
            live["metadata"].setdefault(part, {}).update(body["metadata"].get(part, {}))
        for key, value in body.get("data", {}).items():
            live["data"].pop(key, None)
            if value is not None:
                live["data"][key] = value
        return self.put(resource, namespace, live, live["metadata"]["managedFields"])

    def delete(self, resource: Resource, namespace: str | None, name: str, uid: str) -> None:
        self.note("delete", resource, namespace, name)
        assert self.objects[(resource.plural, namespace or "", name)]["metadata"]["uid"] == uid
        del self.objects[(resource.plural, namespace or "", name)]

    def secret(self, tenant: str) -> dict[str, str]:
        return {key: base64.b64decode(value).decode() for key, value in self.objects[("secrets", f"tenant-{tenant}", "tenant-credentials")]["data"].items()}

    def state(self, tenant: str) -> str:
        return str(self.objects[("secrets", f"tenant-{tenant}", "tenant-credentials")]["metadata"]["annotations"]["leanvibe.ai/credentials-state"])

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_error: Any) -> None:
        return None


ATOMIC = ("podSelector", "roleRef", "matchConstraints")


def tree(value: Any, name: str = "") -> Any:
    return {f"f:{key}": tree(item, key) for key, item in value.items()} if isinstance(value, dict) and name not in ATOMIC else {}


def drop(live: dict[str, Any], held: dict[str, Any], declared: dict[str, Any]) -> None:
    for field, inside in held.items():
        key = field[2:]
        if key in live and key not in declared:
            del live[key]
        elif inside and key in live:
            drop(live[key], inside, declared[key])


def merge(live: dict[str, Any], declared: dict[str, Any]) -> None:
    for key, value in declared.items():
        if isinstance(value, dict) and isinstance(live.get(key), dict) and key not in ATOMIC:
            merge(live[key], value)
        else:
            live[key] = copy.deepcopy(value)


@pytest.fixture
def clusters(monkeypatch: pytest.MonkeyPatch) -> dict[str, Cluster]:
    """Both regions; reading another region's Secrets finds them."""
    made = {EAST: Cluster(), WEST: Cluster()}
    monkeypatch.setattr(KubernetesClient, "connect", classmethod(lambda _cls, connection, *_rest: made[connection["kubeconfig"]]))
    return made


def tenant(name: str = "acme", **change: Any) -> dict[str, Any]:
    return {"id": name, "name": f"The {name}", "tier": "team", "region": EAST, **change}


def params(region: str, phase: str, tenants: list[dict[str, Any]], **change: Any) -> dict[str, Any]:
    common = {"region": region, "phase": phase, "tenants": tenants, "tiers": TIERS, "declared_ids": None, "concurrency": 4, "timeout": 5, "lease": None}
    connections = {"connection": {"kubeconfig": region}, "secrets": {name: {"kubeconfig": name} for name in (EAST, WEST)}}
    addresses = {"application_endpoints": {EAST: endpoints(1), WEST: endpoints(2)}, "neo4j_isolation": False, "network": NETWORK, "ready": []}
    return {**common, **connections, **addresses, **change}


def run(region: str, phase: str, tenants: list[dict[str, Any]], check: bool = False, **change: Any) -> dict[str, Any]:
    return kubernetes.run(params(region, phase, tenants, **change), check_mode=check, diff=True)


def everything(tenants: list[dict[str, Any]], **change: Any) -> dict[str, Any]:
    """All phases in both regions, as the playbook does it."""
    ready = [item["id"] for item in tenants]
    returned = {f"{phase} {region}": run(region, phase, tenants, ready=ready, **change) for phase in ("prepare", "finish") for region in (EAST, WEST)}
    assert all(result["verdict"] == "succeeded" for item in returned.values() for result in item["results"]), returned
    return returned


def only(returned: dict[str, Any]) -> dict[str, Any]:
    (result,) = returned["results"]
    return dict(result)


def writes(clusters: dict[str, Cluster]) -> list[str]:
    found = [what for cluster in clusters.values() for what in cluster.writes]
    for cluster in clusters.values():
        cluster.writes.clear()
    return found


def test_a_new_tenant_gets_everything_and_the_second_run_writes_nothing(clusters: dict[str, Cluster]) -> None:
    everything([tenant(), tenant("west", region=WEST)])
    assert len(clusters[EAST].objects) == len(clusters[WEST].objects) == 2 * OBJECTS + POLICIES
    writes(clusters)
    again = everything([tenant(), tenant("west", region=WEST)])
    assert writes(clusters) == []
    assert not any(item["changed"] for item in again.values())


def prepared(tenants: list[dict[str, Any]], **change: Any) -> dict[str, bool]:
    """What phase prepare says in a check, by region."""
    return {region: run(region, "prepare", tenants, check=True, **change)["finished"] for region in (EAST, WEST)}


def test_what_is_in_force_everywhere_needs_no_second_phase(clusters: dict[str, Cluster]) -> None:
    two = [tenant(), tenant("west", region=WEST)]
    assert prepared(two) == {EAST: False, WEST: False}
    everything(two)
    assert prepared(two) == {EAST: True, WEST: True}
    # A tenant more, a changed tier, new addresses, another edition of Neo4j: whoever has something to write says so.
    assert prepared([*two, tenant("new")]) == {EAST: False, WEST: False}
    assert prepared([tenant(tier="developer"), two[1]]) == {EAST: False, WEST: False}
    assert prepared(two, application_endpoints={EAST: endpoints(7), WEST: endpoints(2)}) == {EAST: False, WEST: True}
    assert prepared(two, neo4j_isolation=True)[EAST] is False


@pytest.mark.parametrize("region", [EAST, WEST])
def test_a_secret_that_is_pending_missing_or_stale_needs_the_second_phase(clusters: dict[str, Cluster], region: str) -> None:
    everything([tenant()])
    assert prepared([tenant()])[region] is True
    live = clusters[region].objects[("secrets", "tenant-acme", "tenant-credentials")]
    kept = copy.deepcopy(live)
    live["data"]["REDIS_URL"] = "c3RhbGU="
    assert prepared([tenant()])[region] is False
    clusters[region].objects[("secrets", "tenant-acme", "tenant-credentials")] = copy.deepcopy(kept)
    clusters[region].objects[("secrets", "tenant-acme", "tenant-credentials")]["metadata"]["annotations"]["leanvibe.ai/credentials-state"] = "pending"
    assert prepared([tenant()])[region] is False
    del clusters[region].objects[("secrets", "tenant-acme", "tenant-credentials")]
    assert prepared([tenant()])[region] is False


def test_a_home_that_cannot_be_read_leaves_it_to_the_second_phase(clusters: dict[str, Cluster]) -> None:
    everything([tenant()])
    assert run(WEST, "prepare", [tenant()], secrets={WEST: {"kubeconfig": WEST}})["finished"] is False


def test_reads_do_not_grow_with_tenants(clusters: dict[str, Cluster]) -> None:
    run(EAST, "prepare", [tenant()], check=True)
    one = clusters[EAST].lists
    run(EAST, "prepare", [tenant(f"t{number}") for number in range(100)], check=True)
    assert clusters[EAST].lists == 2 * one == 2 * 11


def test_no_tenants_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KubernetesClient, "connect", None)
    assert run(EAST, "prepare", [])["changed"] is False


def test_a_check_says_what_a_run_does_and_writes_nothing(clusters: dict[str, Cluster]) -> None:
    checked = [run(region, phase, [tenant()], check=True, ready=["acme"]) for phase in ("prepare", "finish") for region in (EAST, WEST)]
    assert writes(clusters) == []
    done = list(everything([tenant()]).values())
    assert [[change["object"] for change in only(item)["changes"]] for item in checked[:2]] == [
        [change["object"] for change in only(item)["changes"]] for item in done[:2]
    ]
    assert [change["action"] for change in only(checked[3])["changes"]] == ["create"]
    assert only(checked[2])["verdict"] == "succeeded"


def test_walls_come_before_doors(clusters: dict[str, Cluster]) -> None:
    run(EAST, "prepare", [tenant()])
    order = [what for what in clusters[EAST].writes if "acme" in what]
    place = {
        part: next(index for index, what in enumerate(order) if part in what)
        for part in ("Namespace", "default-deny", "ConfigMap", "Quota", "RoleBinding", "Secret")
    }
    assert place["Namespace"] < place["default-deny"] < place["ConfigMap"] < place["Quota"] < place["RoleBinding"] < place["Secret"]
    assert clusters[EAST].writes[0].startswith("apply ValidatingAdmissionPolicy ")


def test_objects_and_fields_of_others_survive_and_drift_is_repaired(clusters: dict[str, Cluster]) -> None:
    everything([tenant()])
    east = clusters[EAST]
    theirs = {"metadata": {"name": "theirs", "namespace": "tenant-acme", "labels": {"app.kubernetes.io/managed-by": "leanvibe.ops"}}, "data": {}}
    east.put(kubernetes_objects.CONFIG_MAP, "tenant-acme", theirs, [{"manager": "helm", "operation": "Update", "fieldsV1": {}}])
    east.objects[("resourcequotas", "tenant-acme", "tenant-quota")]["spec"]["hard"]["pods"] = "999"
    east.objects[("namespaces", "", "tenant-acme")]["metadata"]["labels"]["team"] = "blue"
    del east.objects[("networkpolicies", "tenant-acme", "default-deny")]
    east.objects[("secrets", "tenant-acme", "tenant-credentials")]["data"]["THEIRS"] = "eA=="
    writes(clusters)
    returned = run(EAST, "prepare", [tenant()])
    assert sorted(writes(clusters)) == ["apply NetworkPolicy tenant-acme/default-deny", "apply ResourceQuota tenant-acme/tenant-quota"]
    assert returned["diff"]["before"]["acme: ResourceQuota tenant-acme/tenant-quota"] == {"spec.hard.pods": "999"}
    assert returned["diff"]["after"]["acme: ResourceQuota tenant-acme/tenant-quota"] == {"spec.hard.pods": "25"}
    assert ("configmaps", "tenant-acme", "theirs") in east.objects
    assert east.objects[("namespaces", "", "tenant-acme")]["metadata"]["labels"]["team"] == "blue"
    assert east.secret("acme")["THEIRS"] == "x"


def test_what_is_no_longer_declared_is_removed(clusters: dict[str, Cluster]) -> None:
    everything([tenant()])
    writes(clusters)
    run(EAST, "prepare", [tenant()], network={**NETWORK, "monitoring_namespaces": []})
    assert writes(clusters) == ["delete NetworkPolicy tenant-acme/allow-monitoring"]


def test_a_role_binding_that_refers_to_another_role_is_replaced(clusters: dict[str, Cluster]) -> None:
    everything([tenant()])
    clusters[EAST].objects[("rolebindings", "tenant-acme", "tenant")]["roleRef"] = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "admin",
    }
    writes(clusters)
    assert only(run(EAST, "prepare", [tenant()]))["changes"][0]["fields"] == ["roleRef"]
    assert writes(clusters) == ["delete RoleBinding tenant-acme/tenant", "apply RoleBinding tenant-acme/tenant"]


def test_suspending_takes_access_away_and_activating_gives_it_back(clusters: dict[str, Cluster]) -> None:
    everything([tenant()])
    before = {key: item.get("spec", item.get("data")) for key, item in clusters[EAST].objects.items()}
    secret = clusters[EAST].secret("acme")
    everything([tenant(state="suspended")])
    held = clusters[EAST].objects
    assert not any(plural == "rolebindings" for plural, *_rest in held)
    assert [name for plural, _namespace, name in held if plural == "networkpolicies"] == ["default-deny"]
    assert held[("resourcequotas", "tenant-acme", "tenant-quota")]["spec"]["hard"]["pods"] == "0"
    assert clusters[EAST].secret("acme") == secret
    everything([tenant()])
    assert {key: item.get("spec", item.get("data")) for key, item in held.items()} == before


def used(cluster: Cluster, **amounts: str) -> None:
    cluster.objects[("resourcequotas", "tenant-acme", "tenant-quota")]["status"] = {"used": amounts}


def test_a_downgrade_below_what_is_used_is_refused_with_the_numbers(clusters: dict[str, Cluster]) -> None:
    everything([tenant()])
    used(clusters[EAST], pods="12", **{"requests.cpu": "1900m"})
    writes(clusters)
    result = only(run(EAST, "prepare", [tenant(tier="developer")]))
    assert result["verdict"] == "refused"
    assert "pods: 12 in use, the new limit would be 10 (now 25)" in result["message"]
    assert "requests.cpu" not in result["message"]
    assert writes(clusters) == []
    used(clusters[EAST], pods="10")
    assert only(run(EAST, "prepare", [tenant(tier="developer")]))["verdict"] == "succeeded"


def test_suspending_is_no_downgrade_but_other_limits_still_count(clusters: dict[str, Cluster]) -> None:
    everything([tenant()])
    used(clusters[EAST], pods="12", **{"requests.cpu": "3"})
    assert only(run(EAST, "prepare", [tenant(state="suspended", tier="developer")]))["verdict"] == "refused"
    assert only(run(EAST, "prepare", [tenant(state="suspended")]))["verdict"] == "succeeded"


def test_a_limit_that_is_exceeded_already_and_stays_is_no_downgrade(clusters: dict[str, Cluster]) -> None:
    everything([tenant()])
    used(clusters[EAST], pods="30")
    assert only(run(EAST, "prepare", [tenant(name="acme")]))["verdict"] == "succeeded"


@pytest.mark.parametrize(
    "labels", [{}, {"app.kubernetes.io/managed-by": "helm"}, {"app.kubernetes.io/managed-by": "leanvibe.ops", "leanvibe.ai/tenant-id": "other"}]
)
def test_a_namespace_that_is_not_ours_is_refused_and_others_go_on(clusters: dict[str, Cluster], labels: dict[str, str]) -> None:
    clusters[EAST].put(kubernetes_objects.NAMESPACE, None, {"metadata": {"name": "tenant-acme", "labels": labels}}, [])
    refused, done = run(EAST, "prepare", [tenant(), tenant("other")], declared_ids=["acme", "other"])["results"]
    assert (refused["verdict"], done["verdict"]) == ("refused", "succeeded")
    assert "is not ours" in refused["message"]
    assert "kubectl label namespace tenant-acme" in refused["message"]
    assert not any("tenant-acme/" in what for what in writes(clusters))


def test_a_namespace_is_ours_even_if_its_labels_were_removed(clusters: dict[str, Cluster]) -> None:
    everything([tenant()])
    clusters[EAST].objects[("namespaces", "", "tenant-acme")]["metadata"]["labels"] = {}
    assert only(run(EAST, "prepare", [tenant()]))["changes"][0]["object"] == "Namespace tenant-acme"


def test_a_namespace_that_is_being_deleted_fails_its_tenant_only(clusters: dict[str, Cluster]) -> None:
    everything([tenant(), tenant("other")])
    dying = clusters[EAST].objects[("namespaces", "", "tenant-acme")]
    dying["metadata"]["deletionTimestamp"] = "2026-11-21T06:00:00Z"
    dying["spec"] = {"finalizers": ["kubernetes"]}
    failed, fine = run(EAST, "prepare", [tenant(tier="enterprise"), tenant("other", tier="enterprise")])["results"]
    assert (failed["verdict"], failed["changed"]) == ("failed", False)
    assert "2026-11-21T06:00:00Z" in failed["message"]
    assert (fine["verdict"], fine["changed"]) == ("succeeded", True)


def test_undeclared_tenants_are_listed_and_left_alone(clusters: dict[str, Cluster]) -> None:
    everything([tenant(), tenant("gone"), tenant("unselected")])
    writes(clusters)
    assert run(EAST, "prepare", [tenant()], declared_ids=["acme", "unselected"])["undeclared"] == ["gone"]
    assert writes(clusters) == []


@pytest.mark.parametrize("region", [EAST, WEST])
def test_another_home_than_the_secrets_is_refused_in_both_regions(clusters: dict[str, Cluster], region: str) -> None:
    everything([tenant()])
    writes(clusters)
    for phase in ("prepare", "finish"):
        result = only(run(region, phase, [tenant(region=WEST)], ready=["acme"]))
        assert result["verdict"] == "refused"
        assert "home is us-east-1" in result["message"]
    assert writes(clusters) == []


@pytest.mark.parametrize("region", [EAST, WEST])
def test_the_secrets_word_on_the_home_stops_everything_else(clusters: dict[str, Cluster], region: str) -> None:
    everything([tenant()])
    for cluster in clusters.values():
        cluster.objects[("namespaces", "", "tenant-acme")]["metadata"]["annotations"]["leanvibe.ai/home-region"] = WEST
    writes(clusters)
    result = only(run(region, "prepare", [tenant(region=WEST, tier="enterprise")]))
    assert (result["verdict"], result["changed"]) == ("refused", False)
    assert writes(clusters) == []


def test_another_home_is_refused_even_where_the_copy_was_never_made(clusters: dict[str, Cluster]) -> None:
    for region in (EAST, WEST):
        run(region, "prepare", [tenant()])
    assert only(run(WEST, "prepare", [tenant(region=WEST)]))["verdict"] == "refused"
    assert ("secrets", "tenant-acme", "tenant-credentials") not in clusters[WEST].objects


def test_the_secret_is_born_at_home_pending_and_current_only_when_the_systems_have_succeeded(clusters: dict[str, Cluster]) -> None:
    for region in (EAST, WEST):
        run(region, "prepare", [tenant()])
    assert clusters[EAST].state("acme") == "pending"
    assert ("secrets", "tenant-acme", "tenant-credentials") not in clusters[WEST].objects
    for region in (EAST, WEST):
        run(region, "finish", [tenant()], ready=[])
    assert clusters[EAST].state("acme") == "pending"
    assert ("secrets", "tenant-acme", "tenant-credentials") not in clusters[WEST].objects
    assert only(run(WEST, "finish", [tenant()], ready=[]))["verdict"] == "skipped"
    for region in (WEST, EAST):
        run(region, "finish", [tenant()], ready=["acme"])
    assert (clusters[EAST].state("acme"), clusters[WEST].state("acme")) == ("current", "current")
    home, copied = clusters[EAST].secret("acme"), clusters[WEST].secret("acme")
    assert home["S3_SECRET_ACCESS_KEY"] == copied["S3_SECRET_ACCESS_KEY"]
    assert home["DATABASE_URL"].replace("p:1/", "p:2/") == copied["DATABASE_URL"]


def test_current_stays_current_when_a_system_fails_later(clusters: dict[str, Cluster]) -> None:
    everything([tenant()])
    writes(clusters)
    for region in (EAST, WEST):
        assert only(run(region, "finish", [tenant()], ready=[]))["verdict"] == "succeeded"
    assert writes(clusters) == []


def test_new_endpoints_change_urls_and_keep_passwords(clusters: dict[str, Cluster]) -> None:
    everything([tenant()])
    before = {region: clusters[region].secret("acme") for region in (EAST, WEST)}
    everything([tenant()], application_endpoints={EAST: endpoints(7), WEST: endpoints(8)})
    for region, old, new in ((EAST, ":1/", ":7/"), (WEST, ":2/", ":8/")):
        assert clusters[region].secret("acme")["REDIS_URL"] == before[region]["REDIS_URL"].replace(old, new)
        assert clusters[region].secret("acme")["S3_SECRET_ACCESS_KEY"] == before[region]["S3_SECRET_ACCESS_KEY"]


def test_a_copy_that_was_changed_follows_the_home_again(clusters: dict[str, Cluster]) -> None:
    everything([tenant()])
    right = clusters[WEST].secret("acme")
    clusters[WEST].objects[("secrets", "tenant-acme", "tenant-credentials")]["data"]["DATABASE_URL"] = "bm9uc2Vuc2U="
    run(WEST, "finish", [tenant()])
    assert clusters[WEST].secret("acme") == right


def test_a_malformed_secret_is_an_error_and_never_generated_again(clusters: dict[str, Cluster]) -> None:
    everything([tenant()])
    secret = clusters[EAST].objects[("secrets", "tenant-acme", "tenant-credentials")]
    del secret["data"]["S3_SECRET_ACCESS_KEY"]
    held = copy.deepcopy(secret["data"])
    for phase in ("prepare", "finish"):
        result = only(run(EAST, phase, [tenant(tier="enterprise")], ready=["acme"]))
        assert result["verdict"] == "failed"
        assert "keys missing: S3_SECRET_ACCESS_KEY" in result["message"]
    assert secret["data"] == held
    assert clusters[EAST].objects[("configmaps", "tenant-acme", "tenant-config")]["data"]["tenant_tier"] == "enterprise", "what needs no credential is done"


def test_a_secret_that_appears_meanwhile_is_kept(clusters: dict[str, Cluster]) -> None:
    desired = _desired(params(EAST, "prepare", [tenant()]), check_mode=False)
    planned = plan(desired, observe(clusters[EAST], desired))  # type: ignore[arg-type]
    run(EAST, "prepare", [tenant()])
    held = clusters[EAST].secret("acme")
    outcome = apply(planned, clusters[EAST], NoLease(), 4)  # type: ignore[arg-type]
    assert outcome.results[0].verdict == "succeeded"
    assert clusters[EAST].secret("acme") == held


def test_a_secret_that_was_changed_since_it_was_read_is_not_overwritten(clusters: dict[str, Cluster]) -> None:
    everything([tenant()])
    desired = _desired(params(EAST, "prepare", [tenant()], application_endpoints={EAST: endpoints(9)}), check_mode=False)
    planned = plan(desired, observe(clusters[EAST], desired))  # type: ignore[arg-type]
    clusters[EAST].objects[("secrets", "tenant-acme", "tenant-credentials")]["metadata"]["resourceVersion"] = "changed"
    outcome = apply(planned, clusters[EAST], NoLease(), 4)  # type: ignore[arg-type]
    assert outcome.results[0].verdict == "failed"


def test_neo4j_keys_come_and_go_with_its_isolation(clusters: dict[str, Cluster]) -> None:
    everything([tenant()])
    assert "NEO4J_PASSWORD" not in clusters[EAST].secret("acme")
    password = clusters[EAST].secret("acme")["DATABASE_URL"]
    everything([tenant()], neo4j_isolation=True)
    new = clusters[EAST].secret("acme")["NEO4J_PASSWORD"]
    assert len(new) >= 40
    assert clusters[WEST].secret("acme")["NEO4J_PASSWORD"] == new
    assert clusters[EAST].secret("acme")["DATABASE_URL"] == password
    clusters[EAST].objects[("secrets", "tenant-acme", "tenant-credentials")]["metadata"]["managedFields"][0]["fieldsV1"]["f:data"]["f:NEO4J_PASSWORD"] = {}
    run(EAST, "prepare", [tenant()])
    assert "NEO4J_PASSWORD" not in clusters[EAST].secret("acme")


def test_no_secret_in_anything_returned(clusters: dict[str, Cluster]) -> None:
    returned = [everything([tenant()]), everything([tenant()], application_endpoints={EAST: endpoints(3), WEST: endpoints(4)}, neo4j_isolation=True)]
    text = json.dumps(returned)
    assert "<redacted, generation 1>" in text
    for region in (EAST, WEST):
        data = clusters[region].secret("acme")
        for key in ("S3_SECRET_ACCESS_KEY", "NEO4J_PASSWORD"):
            assert data[key] not in text
            assert base64.b64encode(data[key].encode()).decode() not in text
        for key in ("DATABASE_URL", "REDIS_URL"):
            assert data[key].split(":")[2].split("@")[0] not in text


@pytest.mark.parametrize("death", range(2 * (OBJECTS + POLICIES) + 1))
def test_a_run_that_dies_at_any_write_is_completed_by_the_next(clusters: dict[str, Cluster], death: int) -> None:
    left = [death]

    def die(_what: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    for cluster in clusters.values():
        cluster.before_write = die
    with pytest.raises(KeyboardInterrupt):
        everything([tenant()], concurrency=1)
    generated = clusters[EAST].secret("acme") if ("secrets", "tenant-acme", "tenant-credentials") in clusters[EAST].objects else None
    for cluster in clusters.values():
        cluster.before_write = lambda _what: None
    everything([tenant()])
    assert len(clusters[EAST].objects) == len(clusters[WEST].objects) == OBJECTS + POLICIES
    assert generated in (None, clusters[EAST].secret("acme"))
    assert (clusters[EAST].state("acme"), clusters[WEST].state("acme")) == ("current", "current")
    writes(clusters)
    everything([tenant()])
    assert writes(clusters) == []


def test_one_tenants_failure_stops_neither_the_others_nor_hides_what_was_done(clusters: dict[str, Cluster]) -> None:
    def refuse(what: str) -> None:
        if what == "apply ConfigMap tenant-bad/tenant-config":
            raise RejectedError("webhook says no")

    clusters[EAST].before_write = refuse
    returned = run(EAST, "prepare", [tenant("good"), tenant("bad"), tenant("fine")])
    by_name = {result["tenant"]: result for result in returned["results"]}
    assert {name: result["verdict"] for name, result in by_name.items()} == {"good": "succeeded", "bad": "failed", "fine": "succeeded"}
    assert by_name["bad"]["message"] == "webhook says no"
    assert by_name["bad"]["changes"][0]["object"] == "Namespace tenant-bad"
    assert len(by_name["bad"]["changes"]) == 6
    assert "bad" not in returned["observed"]
    assert returned["observed"]["good"]["credentials"] == {"generation": 1, "state": "pending"}


def test_when_the_api_stops_answering_the_rest_is_not_tried(clusters: dict[str, Cluster]) -> None:
    run(EAST, "prepare", [tenant("first")])
    tried: list[str] = []

    def silent(what: str) -> None:
        tried.append(what)
        raise Unreachable("no answer")

    clusters[EAST].before_write = silent
    returned = run(EAST, "prepare", [tenant(f"t{number}") for number in range(30)], concurrency=1)
    assert {result["verdict"] for result in returned["results"]} == {"failed"}
    assert len(tried) == 3
    assert "not tried" in returned["results"][-1]["message"]


def test_a_lost_lease_stops_all_writing(clusters: dict[str, Cluster]) -> None:
    class Lost(NoLease):
        left = 10

        def check(self) -> None:
            self.left -= 1
            if self.left < 0:
                raise LeaseLost("taken over")

    desired = _desired(params(EAST, "prepare", [tenant("a"), tenant("b")]), check_mode=False)
    planned = plan(desired, observe(clusters[EAST], desired))  # type: ignore[arg-type]
    outcome = apply(planned, clusters[EAST], Lost(), 2)  # type: ignore[arg-type]
    assert len(clusters[EAST].writes) == 10
    assert {result.message for result in outcome.results} == {"taken over"}


def test_a_cluster_without_admission_policies_is_told(clusters: dict[str, Cluster]) -> None:
    clusters[EAST].served = False
    returned = run(EAST, "prepare", [tenant()])
    assert any("ValidatingAdmissionPolicy" in note for note in returned["notes"])
    assert only(returned)["verdict"] == "succeeded"
    assert returned["platform"] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"application_endpoints": {WEST: endpoints(1)}}, "no entry for region us-east-1"),
        ({"application_endpoints": {EAST: {"redis": {}}}}, "'postgresql' is missing"),
        ({"network": {**NETWORK, "platform_namespaces": ["tenant-evil"]}}, "tenant-evil is a tenant's namespace"),
        ({"network": {**NETWORK, "monitoring_namespaces": ["a b"]}}, "'a b' is no name of a Namespace"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused_before_anything_is_sent(clusters: dict[str, Cluster], change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        run(EAST, "prepare", [tenant()], **change)
    assert clusters[EAST].requests == 0


def test_an_override_that_is_no_quantity_refuses_its_tenant_only(clusters: dict[str, Cluster]) -> None:
    bad = tenant(overrides={"quotas": {"kubernetes": {"quota": {"pods": "many"}}}})
    refused, fine = run(EAST, "prepare", [bad, tenant("other")])["results"]
    assert refused["verdict"] == "refused"
    assert "pods: 'many' is not a Kubernetes quantity" in refused["message"]
    assert fine["verdict"] == "succeeded"


def test_policies_without_names_open_nothing() -> None:
    policies = kubernetes_objects.network_policies(kubernetes_objects.Network.from_params({**NETWORK, "platform_namespaces": [], "monitoring_namespaces": []}))
    assert set(policies) == {"default-deny", "allow-own-namespace", "allow-dns"}
    text = json.dumps(policies)
    assert '"from": []' not in text
    assert '"to": []' not in text
    assert '"namespaceSelector": {}' not in text


def test_egress_names_its_ports() -> None:
    egress = [{"cidr": "10.1.0.0/16", "ports": [{"port": 5432, "protocol": "TCP"}]}]
    policies = kubernetes_objects.network_policies(kubernetes_objects.Network.from_params({**NETWORK, "egress": egress}))
    assert policies["allow-external"]["egress"] == [{"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "ports": [{"protocol": "TCP", "port": 5432}]}]
    with pytest.raises(InvalidInput, match=r"10\.2\.0\.0/16 has no ports"):
        kubernetes_objects.Network.from_params({**NETWORK, "egress": [{"cidr": "10.2.0.0/16", "ports": []}]})


def test_the_role_gives_no_way_out() -> None:
    rules = kubernetes_objects._RULES
    given = {(group, resource, verb) for rule in rules for group in rule["apiGroups"] for resource in rule["resources"] for verb in rule["verbs"]}
    assert not any("*" in part for item in given for part in item)
    assert [rule["verbs"] for rule in rules if "secrets" in rule["resources"]] == [["get"]]
    assert [rule["resourceNames"] for rule in rules if "secrets" in rule["resources"]] == [["tenant-credentials"]]
    closed = ("namespaces", "resourcequotas", "limitranges", "networkpolicies", "roles", "rolebindings", "serviceaccounts", "serviceaccounts/token")
    ways = ("pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "pods/ephemeralcontainers", "services/proxy", "ingresses", "daemonsets")
    assert not {resource for _group, resource, _verb in given} & {*closed, *ways}
    assert not [item for item in given if item[1] in ("endpoints", "endpointslices", "replicasets", "events") and item[2] not in ("get", "list", "watch")]


def test_the_admission_policies_bind_the_tenants_account_only() -> None:
    for resource, body in kubernetes_guard.declared():
        if resource is kubernetes_guard.POLICY:
            assert body["spec"]["failurePolicy"] == "Fail"
            assert "system:serviceaccount:" in body["spec"]["matchConditions"][0]["expression"]
        else:
            assert body["spec"]["validationActions"] == ["Deny"]
