#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tenants_lease
short_description: Take leases on tenants, or give them back
version_added: 0.1.0
description:
  - Two operations on the same tenant never interleave. A run takes leases on all its tenants at once, or none; whoever comes second is told who
    holds which of them, since when and until when.
  - The lease ends O(ttl) seconds after the last module of the run that renewed it. If the run and all its modules ran on this machine and are gone
    (killed), somebody else gets the leases at once; otherwise when they expire.
  - The registry's mark of the platform's environment is compared before anything is taken, and set on a new platform.
author:
  - LeanVibe Operations (@leanvibe)
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.connection_registry
attributes:
  check_mode:
    support: full
    details: Nothing is taken or given back; only the mark of the environment is compared.
  diff_mode:
    support: none
    details: Leases are no part of what a run is to reach.
  idempotent:
    support: full
    details: Never reports a change. Leases are bookkeeping of the run.
options:
  state:
    description: V(present) takes leases, V(absent) gives them back.
    type: str
    choices: [present, absent]
    default: present
  tenants:
    description: Ids of the tenants. Required with O(state=present).
    type: list
    elements: str
  run_id:
    description: Id of the run.
    type: str
    required: true
  owner:
    description: Who runs it. The account and the host name are added.
    type: str
    required: true
  operation:
    description: Which operation it is.
    type: str
    required: true
  environment:
    description: Environment that the inventory is for. Required with O(state=present).
    type: str
  environment_kind:
    description: Kind of that environment, for the mark of a new platform.
    type: str
    default: sandbox
  token:
    description: Token of the leases to give back. Required with O(state=absent).
    type: int
  ttl:
    description: Seconds that the lease lasts without being renewed.
    type: int
    default: 60
  lock_wait:
    description: Seconds to wait for somebody else's leases to end. V(0) gives up at once.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Take the leases
  leanvibe.ops.tenants_lease:
    registry: "{{ leanvibe_ops_registry }}"
    tenants: [acme-corp, globex]
    run_id: 3f2a9c41
    owner: alice
    operation: tenants
    environment: sandbox
  register: lease

- name: Give them back
  leanvibe.ops.tenants_lease:
    state: absent
    registry: "{{ leanvibe_ops_registry }}"
    token: "{{ lease.token }}"
    run_id: 3f2a9c41
    owner: alice
    operation: tenants
"""

RETURN = r"""
token:
  description: Fencing token, greater than that of any earlier lease. Not there in check mode.
  type: int
  returned: success and O(state=present)
owner:
  description: Who holds the leases, with account and host.
  type: str
  returned: success
until:
  description: When the leases end unless renewed.
  type: str
  returned: success and O(state=present)
  sample: "2026-11-21T06:01:00Z"
instead_of:
  description: Owners whose leases had ended without being given back (runs that were killed).
  type: list
  elements: str
  returned: success and O(state=present)
holders:
  description: Who holds what was asked for, since when, until when.
  type: list
  elements: dict
  returned: failure because somebody else holds leases
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.errors import OpsError
from ..module_utils.registry.connection import REGISTRY_CONNECTION
from ..module_utils.registry.operate import lease


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "registry": {"type": "dict", "required": True, "options": REGISTRY_CONNECTION},
            "timeout": {"type": "int", "default": 10},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "tenants": {"type": "list", "elements": "str"},
            **{name: {"type": "str", "required": True} for name in ("run_id", "owner", "operation")},
            "environment": {"type": "str"},
            "environment_kind": {"type": "str", "default": "sandbox"},
            "token": {"type": "int", "no_log": False},
            "ttl": {"type": "int", "default": 60},
            "lock_wait": {"type": "int", "default": 0},
        },
        required_if=[("state", "present", ("tenants", "environment")), ("state", "absent", ("token",))],
        supports_check_mode=True,
    )
    try:
        result = lease(module.params, check=module.check_mode)
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
