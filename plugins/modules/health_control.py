#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_control
short_description: Check the registry and what operations left in it
version_added: 0.1.0
author:
  - LeanVibe Operations (@leanvibe)
description:
  - Looks at the registry on one connection. Whether it answers, leases that nobody gives back, runs that did not come to their end or are overdue, declared
    tenants that are not provisioned, tenants that nobody declares any more, and how many are new.
  - O(options) may hold C(schedules) (a dictionary from operations to the hours within which they are to run) and C(declared_ids) (ids of all declared
    tenants, also of those that this run is not about).
  - Changes nothing. Whatever happens to a check or to the registry, every check is told of; the module itself fails only if its arguments are wrong.
notes:
  - What it needs is C(SELECT) on the tables of the registry.
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.health_checks
  - leanvibe.ops.connection_postgresql
attributes:
  check_mode:
    support: full
    details: It does the same as without.
  diff_mode:
    support: none
    details: It changes nothing.
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Look at the registry
  leanvibe.ops.health_control:
    region: us-east-1
    connection: "{{ leanvibe_ops_registry }}"
    options:
      schedules:
        tenants: 24
  register: __health_run
"""

RETURN = r"""
run:
  description: What became of the checks.
  returned: success
  type: dict
  contains:
    system:
      description: Which system this is.
      type: str
      sample: control
    region:
      description: The region of the call.
      type: str
      sample: us-east-1
    items:
      description: What was found, good or bad, each with its verdict, in the form of reports.
      type: list
      elements: dict
      sample: [{id: control.registry, subject: us-east-1/control, verdict: ok}]
    checks:
      description: Each check with its outcome (C(executed), C(skipped), C(could_not_run)), the seconds that it took, and the reason if it was not executed.
      type: list
      elements: dict
      sample: [{id: control.registry, place: us-east-1/control, outcome: executed, seconds: 0.002, reason: ""}]
    facts:
      description: Empty; nothing is compared.
      type: dict
      sample: {}
    seconds:
      description: How long all of it took.
      type: float
      sample: 0.1
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.health.arguments import HEALTH, run_from
from ..module_utils.health.systems.control import CHECKS
from ..module_utils.health.systems.control.link import link
from ..module_utils.registry.connection import REGISTRY_CONNECTION


def main() -> None:
    connection = {"type": "dict", "required": True, "options": REGISTRY_CONNECTION}
    module = AnsibleModule(argument_spec={**HEALTH, "connection": connection}, supports_check_mode=True)
    run = run_from(module.params, "control", CHECKS, link(module.params["connection"]))
    module.exit_json(changed=False, run=run.to_mapping())


if __name__ == "__main__":
    main()
