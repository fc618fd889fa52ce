#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_reader_pgbouncer
short_description: See whether the account of the health checks may look at PgBouncer, and no more
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Asks the admin console whether the account is named in C(stats_users) and not in C(admin_users), and whether it is let in.
  - Writes nothing, because who may is said in PgBouncer's files. What is to be written there is in the message of a result that is V(refused).
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
options:
  connection:
    description: The admin console.
    type: dict
    required: true
    suboptions:
      host:
        description: Host name or address.
        type: str
        required: true
      port:
        description: TCP port.
        type: int
        default: 6432
      database:
        description: Name of the console's database.
        type: str
        default: pgbouncer
      username:
        description: User to log in as.
        type: str
        required: true
      password:
        description: Its password.
        type: str
      sslmode:
        description: How TLS is used, with libpq's meaning.
        type: str
        default: verify-full
        choices: [disable, prefer, require, verify-ca, verify-full]
      sslrootcert:
        description: Path of the certificates that sign the pooler's.
        type: path
      driver:
        description: Which pooler it is.
        type: str
        default: pgbouncer
        choices: [pgbouncer]
  account:
    description:
      - The account, as C(leanvibe_ops_health_pgbouncer) names it.
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
    type: float
    default: 10.0
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
  leanvibe.ops.health_reader_pgbouncer:
    region: us-east-1
    connection:
      host: pgbouncer.us-east-1.example.com
      username: pgbouncer_admin
      password: "{{ vault_pgbouncer_password }}"
      sslrootcert: /etc/leanvibe/ca.crt
    account:
      username: pgbouncer_health
      password: "{{ vault_pgbouncer_health_password }}"
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
      sample: pgbouncer
    region:
      description: The region of the call.
      type: str
      sample: us-east-1
    account:
      description: The account; empty if there is none to make.
      type: str
      sample: pgbouncer_health
    verdict:
      description: V(succeeded), V(refused) or V(skipped).
      type: str
      sample: succeeded
    message:
      description: What is in the way and the way out, or what was found.
      type: str
      sample: "is named in stats_users of pgbouncer.ini, and not in admin_users"
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

from ..module_utils.common.errors import OpsError
from ..module_utils.health.systems.pgbouncer.console import CONNECTION
from ..module_utils.health_reader.pgbouncer import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "connection": {"type": "dict", "required": True, "options": CONNECTION},
            "account": {"type": "dict", "options": {"username": {"type": "str", "required": True}, "password": {"type": "str", "no_log": True}}},
            "region": {"type": "str", "required": True},
            "timeout": {"type": "float", "default": 10.0},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params))
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)


if __name__ == "__main__":
    main()
