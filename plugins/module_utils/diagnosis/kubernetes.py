# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis looks at in Kubernetes, beyond the checks of every day: what tenants have reserved of what all have, and of their own quota."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..clients.kubernetes import Object
from ..health.model import DIAGNOSE, Check, Finding, NotApplicable, Session
from ..health.systems.kubernetes.cluster import READER, SYSTEM, Cluster, Run, space_of
from ..health.systems.kubernetes.limits import QUOTAS
from ..reports.model import OK
from ..tenants.systems.kubernetes_fields import quantity
from .shares import HALF, selected, shares

# Processors; below that nobody's share matters.
JUDGED_CPU = 8.0
_RESOURCE = "requests.cpu"


@dataclass(frozen=True)
class Use:
    """What is used and allowed of a resource, as numbers and as the cluster writes it."""

    used: float
    allowed: float
    words: str


def _used(item: Object) -> tuple[str, dict[str, Use]]:
    """Namespace, and what is used of each resource."""
    status = item.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    taken = {name: used.get(name) or "0" for name in hard}
    uses = {name: Use(float(quantity(taken[name])), float(quantity(limit)), f"{taken[name]} of {limit}") for name, limit in hard.items()}
    return str(item["metadata"]["namespace"]), uses


def quotas(session: Run) -> dict[str, dict[str, Use]]:
    """Tenant -> resource -> what is used of it; one list of the cluster's quotas."""

    def read(cluster: Cluster) -> dict[str, dict[str, Use]]:
        found: dict[str, dict[str, Use]] = {}
        for namespace, resources in cluster.api.listed(QUOTAS, _used):
            for tenant in space_of(session, namespace).tenants:
                found.setdefault(tenant, {}).update(resources)
        return found

    return session.once("tenants' quotas", read)


def _share(session: Run) -> list[Finding]:
    every = {tenant: resources.get(_RESOURCE) for tenant, resources in quotas(session).items()}
    if not any(every.values()):
        raise NotApplicable(f"no tenant has a quota of {_RESOURCE} here, which is where the cluster says how much is reserved")
    taken = {tenant: use.used for tenant, use in every.items() if use is not None and use.used > 0}
    return shares(
        taken,
        sum(taken.values()),
        tenant=selected(session),
        judged_from=JUDGED_CPU,
        words=lambda value: f"{value:g} processors",
        what="reserved by all tenants",
    )


def _own(session: Run) -> Iterator[Finding]:
    """How much of its quota a tenant uses; kubernetes.quotas judges it."""
    tenant = selected(session)
    found = {tenant: quotas(session).get(tenant, {})} if tenant else quotas(session)
    every = [(100 * use.used / use.allowed, one, name, use) for one, resources in found.items() for name, use in resources.items() if use.allowed > 0]
    fullest = sorted(every, key=lambda four: (-four[0], four[1], four[2]))
    for share, one, name, use in fullest[: 20 if tenant else 5]:
        message = f"{one}: {use.words} {name}"
        yield Finding(observed=round(share, 1), unit="%", verdict=OK, name=f"tenant/{one}/{name}", tenants=(one,), message=message)
    if not fullest:
        raise NotApplicable(f"{tenant} has no quota here" if tenant else "no tenant has a quota here")


def _check(name: str, question: str, run: Callable[[Session[Cluster]], object], **more: object) -> Check[Cluster]:
    return Check(
        id=f"{SYSTEM}.{name}",
        question=question,
        system=SYSTEM,
        run=run,  # type: ignore[arg-type]
        query="kubectl get resourcequota -A -o custom-columns=NS:.metadata.namespace,HARD:.status.hard,USED:.status.used",
        runbook=f"diagnose.md#{name}",
        profiles=(DIAGNOSE,),
        timeout=10.0,
        grants=(f"list resourcequotas, and list namespaces (ClusterRole {READER})",),
        **more,  # type: ignore[arg-type]
    )


IN_DEPTH: tuple[Check[Cluster], ...] = (
    _check("tenant_share", "Which share of what is reserved is tenants'?", _share, threshold=HALF),
    _check("tenant_quota", "How much of their own quotas do tenants use?", _own),
)
