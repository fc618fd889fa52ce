#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_foundation
short_description: Make the platform's roles and close PostgreSQL's catalogue
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Makes what the shared tables and the tenants stand on, in one database - the platform's roles and their memberships, rights on the database,
    an empty schema C(public), settings of roles.
  - Takes from everybody, and leaves to operations, the parts of PostgreSQL's catalogue that tell one tenant about another - row counters and estimates,
    sizes, activity, locks, settings of roles, sources of functions and views, large objects.
  - Needs a superuser. Reads in a constant number of queries and writes what differs in one transaction.
  - Login roles that are missing are made without a password; nobody can log in as them until they have one.
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.connection_postgresql.driver
options:
  timeout:
    description: Seconds that connecting, and each statement, may take.
    type: int
    default: 30
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Prepare the platform's database
  leanvibe.ops.database_foundation:
    connection:
      host: postgresql.us-east-1.example.com
      database: leanvibe
      username: postgres
      password: "{{ vault_postgresql_superuser_password }}"
      sslrootcert: /etc/leanvibe/ca.crt
"""

RETURN = r"""
changes:
  description: What was changed, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: [role leanvibe_tenants, pg_catalog.pg_stat_activity]
notes:
  description: What this driver cannot do.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.clients.postgresql import CONNECTION
from ..module_utils.common.errors import OpsError
from ..module_utils.platform_database.foundation import DRIVERS, run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "connection": {
                "type": "dict",
                "required": True,
                "options": {**CONNECTION, "driver": {"type": "str", "default": "postgresql", "choices": list(DRIVERS)}},
            },
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module.params, module.check_mode)
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
