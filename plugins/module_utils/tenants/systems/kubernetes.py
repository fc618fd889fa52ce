# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants in Kubernetes: the namespace with its walls and doors, and the Secret that the other systems are set from.

Phase ``prepare`` comes before the other systems, phase ``finish`` after them (kubernetes_secrets.py says what happens to Secrets in each).
One list request per kind reads everything; only what differs is written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...clients.kubernetes import KubernetesClient, NotServedError, Object, Resource
from ...common.concurrency import each
from ...common.errors import InvalidInput, OpsError
from ...common.leases import Lease
from ..arguments import TenantsRequest
from ..credentials import CURRENT, NEO4J_KEYS, SECRET_NAME, TenantCredentials, secret_data
from ..model import LABEL_MANAGED_BY, LABEL_TENANT, MANAGED_BY, SystemResult, Tenant
from ..secret_store import ANNOTATION_HOME, read_credentials, selector
from . import kubernetes_guard as guard
from . import kubernetes_secrets as secrets
from .kubernetes_fields import differences, owned, quantity
from .kubernetes_objects import IN_NAMESPACE, NAMESPACE, QUOTA, RESOURCE_QUOTA, ROLE_BINDING, SECRET, Network, declared, labels
from .kubernetes_plan import Plan, TenantPlan, apply, create, delete, replace, result, title, update
from .kubernetes_secrets import Wanted

__all__ = ["Actual", "Desired", "apply", "observe", "plan", "run"]

PREPARE = "prepare"
FINISH = "finish"


@dataclass(frozen=True)
class Desired:
    """What one call is to bring about in one cluster."""

    request: TenantsRequest
    phase: str
    network: Network
    secrets: Wanted


@dataclass
class Actual:
    """What a cluster holds. Objects are as the API returns them."""

    namespaces: dict[str, Object] = field(default_factory=dict)
    objects: dict[Resource, dict[str, dict[str, Object]]] = field(default_factory=dict)  # by namespace and name
    secrets: dict[str, Object] = field(default_factory=dict)  # by namespace
    home: dict[str, TenantCredentials | OpsError] = field(default_factory=dict)  # by tenant, those whose home is elsewhere
    policies: dict[Resource, dict[str, Object]] | None = None  # by name; None: the cluster does not serve them

    def of(self, resource: Resource, tenant: Tenant) -> dict[str, Object]:
        """Our objects of a kind in the tenant's namespace, by name."""
        return self.objects.get(resource, {}).get(tenant.namespace, {})


def run(params: Mapping[str, Any], *, check_mode: bool, diff: bool) -> dict[str, Any]:
    """The module's work: its parameters in, what it returns out. Raises OpsError if the cluster cannot be worked with."""
    desired = _desired(params, check_mode)
    request = desired.request
    if not request.tenants:
        return {**SystemResult("kubernetes", request.region, []).to_exit(), "finished": True}
    client = KubernetesClient.connect(params["connection"], MANAGED_BY, request.timeout, request.concurrency)
    with client, Lease.from_params(params.get("lease")) as lease:
        actual = observe(client, desired)
        planned = plan(desired, actual)
        outcome = result(planned, client.requests) if check_mode else apply(planned, client, lease, request.concurrency)
    returned = outcome.to_exit()
    returned["finished"] = desired.phase == FINISH or (planned.nothing and _finished(desired, actual))
    if not diff:
        del returned["diff"]
    return returned


def _desired(params: Mapping[str, Any], check_mode: bool) -> Desired:
    request = TenantsRequest.from_params(params)
    isolation = bool(params["neo4j_isolation"])
    endpoints = (params["application_endpoints"] or {}).get(request.region)
    if endpoints is None:
        raise InvalidInput("application_endpoints", [f"there is no entry for region {request.region}"])
    try:
        secret_data(_ANYBODY, TenantCredentials(1, "", "", "", "", "", "" if isolation else None), endpoints)
    except (KeyError, TypeError) as error:
        raise InvalidInput("application_endpoints", [f"{request.region}: {error.args[0]!r} is missing or has the wrong shape"]) from error
    wanted = Wanted(request.region, endpoints, isolation, frozenset(params.get("ready") or ()), check_mode)
    return Desired(request, params["phase"], Network.from_params(params["network"]), wanted)


_ANYBODY = Tenant("nobody", "nobody", "", "")


def observe(client: KubernetesClient, desired: Desired) -> Actual:
    """Read the cluster: one list request per kind, side by side, and for the copies of Secrets one in each other home region."""
    request = desired.request
    actual = Actual()

    def lists(resource: Resource) -> list[Object]:
        if resource is SECRET:
            return client.list(SECRET, field_selector=f"metadata.name={SECRET_NAME}", namespace=_only(request.tenants))
        if resource is NAMESPACE:
            return client.list(NAMESPACE)
        return client.list(resource, f"{LABEL_MANAGED_BY}={MANAGED_BY}" if resource in (guard.POLICY, guard.BINDING) else selector(request.tenants))

    kinds: Sequence[Resource] = (SECRET,) if desired.phase == FINISH else (NAMESPACE, *IN_NAMESPACE, SECRET, guard.POLICY, guard.BINDING)
    found: dict[Resource, list[Object] | None] = {}
    for outcome in each(kinds, lists, request.concurrency):
        if isinstance(outcome.error, NotServedError) and outcome.item in (guard.POLICY, guard.BINDING):
            found[outcome.item] = None
        elif outcome.error is not None:
            raise outcome.error
        else:
            found[outcome.item] = outcome.result
    actual.namespaces = {item["metadata"]["name"]: item for item in found.get(NAMESPACE) or []}
    actual.secrets = {item["metadata"]["namespace"]: item for item in found.get(SECRET) or []}
    for resource in IN_NAMESPACE:
        by_namespace = actual.objects[resource] = {}
        for item in found.get(resource) or []:
            by_namespace.setdefault(item["metadata"]["namespace"], {})[item["metadata"]["name"]] = item
    if found.get(guard.POLICY) is not None and found.get(guard.BINDING) is not None:
        actual.policies = {kind: {item["metadata"]["name"]: item for item in found[kind] or []} for kind in (guard.POLICY, guard.BINDING)}
    if desired.phase == FINISH:
        actual.home = _read_home(request)
    return actual


def _read_home(request: TenantsRequest) -> dict[str, TenantCredentials | OpsError]:
    away = [tenant for tenant in request.tenants if tenant.region != request.region]
    return read_credentials(request.secrets, away, request.timeout)


def _finished(desired: Desired, actual: Actual) -> bool:
    """Whether phase finish would find every Secret in force and alike in all regions, whatever becomes of the other systems."""
    later = dataclasses.replace(desired, phase=FINISH, secrets=dataclasses.replace(desired.secrets, ready=frozenset(), checking=False))
    planned = plan(later, dataclasses.replace(actual, home=_read_home(desired.request)))
    in_force = [item.observed.get("credentials", {}).get("state") == CURRENT for item in planned.tenants]
    return planned.nothing and all(in_force)


def _only(tenants: Sequence[Tenant]) -> str | None:
    return tenants[0].namespace if len(tenants) == 1 else None


def plan(desired: Desired, actual: Actual) -> Plan:
    """Decide what is to be written. Pure."""
    request = desired.request
    planned = Plan(request.region, [])
    if desired.phase == FINISH:
        for tenant in request.tenants:
            item = TenantPlan(tenant)
            secrets.finish(item, actual.secrets.get(tenant.namespace), actual.home.get(tenant.id), desired.secrets)
            planned.tenants.append(item)
        return planned
    planned.tenants = [_tenant(tenant, desired, actual) for tenant in request.tenants]
    planned.undeclared = _undeclared(actual, request.declared_ids)
    _policies(planned, actual)
    if not desired.secrets.neo4j_isolation:
        planned.notes.append(f"Neo4j cannot hold a tenant to its own data here, so that Secrets have no {', '.join(NEO4J_KEYS)}")
    return planned


def _policies(planned: Plan, actual: Actual) -> None:
    if actual.policies is None:
        planned.notes.append(
            "this cluster has no ValidatingAdmissionPolicy (Kubernetes 1.30): a tenant's pods can read every Secret and use every ServiceAccount "
            "in its own namespace, and its Services can claim externalIPs; keep nothing else in tenants' namespaces"
        )
        return
    for resource, body in guard.declared():
        live = actual.policies[resource].get(body["metadata"]["name"])
        found = differences(body, live, MANAGED_BY) if live is not None else []
        if live is None:
            planned.platform.append(create(resource, body))
        elif found:
            planned.platform.append(update(resource, body, found))


def _undeclared(actual: Actual, declared_ids: frozenset[str]) -> list[str]:
    undeclared = []
    for name, namespace in actual.namespaces.items():
        marks = namespace["metadata"].get("labels") or {}
        if marks.get(LABEL_MANAGED_BY) == MANAGED_BY:
            tenant_id = marks.get(LABEL_TENANT) or name.removeprefix("tenant-")
            if tenant_id not in declared_ids:
                undeclared.append(tenant_id)
    return undeclared


def _tenant(tenant: Tenant, desired: Desired, actual: Actual) -> TenantPlan:
    item = TenantPlan(tenant)
    namespace = actual.namespaces.get(tenant.namespace)
    if namespace is not None and not _usable(item, namespace):
        return item
    try:
        objects = declared(tenant, desired.request.limits(tenant, "kubernetes"), desired.network)
    except OpsError as error:
        item.verdict, item.message = "refused", error.message
        return item
    if not _fits(item, objects, actual):
        return item
    item.observed.update(namespace=tenant.namespace, tier=tenant.tier, state=tenant.state)
    names: dict[Resource, set[str]] = {}
    for resource, body in objects:
        name = body["metadata"]["name"]
        names.setdefault(resource, set()).add(name)
        live = namespace if resource is NAMESPACE else actual.of(resource, tenant).get(name)
        if live is None:
            item.steps.append(create(resource, body))
        elif found := differences(body, live, MANAGED_BY):
            # The role that a RoleBinding refers to cannot be changed.
            immutable = resource is ROLE_BINDING and any(difference.path[0] == "roleRef" and difference.before != difference.after for difference in found)
            item.steps.append(replace(resource, body, live, found) if immutable else update(resource, body, found))
    for resource in IN_NAMESPACE:
        for name, live in actual.of(resource, tenant).items():
            if name not in names.get(resource, ()) and owned(live, MANAGED_BY):
                item.steps.append(delete(resource, live))
    secrets.prepare(item, actual.secrets.get(tenant.namespace), desired.secrets)
    return item


def _usable(item: TenantPlan, namespace: Object) -> bool:
    """Whether an existing namespace is ours and alive; if not, the reason becomes the tenant's verdict."""
    tenant, metadata = item.tenant, namespace["metadata"]
    marks = metadata.get("labels") or {}
    ours = marks.get(LABEL_MANAGED_BY) == MANAGED_BY or bool(owned(namespace, MANAGED_BY))
    if not ours or marks.get(LABEL_TENANT, tenant.id) != tenant.id:
        adopt = " ".join(f"{key}={value}" for key, value in labels(tenant).items() if key in (LABEL_MANAGED_BY, LABEL_TENANT))
        item.verdict = "refused"
        item.message = (
            f"{title(NAMESPACE, namespace)} exists and is not ours (label {LABEL_MANAGED_BY} is {marks.get(LABEL_MANAGED_BY) or 'absent'}, "
            f"{LABEL_TENANT} is {marks.get(LABEL_TENANT) or 'absent'}); choose another id, or hand it over with: "
            f"kubectl label namespace {tenant.namespace} {adopt}"
        )
    elif metadata.get("deletionTimestamp"):
        left = ", ".join((namespace.get("spec") or {}).get("finalizers") or metadata.get("finalizers") or ["none"])
        item.verdict = "failed"
        item.message = (
            f"{title(NAMESPACE, namespace)} is being deleted since {metadata['deletionTimestamp']} (finalizers: {left}); "
            f"see kubectl get namespace {tenant.namespace} -o yaml for what holds it up, and run again when it is gone"
        )
    elif (home := (metadata.get("annotations") or {}).get(ANNOTATION_HOME, tenant.region)) != tenant.region:
        item.verdict = "refused"
        item.message = (
            f"{title(NAMESPACE, namespace)} says that the tenant's home is {home} (annotation {ANNOTATION_HOME}), its declaration says {tenant.region}; "
            f"moving a tenant between regions is an operation of its own, so declare region {home}"
        )
    return item.verdict == "succeeded"


def _fits(item: TenantPlan, objects: Sequence[tuple[Resource, Object]], actual: Actual) -> bool:
    """Whether no limit is lowered below what is in use. Suspending takes the number of pods to 0 whatever runs: that is its meaning."""
    live = actual.of(RESOURCE_QUOTA, item.tenant).get(QUOTA)
    if live is None:
        return True
    hard = next(body["spec"]["hard"] for resource, body in objects if resource is RESOURCE_QUOTA)
    before, used = live["spec"].get("hard") or {}, (live.get("status") or {}).get("used") or {}
    over = []
    for name, limit in hard.items():
        if name not in used or (name == "pods" and not item.tenant.active):
            continue
        if quantity(limit) < quantity(used[name]) and (name not in before or quantity(limit) < quantity(before[name])):
            over.append(f"{name}: {used[name]} in use, the new limit would be {limit} (now {before.get(name, 'none')})")
    if over:
        item.verdict = "refused"
        item.message = f"tier {item.tenant.tier} allows {item.tenant.namespace} less than it uses: {'; '.join(over)}. Reduce the use or declare a larger tier"
    return not over
