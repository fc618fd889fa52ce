# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the endpoints of a run returned to the items of its report and the rows of the registry. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..registry.observed import Observation
from ..reports.matrix import some
from ..reports.model import Item
from .model import TENANT_ID
from .placement import ABSENT, ALL, HOME, REPLICA

SYSTEMS = ("kubernetes", "postgresql", "redis", "neo4j", "object_store")
_WORST = ("failed", "refused", "succeeded", "skipped")
_NOT_WRITTEN = {
    REPLICA: "{system} itself replicates into {region}; nothing is written there (leanvibe_ops_placement)",
    ABSENT: "{system} is declared absent in {region} (leanvibe_ops_placement)",
}
NO_HOST = "tenants belong here (leanvibe_ops_placement), but no host of this run stands for it; add one (or leave --limit out), or declare the system absent"
DASHBOARD = "the tenants' dashboards wait for monitoring, which this platform does not have yet"


@dataclass(frozen=True)
class Merged:
    """What all phases on one endpoint came to for one tenant."""

    verdict: str
    message: str = ""
    changes: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Endpoint:
    """One system in one region as a run met it. ``phases`` are the modules' results, ``error`` what ended the work on it (empty: nothing)."""

    system: str
    region: str
    placement: str
    phases: Sequence[Mapping[str, Any]] = ()
    error: str = ""

    @property
    def place(self) -> str:
        """How reports name it."""
        return f"{self.region}/{self.system}"

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> Endpoint:
        """Read what the filter ``leanvibe.ops.endpoints`` collected."""
        phases = [phase for phase in data["phases"] if phase.get("results") is not None]
        failed = [str(phase["msg"]) for phase in data["phases"] if phase.get("results") is None and phase.get("msg")]
        return cls(str(data["system"]), str(data["region"]), str(data["placement"]), phases, "\n".join(failed))

    def observed(self, tenant: str) -> Mapping[str, Any]:
        """The small observed state of a tenant."""
        merged: dict[str, Any] = {}
        for phase in self.phases:
            merged |= phase.get("observed", {}).get(tenant) or {}
        return merged

    def merged(self) -> dict[str, Merged]:
        """The worst verdict over the phases, all changes, all messages, per tenant."""
        found: dict[str, Merged] = {}
        for phase in self.phases:
            for result in phase["results"]:
                before = found.get(result["tenant"])
                if before is None:
                    found[result["tenant"]] = Merged(result["verdict"], result["message"], result["changes"])
                    continue
                messages = dict.fromkeys(message for message in (before.message, result["message"]) if message)
                verdict = min(before.verdict, result["verdict"], key=_WORST.index)
                found[result["tenant"]] = Merged(verdict, "; ".join(messages), [*before.changes, *result["changes"]])
        return found

    def outcomes(self, expected: Sequence[str]) -> dict[str, Merged]:
        """Every expected tenant's outcome: what an error left undone has failed, and so has what nothing was said about."""
        found = self.merged()
        why = self.error or f"nothing was heard of {self.system} in {self.region}; run again, and look at its host's output"
        for tenant in expected:
            if tenant not in found:
                found[tenant] = Merged("failed", why)
            elif self.error and found[tenant].verdict == "succeeded":
                found[tenant] = Merged("failed", self.error, found[tenant].changes)
        return found


@dataclass(frozen=True)
class Outcome:
    """All that a run came to. ``placed`` is region -> placement -> ids.

    ``refusal`` is (step, message) if it was refused or broke off before the systems were worked on.
    """

    endpoints: Sequence[Endpoint] = ()
    placed: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    kept_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    undeclared: Sequence[str] = ()
    refusal: tuple[str, str] | None = None

    def expected(self, endpoint: Endpoint) -> list[str]:
        """Ids of the tenants that the endpoint had to hold."""
        return list(self.placed.get(endpoint.region, {}).get(endpoint.placement, ()))


def missing(outcome: Outcome, placement: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Systems and regions in which tenants belong but for which the inventory has no host."""
    there = {(endpoint.system, endpoint.region) for endpoint in outcome.endpoints}
    wanted = [(system, region) for system in SYSTEMS for region, word in placement.get(system, {}).items() if word in (ALL, HOME)]
    return [f"{region}/{system}" for system, region in wanted if (system, region) not in there]


def valid_ids(ids: Sequence[str]) -> list[str]:
    return sorted({tenant for tenant in ids if TENANT_ID.fullmatch(tenant)})


def around(endpoint: Endpoint, outcome: Outcome) -> Iterator[Item]:
    """Items about an endpoint that are the same whether a run acts or looks: all are skipped, with the reason."""
    if endpoint.placement in _NOT_WRITTEN:
        message = _NOT_WRITTEN[endpoint.placement].format(system=endpoint.system, region=endpoint.region)
        yield Item(f"tenants.{endpoint.system}", endpoint.place, "skipped", message)
        return
    for tenant in outcome.kept_out.get(endpoint.region, ()) if endpoint.placement == ALL else ():
        yield Item(f"tenants.{endpoint.system}", f"{endpoint.place}/{tenant}", "skipped", "its data residency keeps it out of this region", (tenant,))


def undeclared_in(endpoint: Endpoint) -> list[str]:
    return sorted({str(name) for phase in endpoint.phases for name in phase.get("undeclared", ())})


def platform_changes(endpoint: Endpoint) -> list[Mapping[str, Any]]:
    return [change for phase in endpoint.phases for change in phase.get("platform", ())]


def action_items(outcome: Outcome, placement: Mapping[str, Mapping[str, str]]) -> list[Item]:
    """Items of the operation ``tenants``: one per tenant, system and region, and what else there is to say."""
    if outcome.refusal is not None:
        return [Item("tenants.run", f"control/{outcome.refusal[0]}", "refused", outcome.refusal[1])]
    items = [Item("tenants.registry", f"control/registry/{tenant}", "refused", reason, (tenant,)) for tenant, reason in sorted(outcome.refused.items())]
    if outcome.undeclared:
        items.append(_left_alone("control/registry", list(outcome.undeclared)))
    items += [Item("tenants.inventory", place, "failed", NO_HOST) for place in missing(outcome, placement)]
    for endpoint in outcome.endpoints:
        items += around(endpoint, outcome)
        if endpoint.placement in _NOT_WRITTEN:
            continue
        expected = outcome.expected(endpoint)
        for tenant, merged in endpoint.outcomes(expected).items():
            items.append(
                Item(
                    f"tenants.{endpoint.system}", f"{endpoint.place}/{tenant}", merged.verdict, merged.message, (tenant,), bool(merged.changes), merged.changes
                )
            )
        if endpoint.error and not expected:
            items.append(Item(f"tenants.{endpoint.system}", endpoint.place, "failed", endpoint.error))
        if platform := platform_changes(endpoint):
            items.append(Item(f"tenants.{endpoint.system}", endpoint.place, "succeeded", "for all tenants together", (), True, platform))
        if undeclared := undeclared_in(endpoint):
            items.append(_left_alone(endpoint.place, undeclared))
    return [*items, Item("tenants.dashboard", "control/monitoring", "skipped", DASHBOARD)]


def _odd(ids: Sequence[str]) -> tuple[str, ...]:
    """Names that no tenant can have."""
    return tuple(sorted(set(ids) - set(valid_ids(ids))))


def strangers(ids: Sequence[str]) -> str:
    """What to say about tenants that are there without being declared.

    Names that no tenant can have are told here, the first of them; the others are the item's tenants.
    """
    odd = _odd(ids)
    return f"there, but not declared{': ' + some(odd) if odd else ''}. Declare them again, or take them out on purpose"


def all_strangers(ids: Sequence[str]) -> str | None:
    """Evidence beside ``strangers``: all names that no tenant can have, if some were left out there."""
    odd = _odd(ids)
    return ", ".join(odd) if some(odd) != ", ".join(odd) else None


def _left_alone(place: str, ids: list[str]) -> Item:
    return Item("tenants.undeclared", place, "skipped", f"{strangers(ids)}; they are left alone", valid_ids(ids), evidence=all_strangers(ids))


def notes(outcome: Outcome) -> list[str]:
    """What the systems want people to know, once each."""
    said: dict[str, list[str]] = {}
    for endpoint in outcome.endpoints:
        for note in dict.fromkeys(str(note) for phase in endpoint.phases for note in phase.get("notes", ())):
            said.setdefault(note, []).append(endpoint.place)
    return [f"{', '.join(places)}: {note}" for note, places in said.items()]


def observations(outcome: Outcome) -> list[Observation]:
    """Rows for the registry: what the run found and did."""
    return [
        Observation(tenant, endpoint.system, endpoint.region, merged.verdict, merged.message, endpoint.observed(tenant), merged.changes)
        for endpoint in outcome.endpoints
        if endpoint.placement not in _NOT_WRITTEN
        for tenant, merged in endpoint.outcomes(outcome.expected(endpoint)).items()
    ]
