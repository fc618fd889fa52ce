# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ready
short_description: Ids of the tenants for which every endpoint has succeeded
version_added: 0.1.0
author:
  - LeanVibe Operations (@leanvibe)
description:
  - From the results of the play's hosts, the tenants whose credentials are in force everywhere.
  - An endpoint that failed, or said nothing about a tenant that belongs there, leaves that tenant out.
positional: _input, hosts, placement, expected
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
    description: C(leanvibe_ops_placement).
    type: dict
    required: true
  expected:
    description: Ids per region and placement, as M(leanvibe.ops.tenants_registry) returns them.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show who is ready
  ansible.builtin.debug:
    msg: "{{ hostvars | leanvibe.ops.ready(ansible_play_hosts_all, leanvibe_ops_placement, recorded.expected) }}"
"""

RETURN = r"""
_value:
  description: Ids, sorted.
  type: list
  elements: str
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..module_utils.tenants.collecting import collect
from ..module_utils.tenants.collecting import ready as of_endpoints


def ready(
    hostvars: Mapping[str, Mapping[str, Any]],
    hosts: Iterable[str],
    placement: Mapping[str, Mapping[str, str]],
    expected: Mapping[str, Mapping[str, Sequence[str]]],
) -> list[str]:
    """Tenants that no endpoint holds back."""
    return of_endpoints(collect(hostvars, hosts, placement), expected)


class FilterModule:
    """Makes the filter known."""

    def filters(self) -> dict[str, Any]:
        """Names and functions."""
        return {"ready": ready}
