# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Admission policies, one set for a cluster, that hold tenants to what RBAC and NetworkPolicies cannot. Pure: no I/O here.

Whoever may create pods in a namespace can have them read every Secret and use every ServiceAccount there, whatever RBAC says about Secrets;
whoever may create Services can claim addresses of others (externalIPs) or let an ingress controller fetch from names of others (ExternalName).
The policies bind a tenant's own account only, in namespaces that carry our labels: what the platform runs there is not restricted by them.
They need Kubernetes 1.30 (ValidatingAdmissionPolicy).
"""

from __future__ import annotations

from typing import Any

from ...clients.kubernetes import Object, Resource
from ..credentials import SECRET_NAME
from ..model import LABEL_MANAGED_BY, LABEL_TENANT, MANAGED_BY
from .kubernetes_objects import ACCOUNT

POLICY = Resource("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False)
BINDING = Resource("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False)

_BY_TENANT = [{"name": "by-the-tenant", "expression": f"request.userInfo.username == 'system:serviceaccount:' + request.namespace + ':{ACCOUNT}'"}]
_CONTAINERS = "variables.containers"
# (rule, message): what must be true of the pod or pod template that a tenant writes.
_WORKLOAD_RULES = (
    (
        (
            "!has(variables.pod.volumes) || variables.pod.volumes.all(v,"
            f" (!has(v.secret) || v.secret.secretName == '{SECRET_NAME}') &&"
            f" (!has(v.projected) || !has(v.projected.sources) || v.projected.sources.all(s, !has(s.secret) || s.secret.name == '{SECRET_NAME}')) &&"
            " (!has(v.csi) || !has(v.csi.nodePublishSecretRef)))"
        ),
        f"a tenant's pods may mount no Secret but {SECRET_NAME}",
    ),
    (
        (
            f"{_CONTAINERS}.all(c, (!has(c.env) || c.env.all(e, !has(e.valueFrom) || !has(e.valueFrom.secretKeyRef) ||"
            f" e.valueFrom.secretKeyRef.name == '{SECRET_NAME}')) &&"
            f" (!has(c.envFrom) || c.envFrom.all(e, !has(e.secretRef) || e.secretRef.name == '{SECRET_NAME}')))"
        ),
        f"a tenant's pods may take their environment from no Secret but {SECRET_NAME}",
    ),
    (
        f"!has(variables.pod.serviceAccountName) || variables.pod.serviceAccountName in ['', 'default', '{ACCOUNT}']",
        f"a tenant's pods run as the ServiceAccount {ACCOUNT} or default",
    ),
    (
        "!has(variables.pod.priorityClassName) || !variables.pod.priorityClassName.startsWith('system-')",
        "the system's priority classes are not for tenants",
    ),
    (
        "!has(variables.pod.nodeName) || variables.pod.nodeName == '' || (request.resource.resource == 'pods' && request.operation == 'UPDATE')",
        "the scheduler chooses the node of a tenant's pods",
    ),
)
_OBJECT_RULES = (
    (
        "request.resource.resource != 'services' || request.operation == 'DELETE' || !has(object.spec.type) || object.spec.type == 'ClusterIP'",
        "a tenant's Services have type ClusterIP",
    ),
    (
        "request.resource.resource != 'services' || request.operation == 'DELETE' || !has(object.spec.externalIPs) || size(object.spec.externalIPs) == 0",
        "a tenant's Services have no externalIPs",
    ),
    (
        (
            f"oldObject == null || !has(oldObject.metadata.labels) || !('{LABEL_MANAGED_BY}' in oldObject.metadata.labels) ||"
            f" oldObject.metadata.labels['{LABEL_MANAGED_BY}'] != '{MANAGED_BY}'"
        ),
        f"what {MANAGED_BY} manages is not changed by tenants",
    ),
    (
        (
            f"request.operation == 'DELETE' || !has(object.metadata.labels) || !('{LABEL_MANAGED_BY}' in object.metadata.labels) ||"
            f" object.metadata.labels['{LABEL_MANAGED_BY}'] != '{MANAGED_BY}'"
        ),
        f"the label {LABEL_MANAGED_BY}={MANAGED_BY} is not for tenants",
    ),
)


def declared() -> list[tuple[Resource, Object]]:
    """The policies and their bindings, in the order in which they are written."""
    pod = (
        "request.resource.resource == 'pods' ? object.spec :"
        " (request.resource.resource == 'cronjobs' ? object.spec.jobTemplate.spec.template.spec : object.spec.template.spec)"
    )
    containers = "variables.pod.containers + (has(variables.pod.initContainers) ? variables.pod.initContainers : [])"
    workloads = _policy(
        "leanvibe-tenant-workloads",
        [
            _match("", ["pods"], ["CREATE", "UPDATE"]),
            _match("apps", ["deployments", "statefulsets", "daemonsets", "replicasets"], ["CREATE", "UPDATE"]),
            _match("batch", ["jobs", "cronjobs"], ["CREATE", "UPDATE"]),
        ],
        _WORKLOAD_RULES,
        [{"name": "pod", "expression": pod}, {"name": "containers", "expression": containers}],
    )
    objects = _policy("leanvibe-tenant-objects", [_match("", ["services", "configmaps"], ["CREATE", "UPDATE", "DELETE"])], _OBJECT_RULES, [])
    return [item for policy in (workloads, objects) for item in ((POLICY, policy), (BINDING, _binding(policy["metadata"]["name"])))]


def _match(group: str, resources: list[str], operations: list[str]) -> Object:
    return {"apiGroups": [group], "apiVersions": ["*"], "resources": resources, "operations": operations, "scope": "Namespaced"}


def _policy(name: str, rules: list[Object], validations: tuple[tuple[str, str], ...], variables: list[Object]) -> Object:
    ours = {"matchLabels": {LABEL_MANAGED_BY: MANAGED_BY}, "matchExpressions": [{"key": LABEL_TENANT, "operator": "Exists"}]}
    spec: dict[str, Any] = {
        "failurePolicy": "Fail",
        "matchConstraints": {"matchPolicy": "Equivalent", "namespaceSelector": ours, "objectSelector": {}, "resourceRules": rules},
        "matchConditions": _BY_TENANT,
        "validations": [{"expression": expression, "message": message, "reason": "Forbidden"} for expression, message in validations],
    }
    if variables:
        spec["variables"] = variables
    return _object(POLICY, name, spec)


def _binding(name: str) -> Object:
    return _object(BINDING, name, {"policyName": name, "validationActions": ["Deny"]})


def _object(resource: Resource, name: str, spec: Object) -> Object:
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name, "labels": {LABEL_MANAGED_BY: MANAGED_BY}}, "spec": spec}
