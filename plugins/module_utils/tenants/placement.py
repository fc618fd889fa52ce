# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a tenant must exist: a table, system x region, narrowed by the tenant's own data residency. Pure.

Data residency is obeyed in two ways: nothing of the tenant is put into a region that it forbids, and a tenant whose data a system would copy into such
a region by itself (a standby, a replica) is refused, because no account or schema that we leave out there would keep the data away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..common.errors import InvalidInput
from .model import Tenant
from .overrides import residency

ALL, HOME, REPLICA, ABSENT = "all", "home", "replica", "absent"
WORDS = (ALL, HOME, REPLICA, ABSENT)

Placement = Mapping[str, Mapping[str, str]]
Replication = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class Placed:
    """``lists`` is region -> "all" or "home" -> tenants; ``kept_out`` is region -> ids whose residency forbids it; ``refused`` is id -> reason."""

    lists: Mapping[str, Mapping[str, Sequence[Tenant]]]
    kept_out: Mapping[str, Sequence[str]]
    refused: Mapping[str, str]


def check_table(placement: Placement, replication: Replication, regions: Sequence[str]) -> None:
    """Raises InvalidInput with everything that is wrong with the tables."""
    problems = []
    for system, row in placement.items():
        where = f"leanvibe_ops_placement: {system}"
        problems += [f"{where} says nothing about {region}; write absent if it is not there" for region in regions if region not in row]
        problems += [f"{where} names {region}, which is not a region" for region in row if region not in regions]
        problems += [f"{where} in {region} is {word!r}, not one of {', '.join(WORDS)}" for region, word in row.items() if word not in WORDS]
    for system, links in replication.items():
        named = {*links, *(target for targets in links.values() for target in targets)}
        problems += [f"leanvibe_ops_replication: {system} names {region}, which is not a region" for region in sorted(named) if region not in regions]
    if problems:
        raise InvalidInput("placement", problems)


def _copied(tenant: Tenant, allowed: frozenset[str], placement: Placement, replication: Replication) -> list[str]:
    reasons = []
    for system, links in replication.items():
        for source, targets in links.items():
            word = placement.get(system, {}).get(source, ABSENT)
            lives_here = source in allowed and (word == ALL or (word == HOME and tenant.region == source))
            forbidden = sorted(set(targets) - allowed) if lives_here else []
            if forbidden:
                reasons.append(f"{system} copies what is in {source} to {', '.join(forbidden)}")
    return reasons


def place(tenants: Sequence[Tenant], placement: Placement, replication: Replication, regions: Sequence[str]) -> Placed:
    """Decide for each region who belongs there. Raises InvalidInput if the tables contradict themselves."""
    check_table(placement, replication, regions)
    refused: dict[str, str] = {}
    lists: dict[str, dict[str, list[Tenant]]] = {region: {ALL: [], HOME: []} for region in regions}
    kept_out: dict[str, list[str]] = {region: [] for region in regions}
    for tenant in tenants:
        wanted: Any = tenant.overrides.get("data_residency")
        allowed = frozenset(regions) if wanted is None else residency(wanted, regions) or frozenset({tenant.region})
        reasons = _copied(tenant, allowed, placement, replication)
        if reasons:
            refused[tenant.id] = (
                f"its data may be in {', '.join(sorted(allowed))} only, but {' and '.join(reasons)}. "
                "Allow that region in overrides.data_residency, or place the tenant on a platform without that replication."
            )
            continue
        for region in regions:
            if region not in allowed:
                kept_out[region].append(tenant.id)
                continue
            lists[region][ALL].append(tenant)
            if tenant.region == region:
                lists[region][HOME].append(tenant)
    return Placed(lists, kept_out, refused)
