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
  - From what P(leanvibe.ops.endpoints#filter) collected, the tenants whose credentials are in force everywhere.
  - An endpoint that failed, or said nothing about a tenant that belongs there, leaves that tenant out.
positional: _input, placed
options:
  _input:
    description: The endpoints.
    type: list
    elements: dict
    required: true
  placed:
    description: Tenants per region and placement, as M(leanvibe.ops.tenants_registry) returns them.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show who is ready
  ansible.builtin.debug:
    msg: "{{ hostvars | leanvibe.ops.endpoints(ansible_play_hosts_all, leanvibe_ops_placement) | leanvibe.ops.ready(recorded.placed) }}"
"""

RETURN = r"""
_value:
  description: Ids, sorted.
  type: list
  elements: str
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def ready(endpoints: Iterable[Mapping[str, Any]], placed: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]) -> list[str]:
    """Tenants that no endpoint holds back."""
    everybody = {tenant["id"] for lists in placed.values() for tenant in lists["all"]}
    held_back: set[str] = set()
    for endpoint in endpoints:
        expected = {tenant["id"] for tenant in placed.get(endpoint["region"], {}).get(endpoint["placement"], ())}
        results = [result for phase in endpoint["phases"] for result in phase.get("results", ())]
        broken = any("msg" in phase for phase in endpoint["phases"])
        held_back |= expected if broken else expected - {result["tenant"] for result in results}
        held_back |= {result["tenant"] for result in results if result["verdict"] in ("failed", "refused")}
    return sorted(everybody - held_back)


class FilterModule:
    """Makes the filter known."""

    def filters(self) -> dict[str, Any]:
        """Names and functions."""
        return {"ready": ready}
