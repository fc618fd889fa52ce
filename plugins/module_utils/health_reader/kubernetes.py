# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ClusterRole of the health checks, and who has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..clients.kubernetes import KubernetesClient, Object, Resource
from ..health.systems.kubernetes import rights
from ..health.systems.kubernetes.cluster import READER, SYSTEM
from .model import Change, Plan, nobody

FIELD_MANAGER = "leanvibe.ops"
_COMPARED = ("rules", "aggregationRule", "roleRef", "subjects")


@dataclass(frozen=True)
class Actual:
    """Role and binding as they are, and other bindings that name the subject as ``kind namespace/name -> role``."""

    role: Object | None
    binding: Object | None
    others: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """One object to write. ``replaces``: uid of the binding that stands in its place and whose role cannot be changed."""

    resource: Resource
    wanted: Object
    replaces: str = ""


def observe(client: KubernetesClient, subject: Mapping[str, Any]) -> Actual:
    """Four requests. Raises OpsError."""
    return Actual(
        client.get(rights.CLUSTER_ROLE, None, READER),
        client.get(rights.CLUSTER_ROLE_BINDING, None, READER),
        tuple(_others(client.list(rights.CLUSTER_ROLE_BINDING) + client.list(rights.ROLE_BINDING), subject)),
    )


def _others(bindings: Iterable[Object], subject: Mapping[str, Any]) -> Iterable[str]:
    key = _key(subject)
    for found in bindings:
        metadata = found["metadata"]
        if metadata["name"] != READER and any(_key(one) == key for one in found.get("subjects") or []):
            yield f"{metadata['namespace'] + '/' if metadata.get('namespace') else ''}{metadata['name']} ({found['roleRef']['name']})"


def _key(subject: Mapping[str, Any]) -> tuple[str, str, str]:
    kind = str(subject["kind"])
    return kind, str(subject["name"]), str(subject.get("namespace") or "") if kind == "ServiceAccount" else ""


def plan(subject: Mapping[str, Any], actual: Actual) -> Plan:
    """Compare. Pure."""
    name = str(subject["name"])
    if name.startswith("system:masters") or (subject["kind"] == "Group" and name in ("system:authenticated", "system:unauthenticated")):
        return Plan(
            name, verdict="refused", message=f"{name} is everybody, or may do everything: name an account of the health checks' own (health_reader_subject)"
        )
    wanted = rights.binding(name, str(subject["kind"]), str(subject.get("namespace") or ""))
    steps, changes = [], []
    for resource, there, body in ((rights.CLUSTER_ROLE, actual.role, rights.reader()), (rights.CLUSTER_ROLE_BINDING, actual.binding, wanted)):
        fields = [field for field in _COMPARED if _of(there, field) != _of(body, field)]
        if there is not None and not fields:
            continue
        replaces = str(there["metadata"]["uid"]) if there is not None and "roleRef" in fields else ""
        steps.append(Step(resource, body, replaces))
        before = {field: _of(there, field) for field in fields} if there is not None else None
        changes.append(
            Change(f"{resource.kind} {READER}", "update" if there is not None else "create", fields, before, {field: _of(body, field) for field in fields})
        )
    notes = [f"{name} has more than the health checks need, by {', '.join(actual.others)}: take these bindings away"] if actual.others else []
    return Plan(name, steps, changes, notes=notes)


def _of(body: Object | None, field: str) -> Any:
    """A field as it is compared: what the API fills in beside what was written does not count."""
    value = (body or {}).get(field)
    if field == "subjects":
        return sorted(list(_key(one)) for one in value or [])
    return value or None


def apply(steps: Sequence[Step], client: KubernetesClient) -> None:
    """Write: the role before who has it. Raises OpsError."""
    for step in steps:
        name = step.wanted["metadata"]["name"]
        if step.replaces:
            client.delete(step.resource, None, name, step.replaces)
        if step.wanted.get("rules"):
            # What an aggregation would write into the rules again is not ours.
            client.apply(step.resource, None, {**step.wanted, "aggregationRule": None})
        else:
            client.apply(step.resource, None, step.wanted)


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """One call of the module health_reader_kubernetes. Raises OpsError."""
    subject = params["subject"]
    if not subject:
        return nobody("health_reader_subject", "leanvibe_ops_kubernetes").to_exit(SYSTEM, params["region"])
    with KubernetesClient.connect(params["connection"], FIELD_MANAGER, params["timeout"], 2) as client:
        made = plan(subject, observe(client, subject))
        if not check_mode:
            apply(made.steps, client)
    return made.to_exit(SYSTEM, params["region"])
