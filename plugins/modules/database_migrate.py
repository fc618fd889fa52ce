#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_migrate
short_description: Run the Alembic migrations that a database lacks
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Brings a database to the last migration of a folder. All that is missing runs in one transaction, under a lock, so that two runs take turns.
  - With O(isolation), reads afterwards from the catalogue whether every shared table keeps tenants apart, and undoes everything if one does not.
  - A database at a revision that the folder does not know belongs to a newer release and is refused. Nothing goes backwards.
requirements:
  - alembic and sqlalchemy, when a migration is missing
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.connection_postgresql
options:
  migrations:
    description: Folder on the controller with C(env.py) and C(versions/).
    type: path
    required: true
  version_schema:
    description: Schema of Alembic's own table. If not given, the first of the search path.
    type: str
  search_path:
    description: Search path of the session. If not given, only C(pg_catalog), so that migrations must say schemas.
    type: str
  isolation:
    description: Whether the result must keep tenants apart (docs/isolation-postgresql.md) or else be undone.
    type: bool
    default: false
  timeout:
    description: Seconds that one statement may take.
    type: int
    default: 600
  lock_timeout:
    description: Seconds that one statement may wait for a lock, short so that the application's statements do not queue up behind it.
    type: int
    default: 5
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Bring the shared tables up to date
  leanvibe.ops.database_migrate:
    connection:
      host: postgresql.us-east-1.example.com
      database: leanvibe
      username: leanvibe_migrations
      password: "{{ vault_postgresql_migrations_password }}"
      sslrootcert: /etc/leanvibe/ca.crt
    migrations: "{{ role_path }}/files/migrations"
    version_schema: leanvibe_private
    isolation: true
"""

RETURN = r"""
current:
  description: Revision before the call, none if there was nothing.
  returned: success
  type: str
  sample: "0001"
target:
  description: Revision after the call, in check mode the one it would be.
  returned: success
  type: str
  sample: "0002"
migrations:
  description: Migrations that were run, or in check mode would be, oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    revision:
      description: Its revision.
      type: str
      sample: "0002"
    title:
      description: First line of its description.
      type: str
      sample: Tasks have a due date.
findings:
  description: With O(isolation), which protections would be missing.
  returned: when that is why it failed
  type: list
  elements: dict
  sample: [{rule: rls-not-forced, object: leanvibe.tasks, message: "does not bind its owner: ALTER TABLE … FORCE ROW LEVEL SECURITY"}]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.clients.postgresql import CONNECTION
from ..module_utils.common.errors import OpsError
from ..module_utils.common.migrations import migrate
from ..module_utils.platform_database.audit import refuse_unless_green


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "connection": {"type": "dict", "required": True, "options": CONNECTION},
            "migrations": {"type": "path", "required": True},
            "version_schema": {"type": "str"},
            "search_path": {"type": "str"},
            "isolation": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 600},
            "lock_timeout": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )
    arguments = {name: module.params[name] for name in ("timeout", "lock_timeout", "version_schema", "search_path")}
    verify = refuse_unless_green if module.params["isolation"] else None
    try:
        plan = migrate(module.params["connection"], module.params["migrations"], check_mode=module.check_mode, verify=verify, **arguments)
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(**plan.to_exit())


if __name__ == "__main__":
    main()
