# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants and tiers as every system sees them. Pure data: no I/O here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TIERS = ("developer", "team", "enterprise")
STATES = ("active", "suspended")
TENANT_ID = re.compile(r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", re.ASCII)

MANAGED_BY = "leanvibe.ops"
LABEL_TENANT = "leanvibe.ai/tenant-id"
LABEL_TIER = "leanvibe.ai/tier"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"


@dataclass(frozen=True)
class Tenant:
    """One declared tenant, validated. The names that it has in each system are fixed by the contract."""

    id: str
    name: str
    tier: str
    region: str
    state: str = "active"
    contacts: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """Kubernetes Namespace."""
        return f"tenant-{self.id}"

    @property
    def database_name(self) -> str:
        """PostgreSQL role and schema (they share the name)."""
        return "tenant_" + self.id.replace("-", "_")

    @property
    def redis_user(self) -> str:
        """Redis ACL user."""
        return f"tenant-{self.id}"

    @property
    def redis_prefix(self) -> str:
        """What every key and channel of the tenant starts with."""
        return f"tenant:{self.id}:"

    @property
    def bucket(self) -> str:
        """Object-store bucket."""
        return f"tenant-{self.id}"

    @property
    def active(self) -> bool:
        """False for a suspended tenant: its data stays, its access does not."""
        return self.state == "active"

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> Tenant:
        """Read what the validation returned. Raises ValueError on an id that the validation would have refused."""
        if not TENANT_ID.fullmatch(str(data["id"])):
            raise ValueError(f"tenant id {data['id']!r} is not valid")
        return cls(
            id=str(data["id"]),
            name=str(data["name"]),
            tier=str(data["tier"]),
            region=str(data["region"]),
            state=str(data.get("state") or "active"),
            contacts=dict(data.get("contacts") or {}),
            overrides=dict(data.get("overrides") or {}),
        )

    def to_mapping(self) -> dict[str, Any]:
        """The compact form that travels between tasks (empty parts are left out)."""
        data: dict[str, Any] = {"id": self.id, "name": self.name, "tier": self.tier, "region": self.region, "state": self.state}
        if self.contacts:
            data["contacts"] = dict(self.contacts)
        if self.overrides:
            data["overrides"] = dict(self.overrides)
        return data


@dataclass(frozen=True)
class Tier:
    """The limits of one tier as the tiers file gives them (roles/tiers/defaults/main.yml documents every key and unit)."""

    name: str
    data: Mapping[str, Any]

    def section(self, system: str) -> Mapping[str, Any]:
        """The limits for one system, e.g. ``section("postgresql")["connection_limit"]``. Raises KeyError if absent."""
        section: Mapping[str, Any] = self.data[system]
        return section


@dataclass(frozen=True)
class Change:
    """One difference that a run removes (or, in check mode, would remove). Values are redacted before they get here."""

    object: str
    action: str  # create | update | delete
    fields: Sequence[str] = ()
    before: Any = None
    after: Any = None

    def to_mapping(self) -> dict[str, Any]:
        """The form of results and reports."""
        return {"object": self.object, "action": self.action, "fields": list(self.fields)}


@dataclass
class TenantResult:
    """What one system did for one tenant."""

    tenant: str
    verdict: str  # succeeded | failed | refused | skipped
    changes: list[Change] = field(default_factory=list)
    message: str = ""

    def to_mapping(self) -> dict[str, Any]:
        """The form of module results: ``changed`` says whether anything was (in check mode: would be) written."""
        return {
            "tenant": self.tenant,
            "verdict": self.verdict,
            "changed": bool(self.changes),
            "changes": [change.to_mapping() for change in self.changes],
            "message": self.message,
        }


@dataclass
class SystemResult:
    """What one call on one system and region did; ``to_exit`` is what the module returns."""

    system: str
    region: str
    results: list[TenantResult]
    undeclared: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    observed: dict[str, Any] = field(default_factory=dict)  # tenant id -> small, secret-free observed state for the registry
    requests: int = 0
    platform: list[Change] = field(default_factory=list)  # changes that belong to no tenant (e.g. a constraint)

    def to_exit(self) -> dict[str, Any]:
        """Keyword arguments of exit_json, diff included. A failed tenant does not fail the module: the report decides."""
        touched = [result for result in self.results if result.changes]
        changes = [(f"{result.tenant}: {change.object}", change) for result in touched for change in result.changes]
        changes += [(change.object, change) for change in self.platform]
        return {
            "changed": bool(changes),
            "system": self.system,
            "region": self.region,
            "results": [result.to_mapping() for result in self.results],
            "undeclared": sorted(self.undeclared),
            "notes": self.notes,
            "observed": self.observed,
            "requests": self.requests,
            "platform": [change.to_mapping() for change in self.platform],
            "diff": {
                "before_header": f"{self.system} {self.region}",
                "after_header": f"{self.system} {self.region}",
                "before": {name: change.before for name, change in changes if change.before is not None},
                "after": {name: change.after for name, change in changes if change.after is not None},
            },
        }
