#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_reader_redis
short_description: Make the user of the health checks on one Redis node
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Makes an ACL user that holds exactly what M(leanvibe.ops.health_redis) needs, reads no key and changes nothing.
  - Saves the ACL file in the same transaction.
  - ACLs do not replicate, so every node is a call of its own. Whatever the user has beside that is taken away. Other users are left alone.
  - ElastiCache refuses C(ACL SETUSER); with O(connection.driver=elasticache) nothing is done, and the result is V(skipped) and says what to do.
requirements:
  - Redis 7.0 or newer with an ACL file
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.connection_redis
options:
  account:
    description:
      - The user, as C(leanvibe_ops_health_redis) names it.
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
  region:
    description: Region of the endpoint.
    type: str
    required: true
  timeout:
    description: Seconds that one external call may take.
    type: int
    default: 10
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Make the user of the health checks
  leanvibe.ops.health_reader_redis:
    region: us-east-1
    connection:
      host: redis.us-east-1.example.com
      username: operations
      password: "{{ vault_redis_password }}"
      tls: true
    account:
      username: health
      password: "{{ vault_redis_health_password }}"
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
      sample: redis
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
      sample: [{object: user health, action: update, fields: [commands]}]
    notes:
      description: What the reader of a report should know.
      type: list
      elements: str
      sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.clients.redis import CONNECTION
from ..module_utils.common.errors import OpsError
from ..module_utils.health_reader.redis import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "connection": {"type": "dict", "required": True, "options": CONNECTION},
            "account": {"type": "dict", "options": {"username": {"type": "str", "required": True}, "password": {"type": "str", "no_log": True}}},
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
