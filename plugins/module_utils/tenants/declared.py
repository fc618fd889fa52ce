# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared tenants, checked as a whole before anything is touched: every problem of every tenant at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..common.errors import InvalidInput
from .model import STATES, Tenant
from .names import collisions, contact_problems, id_problems, shown, text_problems
from .overrides import override_problems
from .selection import select

KEYS = ("id", "name", "tier", "region", "contacts", "state", "overrides")


@dataclass(frozen=True)
class Declaration:
    """``selected`` is what this run is about; ``ids`` are all declared ones."""

    ids: tuple[str, ...]
    selected: tuple[Tenant, ...]

    def to_exit(self) -> dict[str, Any]:
        """What the module returns."""
        return {
            "changed": False,
            "declared_ids": list(self.ids),
            "selected_ids": [tenant.id for tenant in self.selected],
            "tenants": [tenant.to_mapping() for tenant in self.selected],
        }


def _one_of(what: str, value: Any, choices: Collection[str]) -> list[str]:
    if isinstance(value, str) and value in choices:
        return []
    if value is None:
        return [f"{what} is missing ({', '.join(sorted(choices))})"]
    return [f"{what} is {shown(value)}, not one of {', '.join(sorted(choices))}"]


def problems_of(tenant: Any, tiers: Mapping[str, Any], regions: Collection[str]) -> list[str]:
    """What is wrong with one declared tenant, apart from its relation to the others."""
    if not isinstance(tenant, Mapping):
        return [f"is {shown(tenant)}, not a mapping of {', '.join(KEYS)}"]
    problems = [f"key {shown(key)} is not known ({', '.join(KEYS)} are)" for key in tenant if key not in KEYS]
    problems += id_problems(tenant.get("id"))
    problems += text_problems("name", tenant.get("name"))
    problems += _one_of("tier", tenant.get("tier"), list(tiers))
    problems += _one_of("region", tenant.get("region"), regions)
    problems += _one_of("state", tenant.get("state", "active"), STATES)
    problems += contact_problems(tenant.get("contacts"))
    tier = tenant.get("tier")
    problems += override_problems(tenant.get("overrides"), tiers.get(tier, {}) if isinstance(tier, str) else {}, tenant.get("region"), regions)
    return problems


def _label(tenant: Any, position: int) -> str:
    tenant_id = tenant.get("id") if isinstance(tenant, Mapping) else None
    return f"tenant {tenant_id}" if isinstance(tenant_id, str) and not id_problems(tenant_id) else f"tenant number {position} (id {shown(tenant_id)})"


def declare(tenants: Any, selection: Any, tiers: Mapping[str, Any], regions: Collection[str]) -> Declaration:
    """Check the declared list and choose from it. Raises InvalidInput with all problems of all tenants and of the selection.

    ``tenants`` is what the inventory holds, of any type; ``regions`` are the names of the platform's regions.
    """
    if not isinstance(tenants, list):
        raise InvalidInput("tenants", [f"tenants is {shown(tenants)}, not a list"])
    problems = [f"{_label(tenant, position)}: {problem}" for position, tenant in enumerate(tenants, 1) for problem in problems_of(tenant, tiers, regions)]
    ids = [tenant.get("id") for tenant in tenants if isinstance(tenant, Mapping)]
    problems += collisions(ids)
    chosen, selection_problems = select([tenant for tenant in tenants if isinstance(tenant, Mapping)], selection, tiers, regions)
    problems += selection_problems
    if problems:
        raise InvalidInput("tenants", problems)
    return Declaration(tuple(map(str, ids)), tuple(Tenant.from_mapping(tenant) for tenant in tenants if tenant["id"] in chosen))
