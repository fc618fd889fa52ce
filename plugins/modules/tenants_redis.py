#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tenants_redis
short_description: Reconcile tenants with one Redis node
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Gives each tenant an ACL user C(tenant-<id>) that reaches keys and channels C(tenant:<id>:*) and a list of allowed commands, and nothing else.
  - Reads all users in one request and writes only what differs, all of it in one transaction that also saves the ACL file.
  - A suspended tenant's user is switched off and its connections are closed. Its data stays.
  - Passwords are read from the tenants' Secrets and reach Redis as SHA-256 hashes. Users whose names do not begin with C(tenant-) are left alone.
notes:
  - Redis cannot hold one user to an amount of memory. The tier's C(memory_bytes) is measured on request and reported as measured, not enforced.
requirements:
  - Redis 7.0 or newer with an ACL file
  - boto3, with O(connection.driver=elasticache)
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.tenants
  - leanvibe.ops.tenants.secrets
  - leanvibe.ops.connection_redis
options:
  measure:
    description: Whether to measure how much memory the tenants use.
    type: bool
    default: false
  measure_keys:
    description: How many keys to go through at most when measuring. Above that, numbers are estimated from the part that was seen.
    type: int
    default: 100000
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Tenants on the Redis node of this region
  leanvibe.ops.tenants_redis:
    region: us-east-1
    connection:
      host: redis.us-east-1.example.com
      username: operations
      password: "{{ vault_redis_password }}"
      tls: true
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
  sample: redis
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
      sample: [{object: user tenant-acme, action: create, fields: []}]
    message:
      description: What is wrong and the way out, if anything is.
      type: str
      sample: ""
undeclared:
  description: Ids of tenants that the node holds a user for and that are not declared. They are left alone.
  returned: success
  type: list
  elements: str
  sample: []
notes:
  description: What the reader of a report should know, for example which limits are measured and not enforced.
  returned: success
  type: list
  elements: str
  sample: ["memory_bytes: measured, not enforced (12 of 12 keys seen). No tenant is above its number."]
observed:
  description: Observed state by tenant id.
  returned: success
  type: dict
  sample: {acme: {user: tenant-acme, enabled: true}}
requests:
  description: How many commands were sent.
  returned: success
  type: int
  sample: 6
platform:
  description: Changes that belong to no tenant.
  returned: success
  type: list
  elements: dict
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.clients.redis import CONNECTION
from ..module_utils.common.errors import OpsError
from ..module_utils.tenants.arguments import argument_spec
from ..module_utils.tenants.systems.redis import run


def main() -> None:
    extra = {"measure": {"type": "bool", "default": False}, "measure_keys": {"type": "int", "default": 100000, "no_log": False}}
    module = AnsibleModule(argument_spec=argument_spec(connection=CONNECTION, **extra), supports_check_mode=True)
    try:
        module.exit_json(**run(module.params, check_mode=module.check_mode))
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)


if __name__ == "__main__":
    main()
