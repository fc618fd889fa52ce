# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: finished
short_description: Whether no host has anything left to finish
version_added: 0.1.0
author:
  - LeanVibe Operations (@leanvibe)
description:
  - Whether every host on which M(leanvibe.ops.tenants_kubernetes) ran in phase C(prepare) said that phase C(finish) has nothing left to do.
  - A host on which it failed has not finished. It takes all hosts, because what one changes may have to be copied to the others.
positional: _input, hosts
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
    description: Name of the variable that holds the result.
    type: str
    default: __tenants_prepared
"""

EXAMPLES = r"""
- name: Show whether anything is left
  ansible.builtin.debug:
    msg: "{{ hostvars | leanvibe.ops.finished(ansible_play_hosts_all) }}"
"""

RETURN = r"""
_value:
  description: Whether nothing is left to do.
  type: bool
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ..module_utils.tenants.collecting import finished as of_hosts


def finished(hostvars: Mapping[str, Mapping[str, Any]], hosts: Iterable[str], registered: str = "__tenants_prepared") -> bool:
    """Whether nothing is left to finish."""
    return of_hosts(hostvars, hosts, registered)


class FilterModule:
    """Makes the filter known."""

    def filters(self) -> dict[str, Any]:
        """Names and functions."""
        return {"finished": finished}
