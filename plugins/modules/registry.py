#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry
short_description: Bring the registry database to this release's revision
version_added: 0.1.0
description:
  - Runs the Alembic migrations that the registry database lacks. The registry keeps what is declared about tenants, what was found, their history,
    runs of operations, and leases.
  - A database that is up to date is only asked for its revision.
author:
  - LeanVibe Operations (@leanvibe)
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.connection_registry
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  migrations:
    description: Directory of the Alembic migrations; the role P(leanvibe.ops.registry#role) brings them.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Bring the registry up to date
  leanvibe.ops.registry:
    registry: "{{ leanvibe_ops_registry }}"
    migrations: /usr/share/ansible/collections/ansible_collections/leanvibe/ops/roles/registry/files/migrations
"""

RETURN = r"""
current:
  description: Revision of the database before the call; none if it was empty.
  type: str
  returned: success
  sample: "0001"
target:
  description: Revision of this release.
  type: str
  returned: success
  sample: "0001"
migrations:
  description: What was run, or would be in check mode, each with C(revision) and C(description).
  type: list
  elements: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.errors import OpsError
from ..module_utils.registry.connection import REGISTRY_CONNECTION
from ..module_utils.registry.schema import bring_up


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "registry": {"type": "dict", "required": True, "options": REGISTRY_CONNECTION},
            "migrations": {"type": "path", "required": True},
            "timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    try:
        result = bring_up(module.params["registry"], module.params["migrations"], check=module.check_mode, timeout=module.params["timeout"])
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
