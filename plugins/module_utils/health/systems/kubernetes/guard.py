# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The admission policies that hold tenants to what RBAC cannot: are they there, and as the tenants operation writes them?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ....clients.kubernetes import NotServedError, Object
from ....reports.model import CRITICAL
from ....tenants.systems.kubernetes_guard import BINDING, POLICY, declared
from ...model import Finding, NotApplicable
from ..folding import told
from .cluster import Run, check, listed, spaces


def _spec(item: Object) -> tuple[str, Object]:
    return str(item["metadata"]["name"]), item.get("spec") or {}


def _difference(wanted: Any, actual: Any, where: str) -> str:
    """The first place where ``actual`` is not what is wanted, "" if there is none; the API's defaults beside it do not count."""
    if isinstance(wanted, Mapping):
        if not isinstance(actual, Mapping):
            return where if wanted else ""
        return next(filter(None, (_difference(value, actual.get(key), f"{where}.{key}") for key, value in wanted.items())), "")
    if isinstance(wanted, list):
        if not isinstance(actual, list) or len(actual) != len(wanted):
            return where
        return next(filter(None, (_difference(one, other, f"{where}[{at}]") for at, (one, other) in enumerate(zip(wanted, actual, strict=True)))), "")
    return "" if wanted == actual else where


# Fields that are not ours and, if somebody sets them, let things past.
_NARROWING = {POLICY.kind: ("paramKind",), BINDING.kind: ("matchResources", "paramRef")}


def _in_force(session: Run) -> Iterable[Finding]:
    tenants = sorted(space.tenant for space in spaces(session).values() if space.tenant)
    if not tenants:
        raise NotApplicable("no tenants in this cluster: the policies are written with the first")
    try:
        actual = {resource.kind: dict(listed(session, resource, _spec)) for resource in (POLICY, BINDING)}
    except NotServedError:
        message = "the cluster is older than Kubernetes 1.30 and has no such policies: tenants are held by RBAC alone (docs/tenants/kubernetes.md)"
        return [Finding(verdict="degraded", tenants=tenants, message=message)]
    found = []
    everything = declared()
    for resource, item in everything:
        name = item["metadata"]["name"]
        spec = actual[resource.kind].get(name)
        if spec is None:
            problem = "does not exist"
        else:
            different = _difference(item["spec"], spec, "spec")
            narrowed = [field for field in _NARROWING[resource.kind] if spec.get(field)]
            problem = f"differs in {different}" if different else (f"is narrowed by {', '.join(narrowed)}" if narrowed else "")
        if problem:
            message = f"{resource.kind} {name} {problem}: what it forbids tenants is not forbidden; run playbooks/tenants.yml"
            found.append(Finding(verdict=CRITICAL, name=f"{resource.kind}/{name}", tenants=tenants, message=message))
    return told(session, found, len(everything), "policies and bindings")


CHECKS = (
    check(
        "tenant_guard",
        "Are the policies in force that hold tenants to their own?",
        _in_force,
        "kubectl get validatingadmissionpolicies,validatingadmissionpolicybindings -o yaml",
        "list validatingadmissionpolicies and validatingadmissionpolicybindings (admissionregistration.k8s.io), and list namespaces",
    ),
)
