#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_reader_neo4j
short_description: Make role and user of the health checks on one Neo4j Enterprise
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Makes a role that holds exactly what M(leanvibe.ops.health_neo4j) needs and reads no node, and a user that has it.
  - Whether the password is the one that is wanted is found out by logging in. A role that has more, or a user with further roles, is V(refused) and named.
  - On Community every user is an administrator; nothing is done there, and the result is V(skipped).
notes:
  - Not run against a real Enterprise server.
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.connection_neo4j
options:
  account:
    description:
      - The user, as C(leanvibe_ops_health_neo4j) names it.
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
  role:
    description: Name of the role.
    type: str
    default: health
  region:
    description: Region of the endpoint.
    type: str
    required: true
  timeout:
    description: Seconds that one external call may take.
    type: float
    default: 10.0
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Passwords are not shown.
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Make role and user of the health checks
  leanvibe.ops.health_reader_neo4j:
    region: us-east-1
    connection:
      uri: neo4j+s://graph.us-east-1.example.com:7687
      username: neo4j
      password: "{{ vault_neo4j_password }}"
    account:
      username: health
      password: "{{ vault_neo4j_health_password }}"
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
      sample: neo4j
    region:
      description: The region of the call.
      type: str
      sample: us-east-1
    account:
      description: The account; empty if there is none to make.
      type: str
      sample: health
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
      sample: [{object: role health, action: create, fields: [privileges]}]
    notes:
      description: What the reader of a report should know.
      type: list
      elements: str
      sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.clients.neo4j import CONNECTION
from ..module_utils.common.errors import OpsError
from ..module_utils.health_reader.neo4j import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "connection": {"type": "dict", "required": True, "options": CONNECTION},
            "account": {"type": "dict", "options": {"username": {"type": "str", "required": True}, "password": {"type": "str", "no_log": True}}},
            "role": {"type": "str", "default": "health"},
            "region": {"type": "str", "required": True},
            "timeout": {"type": "float", "default": 10.0},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params, check_mode=module.check_mode))
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)


if __name__ == "__main__":
    main()
