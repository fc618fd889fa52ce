# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts of a run returned, taken from Ansible's variables. Pure; used by the filters.

Results are taken as they are, not through the template engine: they hold no templates, and looking for some in thousands of results takes longer
than all the systems together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .outcome import Endpoint

REGISTERED = ("__tenants_prepared", "__tenants_reconciled", "__tenants_finished")
KEPT = ("results", "undeclared", "notes", "observed", "platform")


def _phase(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """What reports need of a task's result, and nothing of the large rest (arguments, differences); None of a task that was skipped."""
    if result.get("skipped"):
        return None
    if result.get("failed") or result.get("unreachable"):
        return {"msg": result.get("msg") or "failed without a message"}
    return {key: result[key] for key in KEPT if key in result}


def collect(
    hostvars: Mapping[str, Mapping[str, Any]], hosts: Iterable[str], placement: Mapping[str, Mapping[str, str]], registered: Sequence[str] = REGISTERED
) -> list[dict[str, Any]]:
    """The endpoints among the hosts: those whose system ``placement`` names, each with its tasks' results in order."""
    raw = getattr(hostvars, "raw_get", None)
    collected = []
    for host in hosts:
        system, region = str(hostvars[host].get("leanvibe_ops_system")), str(hostvars[host].get("leanvibe_ops_region"))
        if system not in placement:
            continue
        variables = raw(host) if raw is not None else hostvars[host]
        phases = [_phase(variables[name]) for name in registered if name in variables]
        word = placement[system].get(region, "absent")
        collected.append({"system": system, "region": region, "placement": word, "phases": [phase for phase in phases if phase is not None]})
    return collected


def ready(endpoints: Iterable[Mapping[str, Any]], expected: Mapping[str, Mapping[str, Sequence[str]]]) -> list[str]:
    """Tenants that no endpoint holds back, by a failure or by silence. ``expected`` is region -> placement -> ids."""
    everybody = {tenant for lists in expected.values() for tenant in lists["all"]}
    held_back: set[str] = set()
    for data in endpoints:
        endpoint = Endpoint.from_mapping(data)
        outcomes = endpoint.outcomes(expected.get(endpoint.region, {}).get(endpoint.placement, ()))
        held_back |= {tenant for tenant, merged in outcomes.items() if merged.verdict in ("failed", "refused")}
    return sorted(everybody - held_back)


def finished(hostvars: Mapping[str, Mapping[str, Any]], hosts: Iterable[str], registered: str) -> bool:
    """Whether every host's result of that name that is there and was not skipped is one that says ``finished``."""
    raw = getattr(hostvars, "raw_get", None)
    results = [(raw(host) if raw is not None else hostvars[host]).get(registered) for host in hosts]
    return all(result.get("finished") is True for result in results if result is not None and not result.get("skipped"))
