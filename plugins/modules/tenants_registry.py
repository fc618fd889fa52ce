#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tenants_registry
short_description: Record in the registry which tenants are declared
version_added: 0.1.0
description:
  - Compares the declaration with the registry, records what is new or different with its history, and says where each tenant belongs.
  - A tenant whose home region differs from the registry's is refused, and so is one whose data residency cannot be kept; the others go on.
  - Tenants that the registry knows and that are not declared are named and left alone.
author:
  - LeanVibe Operations (@leanvibe)
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.connection_registry
attributes:
  check_mode:
    support: full
    details: Tables that are not there yet count as empty.
  diff_mode:
    support: full
  idempotent:
    support: full
    details: That a tenant was declared again is noted, and is no change.
options:
  tenants:
    description: The tenants that the run is about, as M(leanvibe.ops.tenants_declared) returns them.
    type: list
    elements: dict
    required: true
  declared_ids:
    description: Ids of all declared tenants.
    type: list
    elements: str
    required: true
  regions:
    description: Names of the platform's regions.
    type: list
    elements: str
    required: true
  placement:
    description: 'Which tenants a system holds in a region: a dictionary from system to a dictionary from region to V(all), V(home), V(replica) or V(absent).'
    type: dict
    required: true
  replication:
    description: 'Which systems copy data to another region by themselves: a dictionary from system to a dictionary from region to a list of regions.'
    type: dict
    default: {}
  token:
    description: Token of the run's lease; without it nothing else protects the registry from two runs at once.
    type: int
  run_id:
    description: Id of the run.
    type: str
    required: true
  owner:
    description: Who runs it.
    type: str
    required: true
  operation:
    description: Which operation it is.
    type: str
    required: true
  environment:
    description: Environment that the inventory is for.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Record what is declared
  leanvibe.ops.tenants_registry:
    registry: "{{ leanvibe_ops_registry }}"
    tenants: "{{ declared.tenants }}"
    declared_ids: "{{ declared.declared_ids }}"
    regions: [us-east-1, us-west-2]
    placement: "{{ leanvibe_ops_placement }}"
    token: "{{ lease.token }}"
    run_id: 3f2a9c41
    owner: "{{ lease.owner }}"
    operation: tenants
    environment: sandbox
"""

RETURN = r"""
placed:
  description: 'Per region, the lists V(all) and V(home) of accepted tenants in compact form (without contacts).'
  type: dict
  returned: success
expected:
  description: As RV(placed), with ids only.
  type: dict
  returned: success
kept_out:
  description: Per region, ids of tenants whose data residency forbids it.
  type: dict
  returned: success
refused:
  description: Ids of refused tenants, each with the reason.
  type: dict
  returned: success
undeclared:
  description: Ids that the registry knows and that are not declared.
  type: list
  elements: str
  returned: success
changes:
  description: What is new or different in the declaration.
  type: list
  elements: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.errors import OpsError
from ..module_utils.registry.connection import REGISTRY_CONNECTION
from ..module_utils.registry.operate import declare


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "registry": {"type": "dict", "required": True, "options": REGISTRY_CONNECTION},
            "timeout": {"type": "int", "default": 10},
            "tenants": {"type": "list", "elements": "dict", "required": True},
            **{name: {"type": "list", "elements": "str", "required": True} for name in ("declared_ids", "regions")},
            "placement": {"type": "dict", "required": True},
            "replication": {"type": "dict", "default": {}},
            "token": {"type": "int", "no_log": False},
            **{name: {"type": "str", "required": True} for name in ("run_id", "owner", "operation", "environment")},
        },
        supports_check_mode=True,
    )
    try:
        result = declare(module.params, check=module.check_mode)
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
