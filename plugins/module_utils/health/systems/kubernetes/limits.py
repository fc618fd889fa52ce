# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas near their limit, and disruption budgets that block every drain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ....clients.kubernetes import Object, Resource
from ....reports.model import DEGRADED
from ....tenants.systems.kubernetes_fields import quantity
from ...model import Finding, NoData, Threshold
from ..folding import told
from .cluster import Run, check, listed, space_of

QUOTAS = Resource("v1", "ResourceQuota", "resourcequotas")
BUDGETS = Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")


@dataclass(frozen=True)
class Quota:
    """A quota. ``used`` is in percent by resource, without those of which nothing is allowed and nothing used."""

    namespace: str
    name: str
    used: Mapping[str, float]
    shown: Mapping[str, str]
    counted: bool


def _quota(item: Object) -> Quota:
    metadata, status = item["metadata"], item.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    shares: dict[str, float] = {}
    shown: dict[str, str] = {}
    for resource, limit in hard.items():
        taken, allowed = quantity(used.get(resource) or "0"), quantity(limit)
        if allowed > 0 or taken > 0:
            shares[resource] = round(float(100 * taken / allowed), 1) if allowed > 0 else 200.0
            shown[resource] = f"{used.get(resource)} of {limit}"
    return Quota(str(metadata["namespace"]), str(metadata["name"]), shares, shown, bool(hard))


def _quotas(session: Run) -> Iterable[Finding]:
    everything = listed(session, QUOTAS, _quota)
    uncounted = [f"{one.namespace}/{one.name}" for one in everything if not one.counted]
    if everything and len(uncounted) == len(everything):
        raise NoData(f"none of the {len(everything)} quotas has been counted yet: is the controller manager at work?")
    found = []
    for one in everything:
        space = space_of(session, one.namespace)
        if not one.used or space.quiet:
            continue
        fullest = sorted(one.used, key=lambda resource: (-one.used[resource], resource))
        told_of = ", ".join(f"{resource} {one.shown[resource]} ({one.used[resource]:g} %)" for resource in fullest[:3])
        name = f"{one.namespace}/{one.name}"
        found.append(Finding(observed=one.used[fullest[0]], capacity=100, variant=space.variant, name=name, tenants=space.tenants, message=told_of))
    return told(session, found, len(everything), "quotas", none_is_fine="no quotas in the cluster")


def _budget(item: Object) -> tuple[str, str, bool, str]:
    """Namespace, name, whether it blocks although everything is well, and what it says."""
    metadata, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    expected, healthy = int(status.get("expectedPods") or 0), int(status.get("currentHealthy") or 0)
    current = int(status.get("observedGeneration") or 0) >= int(metadata.get("generation") or 0)
    blocks = current and expected > 0 and healthy >= expected and int(status.get("disruptionsAllowed") or 0) == 0
    rule = ", ".join(f"{key} {spec[key]}" for key in ("minAvailable", "maxUnavailable") if spec.get(key) is not None)
    return str(metadata["namespace"]), str(metadata["name"]), blocks, f"{rule} with {expected} pods, all of them healthy"


def _budgets(session: Run) -> Iterable[Finding]:
    """Only those that allow nothing while all pods are well: with pods missing, blocking is what a budget is for."""
    everything = listed(session, BUDGETS, _budget)
    found = []
    for namespace, name, blocks, rule in everything:
        space = space_of(session, namespace)
        if blocks and not space.quiet:
            message = f"no pod may ever be evicted ({rule}): every drain of a node waits for ever"
            found.append(Finding(verdict=DEGRADED, observed=0, name=f"{namespace}/{name}", tenants=space.tenants, message=message))
    return told(session, found, len(everything), "disruption budgets", none_is_fine="no disruption budgets")


CHECKS = (
    check(
        "quotas",
        "Which quotas are nearly used up?",
        _quotas,
        "kubectl get resourcequota -A -o custom-columns=NS:.metadata.namespace,HARD:.status.hard,USED:.status.used",
        "list resourcequotas, and list namespaces",
        threshold=Threshold(degraded=80, critical=100, unit="%", source="ours, for the platform's own namespaces: at 100 % nothing more starts there"),
        variants={
            "tenant": Threshold(degraded=90, unit="%", source="kubernetes-mixin: KubeQuotaAlmostFull from 90 %; a tenant at its limit has what it pays for")
        },
    ),
    check(
        "disruption_budgets",
        "Do disruption budgets block every drain?",
        _budgets,
        "kubectl get pdb -A",
        "list poddisruptionbudgets (policy), and list namespaces",
    ),
)
