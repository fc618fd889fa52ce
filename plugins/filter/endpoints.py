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
  text:
    description: Whether to return JSON text. A module takes it as well, and the template engine need not go through it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show where work has failed
  ansible.builtin.debug:
    msg: "{{ hostvars | leanvibe.ops.endpoints(ansible_play_hosts_all, leanvibe_ops_placement) | selectattr('phases', 'defined') }}"
"""

RETURN = r"""
_value:
  description: One entry per endpoint with C(system), C(region), C(placement) and C(phases), the tasks' results.
  type: raw
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..module_utils.tenants.collecting import REGISTERED, collect


def endpoints(
    hostvars: Mapping[str, Mapping[str, Any]],
    hosts: Iterable[str],
    placement: Mapping[str, Mapping[str, str]],
    registered: Sequence[str] = REGISTERED,
    text: bool = False,
) -> Any:
    """Collect the results of the hosts that stand for a system in a region."""
    collected = collect(hostvars, hosts, placement, registered)
    return json.dumps(collected) if text else collected


class FilterModule:
    """Makes the filter known."""

    def filters(self) -> dict[str, Any]:
        """Names and functions."""
        return {"endpoints": endpoints}
