#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tenants_postgresql
short_description: Reconcile tenants with one PostgreSQL database
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Gives each tenant a role and a schema C(tenant_<id>), the tier's connection limit and time-outs, and the row that binds the role to its tenant in the
    shared tables.
  - Reads everything in a constant number of queries, first of all whether the shared tables keep tenants apart. If they do not, nobody is let in;
    taking access away goes on.
  - Writes only what differs, each tenant in a transaction of its own, over a few sessions.
  - A suspended tenant's role cannot log in and its sessions are ended. Its data stays.
  - Passwords are read from the tenants' Secrets and reach PostgreSQL as SCRAM verifiers, so that no log of the server's can hold one.
notes:
  - A role's C(statement_timeout) is a default that its sessions can change; the connection limit is enforced. PostgreSQL has no quota for a schema, so its
    size is measured on request and reported as measured.
  - The role P(leanvibe.ops.platform_database#role) must have been run on the database.
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.tenants
  - leanvibe.ops.tenants.secrets
  - leanvibe.ops.connection_postgresql.driver
options:
  replica:
    description:
      - Whether the server is a standby, into which the primary replicates. Then nothing is written; the module reads, for at most O(timeout) seconds, until
        everything is there, and the verdicts say what was read.
    type: bool
    default: false
  measure:
    description: Whether to measure how much the tenants' schemas take.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Tenants in the primary database
  leanvibe.ops.tenants_postgresql:
    region: us-east-1
    connection:
      host: postgresql.us-east-1.example.com
      database: leanvibe
      username: leanvibe_operations
      password: "{{ vault_postgresql_password }}"
      sslrootcert: /etc/leanvibe/ca.crt
    tenants: "{{ declared.tenants }}"
    tiers: "{{ tiers_catalogue }}"
    secrets:
      us-east-1:
        kubeconfig: /etc/leanvibe/us-east-1.kubeconfig
"""

RETURN = r"""
system:
  description: Which system this is.
  returned: success
  type: str
  sample: postgresql
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
      sample: [{object: role tenant_acme, action: update, fields: [connection_limit]}]
    message:
      description: What is wrong and the way out, if anything is.
      type: str
      sample: ""
undeclared:
  description: Ids of tenants that the database holds and that are not declared. They are left alone.
  returned: success
  type: list
  elements: str
  sample: []
notes:
  description: What the reader of a report should know, first of all protections of the shared tables that are missing.
  returned: success
  type: list
  elements: str
  sample: []
observed:
  description: Observed state by tenant id, as it was before this call.
  returned: success
  type: dict
  sample: {acme: {role: tenant_acme, schema: tenant_acme, login: true, connection_limit: 40, sessions: 2}}
requests:
  description: How many requests were sent.
  returned: success
  type: int
  sample: 19
platform:
  description: Changes that belong to no tenant; always empty here.
  returned: success
  type: list
  elements: dict
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.errors import OpsError
from ..module_utils.tenants.arguments import argument_spec
from ..module_utils.tenants.systems.postgresql import CONNECTION, run


def main() -> None:
    flags = {name: {"type": "bool", "default": False} for name in ("replica", "measure")}
    module = AnsibleModule(argument_spec=argument_spec(CONNECTION, **flags), supports_check_mode=True)
    try:
        result = run(module.params, module.check_mode)
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
