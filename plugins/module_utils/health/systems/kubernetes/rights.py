# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that the checks need, and no others, as objects of RBAC. Everything is reading; nothing of it shows a Secret but the role that says so."""

from __future__ import annotations

from typing import Any

from ....clients.kubernetes import Object, Resource
from .certificates import SECRETS_ROLE
from .cluster import READER

_GROUP = "rbac.authorization.k8s.io"
CLUSTER_ROLE = Resource("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDING = Resource("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False)
ROLE_BINDING = Resource("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")

_RULES: tuple[dict[str, Any], ...] = (
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["events", "nodes", "persistentvolumeclaims", "pods", "resourcequotas"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["services"], "verbs": ["get"]},
    {"apiGroups": ["admissionregistration.k8s.io"], "resources": ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"], "verbs": ["list"]},
    {"apiGroups": ["admissionregistration.k8s.io"], "resources": ["validatingadmissionpolicies", "validatingadmissionpolicybindings"], "verbs": ["list"]},
    {"apiGroups": ["apiregistration.k8s.io"], "resources": ["apiservices"], "verbs": ["list"]},
    {"apiGroups": ["apps"], "resources": ["daemonsets", "deployments", "statefulsets"], "verbs": ["list"]},
    {"apiGroups": ["batch"], "resources": ["cronjobs", "jobs"], "verbs": ["list"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["list"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]},
    {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": ["list"]},
    {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": ["list"]},
    {"nonResourceURLs": ["/metrics", "/readyz", "/version"], "verbs": ["get"]},
)
_SECRETS = ({"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]},)


def _role(name: str, rules: tuple[dict[str, Any], ...], note: str) -> Object:
    metadata = {"name": name, "labels": {"app.kubernetes.io/managed-by": "leanvibe.ops"}, "annotations": {"leanvibe.ai/note": note}}
    return {"apiVersion": CLUSTER_ROLE.api_version, "kind": CLUSTER_ROLE.kind, "metadata": metadata, "rules": list(rules)}


def reader() -> Object:
    """The ClusterRole that all checks but one can do with."""
    return _role(READER, _RULES, "what the health checks read; no Secrets")


def secrets_reader() -> Object:
    """The ClusterRole for kubernetes.certificate_secrets: whoever has it may read every Secret of the cluster, tenants' passwords included."""
    return _role(SECRETS_ROLE, _SECRETS, "reads every Secret of the cluster; the option tls_secrets does without")


def binding(name: str, kind: str = "User", namespace: str = "") -> Object:
    """Gives a user, a group or a service account (which has a ``namespace``) the reader's rights."""
    subject = {"kind": kind, "name": name, "namespace": namespace} if kind == "ServiceAccount" else {"apiGroup": _GROUP, "kind": kind, "name": name}
    return {
        "apiVersion": CLUSTER_ROLE_BINDING.api_version,
        "kind": CLUSTER_ROLE_BINDING.kind,
        "metadata": {"name": READER, "labels": {"app.kubernetes.io/managed-by": "leanvibe.ops"}},
        "roleRef": {"apiGroup": _GROUP, "kind": CLUSTER_ROLE.kind, "name": READER},
        "subjects": [subject],
    }
