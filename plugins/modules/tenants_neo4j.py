#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tenants_neo4j
short_description: Reconcile tenants with one Neo4j
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Asks the server for its edition and does what that edition can do.
  - On Community, keeps a node C((:Tenant {id})) for each tenant, the constraint that makes it one, and indexes on C(tenant_id). This edition has one database
    and every user is an administrator, so no tenant gets an account and isolation is the application's. RV(notes) says so.
  - On Enterprise, gives each tenant a database C(tenant-<id>), and a role and a user C(tenant_<id>) that reach it and no other. It was tested against the
    parser of Community, not on the real edition.
  - Writes only what differs, on Community all nodes in one statement. Names and values are parameters, never parts of a statement.
requirements:
  - neo4j (Python)
  - Neo4j 5 or newer
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.tenants
  - leanvibe.ops.tenants.secrets
  - leanvibe.ops.connection_neo4j
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Tenants on the Neo4j of this region
  leanvibe.ops.tenants_neo4j:
    region: us-east-1
    connection:
      uri: neo4j+s://neo4j.us-east-1.example.com:7687
      password: "{{ vault_neo4j_password }}"
    tenants: "{{ declared.tenants }}"
    tiers: "{{ tiers_catalogue }}"
"""

RETURN = r"""
system:
  description: Which system this is.
  returned: success
  type: str
  sample: neo4j
region:
  description: The region of the call.
  returned: success
  type: str
  sample: us-east-1
results:
  description: What was done, or in check mode would be done, for each tenant.
  returned: success
  type: list
  elements: dict
  contains:
    tenant:
      description: Id of the tenant.
      type: str
      sample: acme
    verdict:
      description: V(succeeded), V(failed), V(refused) or V(skipped).
      type: str
      sample: succeeded
    changed:
      description: Whether anything was written.
      type: bool
      sample: true
    changes:
      description: What was written.
      type: list
      elements: dict
      sample: [{object: 'node :Tenant', action: update, fields: [tier]}]
    message:
      description: What is wrong and the way out, if anything is.
      type: str
      sample: ""
undeclared:
  description: Ids of tenants that the graph or server holds and that are not declared. They are left alone.
  returned: success
  type: list
  elements: str
  sample: []
notes:
  description: What the reader of a report should know, for example what the edition cannot separate.
  returned: success
  type: list
  elements: str
  sample: ["Neo4j Enterprise: not run against the real edition"]
observed:
  description: Observed state by tenant id.
  returned: success
  type: dict
  sample: {acme: {edition: community, isolation: application}}
requests:
  description: How many statements were sent.
  returned: success
  type: int
  sample: 6
platform:
  description: Changes that belong to no tenant.
  returned: success
  type: list
  elements: dict
  sample: [{object: uniqueness leanvibe_tenant_id, action: create, fields: []}]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.clients.neo4j import CONNECTION
from ..module_utils.common.errors import OpsError
from ..module_utils.tenants.arguments import argument_spec
from ..module_utils.tenants.systems.neo4j import run


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(connection=CONNECTION), supports_check_mode=True)
    try:
        module.exit_json(**run(module.params, check_mode=module.check_mode))
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)


if __name__ == "__main__":
    main()
