# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: health_runs
short_description: Collect what the endpoints of a health run returned
version_added: 0.1.0
author:
  - LeanVibe Operations (@leanvibe)
description:
  - Picks from the play's hosts the C(run) that modules which check health return, and nothing of the rest of their results.
  - A task that failed on a host is kept with its message, so that its checks are reported as C(unknown).
positional: _input, hosts, registered
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
  registered:
    description: Names of the variables that hold the results, each with the system that the task checks, or an empty text for the host's own system.
    type: dict
    default: {__health_run: ""}
  text:
    description: Whether to return JSON text. A module takes it as well, and the template engine need not go through it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show what could not be looked at
  ansible.builtin.debug:
    msg: "{{ hostvars | leanvibe.ops.health_runs(ansible_play_hosts_all) | selectattr('error', 'defined') }}"
"""

RETURN = r"""
_value:
  description: One entry per host and task with C(system), C(region), and C(run) or C(error).
  type: raw
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..module_utils.health.collecting import collect


def health_runs(hostvars: Mapping[str, Mapping[str, Any]], hosts: Iterable[str], registered: Mapping[str, str] | None = None, text: bool = False) -> Any:
    """Collect the runs."""
    collected = collect(hostvars, hosts, {"__health_run": ""} if registered is None else registered)
    return json.dumps(collected) if text else collected


class FilterModule:
    """Makes the filter known."""

    def filters(self) -> dict[str, Any]:
        """Names and functions."""
        return {"health_runs": health_runs}
