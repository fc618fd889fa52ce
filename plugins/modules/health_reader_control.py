#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_reader_control
short_description: Make the role of the health checks in the registry
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Makes a role that reads the tables of the registry, also those of later releases, and nothing else. It is what M(leanvibe.ops.health_control) needs.
  - Whatever the role has beside that (rights, attributes, memberships) is taken away, all in one transaction.
  - To make the role, O(registry) must be of an account that may make roles; for rights alone the owner of the tables will do.
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.connection_registry
options:
  account:
    description:
      - The role, as C(leanvibe_ops_health_registry) names it.
      - Without it nothing is done, and the result is V(skipped).
    type: dict
    suboptions:
      username:
        description: Its name.
        type: str
        required: true
      password:
        description: Its password.
        type: str
  owner:
    description: The role that owns the registry's tables.
    type: str
    required: true
  region:
    description: Region of the endpoint.
    type: str
    required: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Make the role of the health checks in the registry
  leanvibe.ops.health_reader_control:
    region: us-east-1
    registry:
      host: registry.example.com
      database: leanvibe_ops
      username: postgres
      password: "{{ vault_registry_superuser_password }}"
      sslrootcert: /etc/leanvibe/ca.crt
    owner: leanvibe_registry
    account:
      username: leanvibe_registry_health
      password: "{{ vault_registry_health_password }}"
"""

RETURN = r"""
run:
  description: What became of it.
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
    account:
      description: The account; empty if there is none to make.
      type: str
      sample: leanvibe_registry_health
    verdict:
      description: V(succeeded), V(refused) or V(skipped).
      type: str
      sample: succeeded
    message:
      description: What is in the way and the way out, or what was found.
      type: str
      sample: ""
    changes:
      description: What was written, or in check mode would be.
      type: list
      elements: dict
      sample: [{object: role leanvibe_registry_health, action: create, fields: []}]
    notes:
      description: What the reader of a report should know.
      type: list
      elements: str
      sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.errors import OpsError
from ..module_utils.health_reader.registry import run
from ..module_utils.registry.connection import REGISTRY_CONNECTION


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "registry": {"type": "dict", "required": True, "options": REGISTRY_CONNECTION},
            "account": {"type": "dict", "options": {"username": {"type": "str", "required": True}, "password": {"type": "str", "no_log": True}}},
            "owner": {"type": "str", "required": True},
            "region": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params, check_mode=module.check_mode))
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)


if __name__ == "__main__":
    main()
