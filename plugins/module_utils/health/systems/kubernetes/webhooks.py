# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Admission webhooks that point at nothing: with failurePolicy Fail they refuse everything that they are asked about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from ....clients.kubernetes import Object, Resource
from ....reports.model import CRITICAL, DEGRADED
from ...model import Finding
from ..folding import told
from .cluster import Run, check, listed

KINDS = (
    Resource("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", namespaced=False),
    Resource("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", namespaced=False),
)
SERVICES = Resource("v1", "Service", "services")
SLICES = Resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")


@dataclass(frozen=True)
class Hook:
    """One webhook. ``service`` is namespace and name, None if it is called by URL."""

    name: str
    fails: bool
    service: tuple[str, str] | None


def _hooks(kind: str, item: Object) -> list[Hook]:
    made = []
    for hook in item.get("webhooks") or []:
        service = (hook.get("clientConfig") or {}).get("service")
        where = (str(service["namespace"]), str(service["name"])) if service else None
        made.append(Hook(f"{kind}/{item['metadata']['name']}/{hook['name']}", hook.get("failurePolicy", "Fail") == "Fail", where))
    return made


def _unserved(session: Run, where: tuple[str, str]) -> str:
    """Why nobody answers at a Service, "" if somebody does. Two requests for each Service that webhooks name, whatever the number of tenants."""
    namespace, name = where
    api = session.client.api
    service = api.get(SERVICES, namespace, name)
    if service is None:
        return f"Service {namespace}/{name} does not exist"
    if (service.get("spec") or {}).get("type") == "ExternalName":
        return ""
    slices = api.list(SLICES, label_selector=f"kubernetes.io/service-name={name}", namespace=namespace)
    ready = any(
        (endpoint.get("conditions") or {}).get("ready") is not False and endpoint.get("addresses") for one in slices for endpoint in one.get("endpoints") or []
    )
    return "" if ready else f"Service {namespace}/{name} has no endpoint that is ready"


def _nowhere(session: Run) -> Iterable[Finding]:
    configurations = [hook for kind in KINDS for group in listed(session, kind, partial(_hooks, kind.kind)) for hook in group]
    problems = {where: _unserved(session, where) for where in sorted({hook.service for hook in configurations if hook.service})}
    found = []
    for hook in configurations:
        problem = problems[hook.service] if hook.service else ""
        if problem:
            what = "everything that it is asked about is refused" if hook.fails else "what it should look at passes unseen"
            found.append(Finding(verdict=CRITICAL if hook.fails else DEGRADED, name=hook.name, message=f"{problem}: {what}"))
    return told(session, found, len(configurations), "webhooks", none_is_fine="no admission webhooks in the cluster")


CHECKS = (
    check(
        "webhooks",
        "Does somebody answer for every admission webhook?",
        _nowhere,
        "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml; kubectl get endpointslices -n NAMESPACE",
        "list validatingwebhookconfigurations and mutatingwebhookconfigurations (admissionregistration.k8s.io), get services,"
        " list endpointslices (discovery.k8s.io)",
    ),
)
