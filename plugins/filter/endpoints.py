# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: endpoints
short_description: Collect what the endpoints of a run on tenants returned
version_added: 0.1.0
author:
  - LeanVibe Operations (@leanvibe)
description:
  - Picks from the play's hosts what reports need of their modules' results, and nothing of the large rest (arguments, differences).
  - A task that failed on a host is kept with its message.
positional: _input, hosts, placement
options:
  _input:
    description: C(hostvars).
    type: dict
    required: true
  hosts:
    description: Names of the play's hosts.
    type: list
    elements: str
    required: true
  placement:
    description: C(leanvibe_ops_placement). Hosts of systems that it does not name are no endpoints.
    type: dict
    required: true
  registered:
    description: Names of the variables that hold the results, in the order of the tasks.
    type: list
    elements: str
    default: [__tenants_prepared, __tenants_reconciled, __tenants_finished]
"""

EXAMPLES = r"""
- name: Show where work has failed
  ansible.builtin.debug:
    msg: "{{ hostvars | leanvibe.ops.endpoints(ansible_play_hosts_all, leanvibe_ops_placement) | selectattr('phases', 'defined') }}"
"""

RETURN = r"""
_value:
  description: One entry per endpoint with C(system), C(region), C(placement) and C(phases), the tasks' results.
  type: list
  elements: dict
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

REGISTERED = ("__tenants_prepared", "__tenants_reconciled", "__tenants_finished")
KEPT = ("results", "undeclared", "notes", "observed", "platform")


def _phase(result: Mapping[str, Any]) -> dict[str, Any] | None:
    if result.get("skipped"):
        return None
    if result.get("failed") or result.get("unreachable"):
        return {"msg": result.get("msg") or "failed without a message"}
    return {key: result[key] for key in KEPT if key in result}


def _results(hostvars: Mapping[str, Mapping[str, Any]], host: str, names: Sequence[str]) -> list[Mapping[str, Any]]:
    """What the host's tasks returned, as it is: results hold no templates, and looking for some in thousands of them takes long."""
    raw = getattr(hostvars, "raw_get", None)
    variables = raw(host) if raw is not None else hostvars[host]
    return [variables[name] for name in names if name in variables]


def endpoints(
    hostvars: Mapping[str, Mapping[str, Any]], hosts: Iterable[str], placement: Mapping[str, Mapping[str, str]], registered: Sequence[str] = REGISTERED
) -> list[dict[str, Any]]:
    """Collect the results of the hosts that stand for a system in a region."""
    collected = []
    for host in hosts:
        system, region = hostvars[host].get("leanvibe_ops_system"), hostvars[host].get("leanvibe_ops_region")
        if system not in placement:
            continue
        phases = [_phase(result) for result in _results(hostvars, host, registered)]
        word = placement[system].get(region, "absent")
        collected.append({"system": system, "region": region, "placement": word, "phases": [phase for phase in phases if phase is not None]})
    return collected


class FilterModule:
    """Makes the filter known."""

    def filters(self) -> dict[str, Any]:
        """Names and functions."""
        return {"endpoints": endpoints}
