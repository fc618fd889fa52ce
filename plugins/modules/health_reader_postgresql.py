#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_reader_postgresql
short_description: See whether the role of the health checks may look at PostgreSQL, and no more
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Asks one server whether the role has every right that M(leanvibe.ops.health_postgresql) needs, has none beyond that, and is let in with its password.
  - Writes nothing. The role P(leanvibe.ops.platform_database#role) makes what is missing; the result is V(refused) and names it.
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.connection_postgresql.driver
options:
  account:
    description:
      - The role, as C(leanvibe_ops_health_postgresql) names it.
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
    details: It does the same as without.
  diff_mode:
    support: none
    details: It changes nothing.
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: See whether the health checks may look, and no more
  leanvibe.ops.health_reader_postgresql:
    region: us-east-1
    connection:
      host: postgresql.us-east-1.example.com
      database: leanvibe
      username: leanvibe_operations
      password: "{{ vault_postgresql_password }}"
      sslrootcert: /etc/leanvibe/ca.crt
    account:
      username: leanvibe_health
      password: "{{ vault_postgresql_health_password }}"
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
      sample: postgresql
    region:
      description: The region of the call.
      type: str
      sample: us-east-1
    account:
      description: The account; empty if there is none to make.
      type: str
      sample: leanvibe_health
    verdict:
      description: V(succeeded), V(refused) or V(skipped).
      type: str
      sample: succeeded
    message:
      description: What is in the way and the way out, or what was found.
      type: str
      sample: "has what the health checks need and no more"
    changes:
      description: What was written, or in check mode would be.
      type: list
      elements: dict
      sample: []
    notes:
      description: What the reader of a report should know.
      type: list
      elements: str
      sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.clients.postgresql import CONNECTION
from ..module_utils.common.errors import OpsError
from ..module_utils.health_reader.postgresql import run
from ..module_utils.platform_database.foundation import DRIVERS


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "connection": {
                "type": "dict",
                "required": True,
                "options": {**CONNECTION, "driver": {"type": "str", "default": "postgresql", "choices": list(DRIVERS)}},
            },
            "account": {"type": "dict", "options": {"username": {"type": "str", "required": True}, "password": {"type": "str", "no_log": True}}},
            "region": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params))
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)


if __name__ == "__main__":
    main()
