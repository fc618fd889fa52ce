# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes objects that a tenant has, as they are declared with server-side apply. Pure: no I/O here.

Their order is the order in which they are written: walls before doors. The quota comes after the ConfigMap that it counts, because the API
refuses what a quota counts until it has been worked out; the RoleBinding, the tenant's key to the namespace, comes last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...clients.kubernetes import Object, Resource
from ...common.errors import InvalidInput
from ..credentials import ANNOTATION_GENERATION, ANNOTATION_STATE, SECRET_NAME, TenantCredentials, secret_data
from ..model import LABEL_MANAGED_BY, LABEL_TENANT, LABEL_TIER, MANAGED_BY, Tenant
from ..secret_store import ANNOTATION_HOME
from .kubernetes_fields import quantity

NAMESPACE = Resource("v1", "Namespace", "namespaces", namespaced=False)
NETWORK_POLICY = Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
CONFIG_MAP = Resource("v1", "ConfigMap", "configmaps")
LIMIT_RANGE = Resource("v1", "LimitRange", "limitranges")
RESOURCE_QUOTA = Resource("v1", "ResourceQuota", "resourcequotas")
SERVICE_ACCOUNT = Resource("v1", "ServiceAccount", "serviceaccounts")
ROLE = Resource("rbac.authorization.k8s.io/v1", "Role", "roles")
ROLE_BINDING = Resource("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
SECRET = Resource("v1", "Secret", "secrets")
IN_NAMESPACE = (NETWORK_POLICY, CONFIG_MAP, LIMIT_RANGE, RESOURCE_QUOTA, SERVICE_ACCOUNT, ROLE, ROLE_BINDING)

ACCOUNT = "tenant"  # ServiceAccount, Role and RoleBinding
QUOTA = "tenant-quota"
CONFIG = "tenant-config"
NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"  # set by the API server itself: nobody can claim another's name
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}

# What holds for a tier that says nothing of it. Services that open a port of every node or order a load balancer reach past the NetworkPolicies of
# the tenant's own pods; objects without number would fill the API server's database, which is everybody's.
_UNSAID = {
    "services.nodeports": "0",
    "services.loadbalancers": "0",
    "count/configmaps": "200",
    "count/deployments.apps": "100",
    "count/statefulsets.apps": "50",
    "count/jobs.batch": "500",
    "count/cronjobs.batch": "50",
    "count/horizontalpodautoscalers.autoscaling": "100",
}
_READ = ["get", "list", "watch"]
_WORK = [*_READ, "create", "update", "patch", "delete", "deletecollection"]
# Not here, on purpose: pods/exec, pods/attach, pods/portforward and pods/ephemeralcontainers (ways into pods that others run in the namespace),
# serviceaccounts/token, endpoints and endpointslices (traffic to addresses of other tenants), replicasets for writing, everything of RBAC,
# quotas, limits and NetworkPolicies, and all Secrets but one.
_RULES: list[dict[str, Any]] = [
    {"apiGroups": [""], "resources": ["pods", "services", "configmaps", "persistentvolumeclaims"], "verbs": _WORK},
    {"apiGroups": [""], "resources": ["pods/log", "pods/status", "events", "endpoints"], "verbs": _READ},
    {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [SECRET_NAME], "verbs": ["get"]},
    {"apiGroups": ["apps"], "resources": ["deployments", "statefulsets", "deployments/scale", "statefulsets/scale"], "verbs": _WORK},
    {"apiGroups": ["apps"], "resources": ["replicasets", "controllerrevisions"], "verbs": _READ},
    {"apiGroups": ["batch"], "resources": ["jobs", "cronjobs"], "verbs": _WORK},
    {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": _WORK},
]
_DNS_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", re.ASCII)


@dataclass(frozen=True)
class Network:
    """Whom a tenant's pods may talk to besides one another. Names are names of Namespaces; an empty tuple opens nothing."""

    dns_namespace: str
    dns_labels: Mapping[str, str]
    platform_namespaces: tuple[str, ...]
    monitoring_namespaces: tuple[str, ...]
    egress: tuple[Mapping[str, Any], ...] = field(default=())

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Network:
        """Read the module's ``network``. Raises InvalidInput with every problem; a tenant's namespace among the platform's is one."""
        network = cls(
            dns_namespace=str(params["dns_namespace"]),
            dns_labels={str(key): str(value) for key, value in params["dns_labels"].items()},
            platform_namespaces=tuple(sorted(set(params["platform_namespaces"]))),
            monitoring_namespaces=tuple(sorted(set(params["monitoring_namespaces"]))),
            egress=tuple(params.get("egress") or ()),
        )
        problems = []
        for name in (network.dns_namespace, *network.platform_namespaces, *network.monitoring_namespaces):
            if not _DNS_LABEL.fullmatch(name):
                problems.append(f"{name!r} is no name of a Namespace")
            elif name.startswith("tenant-"):
                problems.append(f"{name} is a tenant's namespace: it would be opened to all tenants")
        problems += [f"egress to {rule['cidr']} has no ports, which would open all of them" for rule in network.egress if not rule["ports"]]
        if problems:
            raise InvalidInput("network", problems)
        return network


def labels(tenant: Tenant) -> dict[str, str]:
    """The labels of everything that is the tenant's."""
    return {LABEL_TENANT: tenant.id, LABEL_TIER: tenant.tier, LABEL_MANAGED_BY: MANAGED_BY}


def _object(resource: Resource, name: str, tenant: Tenant, **content: Any) -> Object:
    metadata = {"name": name, "namespace": tenant.namespace, "labels": labels(tenant)}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **content}


def declared(tenant: Tenant, limits: Mapping[str, Any], network: Network) -> list[tuple[Resource, Object]]:
    """All objects but the Secret. ``limits``: the tenant's ``quota`` and ``limit_range`` (see the tiers file).

    A suspended tenant keeps its namespace, its data and its Secret. It loses the RoleBinding (its tokens open nothing), every NetworkPolicy but
    the one that denies (pods that still run reach nobody), and may start no pod (quota 0). Its own objects are not touched, so that
    activating it again brings its controllers' pods back.
    """
    objects: list[tuple[Resource, Object]] = [(NAMESPACE, _namespace(tenant))]
    policies = network_policies(network)
    for name in ["default-deny"] if not tenant.active else policies:
        objects.append((NETWORK_POLICY, _object(NETWORK_POLICY, name, tenant, spec=policies[name])))
    config = {"tenant_id": tenant.id, "tenant_tier": tenant.tier, "tenant_name": tenant.name}
    objects.append((CONFIG_MAP, _object(CONFIG_MAP, CONFIG, tenant, data=config)))
    objects.append((SERVICE_ACCOUNT, _object(SERVICE_ACCOUNT, ACCOUNT, tenant, automountServiceAccountToken=False)))
    objects.append((LIMIT_RANGE, _object(LIMIT_RANGE, "tenant-limits", tenant, spec={"limits": [_limits(limits["limit_range"])]})))
    objects.append((RESOURCE_QUOTA, _object(RESOURCE_QUOTA, QUOTA, tenant, spec={"hard": quota(tenant, limits["quota"])})))
    objects.append((ROLE, _object(ROLE, ACCOUNT, tenant, rules=_RULES)))
    if tenant.active:
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT}
        subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": tenant.namespace}
        objects.append((ROLE_BINDING, _object(ROLE_BINDING, ACCOUNT, tenant, roleRef=reference, subjects=[subject])))
    return objects


def _namespace(tenant: Tenant) -> Object:
    metadata = {
        "name": tenant.namespace,
        "labels": {**labels(tenant), **RESTRICTED},
        "annotations": {ANNOTATION_HOME: tenant.region, "leanvibe.ai/state": tenant.state},
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def quota(tenant: Tenant, hard: Mapping[str, Any]) -> dict[str, str]:
    """What the namespace may hold at most. Raises InvalidInput naming a number that is no Kubernetes quantity."""
    limits = {**_UNSAID, **{str(key): str(value) for key, value in hard.items()}}
    if not tenant.active:
        limits["pods"] = "0"
    _check(tenant.tier, limits)
    return limits


def _limits(section: Mapping[str, Any]) -> Object:
    item: Object = {"type": "Container"}
    for field_name, key in (("default", "default"), ("defaultRequest", "default_request"), ("max", "max")):
        item[field_name] = {str(name): str(value) for name, value in section[key].items()}
        _check(f"limit_range.{key}", item[field_name])
    return item


def _check(where: str, values: Mapping[str, str]) -> None:
    problems = []
    for name, value in values.items():
        try:
            quantity(value)
        except ValueError as error:
            problems.append(f"{where}: {name}: {error}")
    if problems:
        raise InvalidInput("limits of Kubernetes", problems)


def network_policies(network: Network) -> dict[str, Object]:
    """NetworkPolicy specs by name. They add up: what none of them allows is denied, in both directions."""
    everyone: Object = {}
    both = ["Ingress", "Egress"]
    own = [{"podSelector": everyone}]
    policies: dict[str, Object] = {
        "default-deny": {"podSelector": everyone, "policyTypes": both},
        "allow-own-namespace": {"podSelector": everyone, "policyTypes": both, "ingress": [{"from": own}], "egress": [{"to": own}]},
        "allow-dns": {
            "podSelector": everyone,
            "policyTypes": ["Egress"],
            "egress": [
                {
                    "to": [{**_namespaces((network.dns_namespace,)), "podSelector": {"matchLabels": dict(network.dns_labels)}}],
                    "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
                }
            ],
        },
    }
    # An empty list of peers would mean everybody, so a policy without names is left out.
    if network.platform_namespaces:
        platform = [_namespaces(network.platform_namespaces)]
        policies["allow-platform"] = {"podSelector": everyone, "policyTypes": both, "ingress": [{"from": platform}], "egress": [{"to": platform}]}
    if network.monitoring_namespaces:
        monitoring = [_namespaces(network.monitoring_namespaces)]
        policies["allow-monitoring"] = {"podSelector": everyone, "policyTypes": ["Ingress"], "ingress": [{"from": monitoring}]}
    if network.egress:
        rules = [
            {
                "to": [{"ipBlock": {"cidr": str(rule["cidr"])}}],
                "ports": [{"protocol": str(port.get("protocol") or "TCP"), "port": int(port["port"])} for port in rule["ports"]],
            }
            for rule in network.egress
        ]
        policies["allow-external"] = {"podSelector": everyone, "policyTypes": ["Egress"], "egress": rules}
    return policies


def _namespaces(names: tuple[str, ...]) -> Object:
    return {"namespaceSelector": {"matchExpressions": [{"key": NAMESPACE_NAME_LABEL, "operator": "In", "values": list(names)}]}}


def secret(tenant: Tenant, credentials: TenantCredentials, endpoints: Mapping[str, Any]) -> Object:
    """The Secret of one region, values in clear text under ``stringData``: never to be shown."""
    body = _object(SECRET, SECRET_NAME, tenant, type="Opaque", stringData=secret_data(tenant, credentials, endpoints))
    body["metadata"]["annotations"] = {
        ANNOTATION_HOME: tenant.region,
        ANNOTATION_GENERATION: str(credentials.generation),
        ANNOTATION_STATE: credentials.state,
    }
    return body
