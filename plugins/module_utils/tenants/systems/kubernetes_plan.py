# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is planned for tenants in one cluster, and how it is carried out. Nothing here decides what a tenant should have."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ...clients.kubernetes import KubernetesClient, Object, Resource
from ...common.concurrency import each
from ...common.errors import OpsError, Unreachable
from ...common.leases import AnyLease
from ..model import Change, SystemResult, Tenant, TenantResult
from .kubernetes_fields import Difference

_GIVE_UP = 3  # tenants in a row that the API did not answer for: the rest is not tried

Write = Callable[[KubernetesClient], None]


@dataclass(frozen=True)
class Step:
    """One write and what it is reported as."""

    change: Change
    write: Write = field(repr=False)


@dataclass
class TenantPlan:
    """What is to be done for one tenant. ``verdict`` other than succeeded is said even if all steps work; a refused tenant has no steps."""

    tenant: Tenant
    steps: list[Step] = field(default_factory=list)
    verdict: Literal["succeeded", "failed", "refused", "skipped"] = "succeeded"
    message: str = ""
    observed: dict[str, Any] = field(default_factory=dict)


@dataclass
class Plan:
    """What is to be done in one cluster; ``platform`` comes first and belongs to no tenant."""

    region: str
    tenants: list[TenantPlan]
    platform: list[Step] = field(default_factory=list)
    undeclared: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        """Whether all is as it should be."""
        return not self.platform and all(item.verdict == "succeeded" and not item.steps for item in self.tenants)


def title(resource: Resource, body: Object) -> str:
    """How an object is called in results: ``Role tenant-acme/tenant``."""
    metadata = body["metadata"]
    return f"{resource.kind} {metadata['namespace']}/{metadata['name']}" if resource.namespaced else f"{resource.kind} {metadata['name']}"


def create(resource: Resource, body: Object) -> Step:
    """Apply an object that is not there."""
    shown = {key: value for key, value in body.items() if key not in ("apiVersion", "kind")}
    return Step(Change(title(resource, body), "create", after=shown), _apply(resource, body))


def update(resource: Resource, body: Object, found: Sequence[Difference]) -> Step:
    """Apply an object that differs."""
    names = [difference.text() for difference in found]
    before = {name: difference.before for name, difference in zip(names, found, strict=True)}
    after = {name: difference.after for name, difference in zip(names, found, strict=True)}
    return Step(Change(title(resource, body), "update", names, before, after), _apply(resource, body))


def replace(resource: Resource, body: Object, live: Object, found: Sequence[Difference]) -> Step:
    """Delete and apply an object whose difference lies in a field that cannot be changed."""
    step = update(resource, body, found)
    drop, put = _delete(resource, live), step.write

    def write(client: KubernetesClient) -> None:
        drop(client)
        put(client)

    return Step(step.change, write)


def delete(resource: Resource, live: Object) -> Step:
    """Delete the very object that was read."""
    return Step(Change(title(resource, live), "delete", before=title(resource, live)), _delete(resource, live))


def _apply(resource: Resource, body: Object) -> Write:
    return lambda client: _done(client.apply(resource, body["metadata"].get("namespace"), body))


def _delete(resource: Resource, live: Object) -> Write:
    metadata = live["metadata"]
    return lambda client: client.delete(resource, metadata.get("namespace"), metadata["name"], metadata["uid"])


def _done(_answer: Object) -> None:
    return None


def result(plan: Plan, requests: int) -> SystemResult:
    """What a plan comes to if all of it works: the result of a check."""
    return SystemResult(
        system="kubernetes",
        region=plan.region,
        results=[TenantResult(item.tenant.id, item.verdict, [step.change for step in item.steps], item.message) for item in plan.tenants],
        undeclared=plan.undeclared,
        notes=plan.notes,
        observed={item.tenant.id: item.observed for item in plan.tenants if item.observed},
        requests=requests,
        platform=[step.change for step in plan.platform],
    )


def apply(plan: Plan, client: KubernetesClient, lease: AnyLease, concurrency: int) -> SystemResult:
    """Carry a plan out, ``concurrency`` tenants at a time, each tenant's writes one after the other.

    A failure ends that tenant's writes and is its result; what is missing is done by the next run. If the API stops answering, the rest is
    not tried. Raises OpsError if a write that belongs to no tenant fails: then nothing was done for any.
    """
    for step in plan.platform:
        lease.check()
        step.write(client)
    outcome = result(plan, client.requests)
    by_tenant = {item.tenant: item for item in outcome.results}
    silence = _Silence()

    def work(item: TenantPlan) -> None:
        done: list[Change] = []
        try:
            silence.check()
            for change in _write(item.steps, client, lease):
                done.append(change)
            silence.heard()
        except OpsError as error:
            if isinstance(error, Unreachable):
                silence.unheard(error)
            report = by_tenant[item.tenant.id]
            report.verdict, report.changes = "failed", done
            outcome.observed.pop(item.tenant.id, None)
            report.message = "; ".join(text for text in (item.message, error.message) if text)

    for done in each([item for item in plan.tenants if item.steps], work, concurrency):
        if done.error is not None:
            raise done.error
    outcome.requests = client.requests
    return outcome


def _write(steps: Sequence[Step], client: KubernetesClient, lease: AnyLease) -> Iterator[Change]:
    for step in steps:
        lease.check()
        step.write(client)
        yield step.change


class _Silence:
    """Counts tenants in a row for which the API did not answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._row = 0
        self._last = ""

    def check(self) -> None:
        with self._lock:
            if self._row >= _GIVE_UP:
                raise OpsError(f"not tried, because the API had stopped answering: {self._last}")

    def heard(self) -> None:
        with self._lock:
            self._row = 0

    def unheard(self, error: Unreachable) -> None:
        with self._lock:
            self._row += 1
            self._last = error.message
