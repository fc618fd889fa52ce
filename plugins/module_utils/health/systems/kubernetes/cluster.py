# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of a cluster look with: the client, what the cluster says of itself, its clock, and lists that several checks need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from ....clients.kubernetes import KubernetesClient, Object, Resource
from ....tenants.model import LABEL_MANAGED_BY, LABEL_TENANT, MANAGED_BY
from ...model import Check, NoData, Session, Threshold

SYSTEM = "kubernetes"
LONG = 10.0  # seconds for a list that grows with what runs in the cluster
READER = "leanvibe-health-reader"  # the ClusterRole in rights.py
Row = TypeVar("Row")

NAMESPACES = Resource("v1", "Namespace", "namespaces", namespaced=False)
NODES = Resource("v1", "Node", "nodes", namespaced=False)
PODS = Resource("v1", "Pod", "pods")


@dataclass(frozen=True)
class Space:
    """A namespace. ``tenant`` is the id of the tenant that it is, "" if it is none; ``problems`` are the conditions that keep it from going."""

    name: str
    tenant: str = ""
    suspended: bool = False
    leaving_since: datetime | None = None
    problems: tuple[str, ...] = ()

    @property
    def tenants(self) -> tuple[str, ...]:
        """Who is touched by what happens in it."""
        return (self.tenant,) if self.tenant else ()

    @property
    def quiet(self) -> bool:
        """Nothing has to run in it: a suspended tenant, or it is going."""
        return self.suspended or self.leaving_since is not None

    @property
    def variant(self) -> str:
        """Which thresholds count for what is in it."""
        return "tenant" if self.tenant else ""


@dataclass(frozen=True)
class Cluster:
    """One API server. ``version`` is (major, minor), ``now`` its own clock (ages are told by the clock that wrote the times)."""

    api: KubernetesClient
    version: tuple[int, int]
    release: str
    now: datetime

    def minutes(self, since: datetime | None) -> float | None:
        """Age in minutes, never below 0; None if the time is not known."""
        return None if since is None else round(max(0.0, (self.now - since).total_seconds() / 60), 1)


Run = Session[Cluster]


def stamp(text: Any) -> datetime | None:
    """A time of the API (RFC 3339). Raises NoData if it is something else."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00")).astimezone(UTC)
    except ValueError as error:
        raise NoData(f"the API gave {text!r} where a time was expected") from error


def written(item: Object) -> datetime | None:
    """When somebody last changed what the object is to be (not its status)."""
    times = [stamp(entry.get("time")) for entry in item["metadata"].get("managedFields") or [] if entry.get("subresource") != "status"]
    return max((time for time in times if time is not None), default=stamp(item["metadata"].get("creationTimestamp")))


def conditions(status: Mapping[str, Any]) -> dict[str, Object]:
    """An object's conditions by their type."""
    return {str(condition["type"]): condition for condition in status.get("conditions") or []}


def listed(session: Run, resource: Resource, shape: Callable[[Object], Row], field_selector: str = "", namespace: str | None = None) -> list[Row]:
    """All objects of a kind in the cluster (or a namespace), in pages, once in a run; ``shape`` keeps what is needed."""
    name = f"{resource.api_version}/{resource.plural}/{namespace or ''}?{field_selector}"
    return session.once(name, lambda cluster: cluster.api.listed(resource, shape, field_selector=field_selector, namespace=namespace))


def _space(item: Object) -> Space:
    metadata, labels = item["metadata"], item["metadata"].get("labels") or {}
    problems = [
        f"{condition['type']}: {condition.get('message', '')}" for condition in item.get("status", {}).get("conditions") or [] if condition["status"] == "True"
    ]
    return Space(
        str(metadata["name"]),
        str(labels.get(LABEL_TENANT) or "") if labels.get(LABEL_MANAGED_BY) == MANAGED_BY else "",
        (metadata.get("annotations") or {}).get("leanvibe.ai/state") == "suspended",
        stamp(metadata.get("deletionTimestamp")),
        tuple(problems),
    )


def spaces(session: Run) -> dict[str, Space]:
    """All namespaces by name. Raises NoData if there are none, which cannot be."""

    def read(cluster: Cluster) -> dict[str, Space]:
        found = {space.name: space for space in cluster.api.listed(NAMESPACES, _space)}
        if not found:
            raise NoData("the API gave an empty list of namespaces, and kube-system at least is in every cluster")
        return found

    return session.once("spaces", read)


def space_of(session: Run, namespace: str) -> Space:
    """The namespace of that name; one that came after the list was read is nobody's."""
    return spaces(session).get(namespace) or Space(namespace)


def option(session: Run, name: str, default: float) -> float:
    """A number that the inventory may set for this endpoint's checks. Raises ValueError naming the option."""
    value = session.options.get(name, default)
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the option {name} of the health checks must be a number, not {value!r}") from error


def check(
    name: str, question: str, run: Callable[[Run], Any], query: str, rights: str, *, anchor: str = "", threshold: Threshold | None = None, **more: Any
) -> Check[Cluster]:
    """A check of this system. ``rights``: what it needs, in RBAC's words, all of it in the ClusterRole READER; "" for nothing but being known."""
    grants = (f"{rights} (ClusterRole {READER})",) if rights else ()
    return Check(
        id=f"{SYSTEM}.{name}",
        question=question,
        system=SYSTEM,
        run=run,
        query=query,
        runbook=f"runbooks/{SYSTEM}.md#{anchor or name}",
        threshold=threshold,
        grants=more.pop("grants", grants),
        **more,
    )
