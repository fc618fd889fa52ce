#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tenants_object_store
short_description: Reconcile tenants with one object store
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Gives each tenant a versioned bucket C(tenant-<id>) that the platform owns, a key of its own, and a policy that lets this key work in this bucket over TLS.
  - The tenant can neither change the bucket's policy, ACL or versioning, nor delete the bucket or older versions, nor see or make other buckets.
  - Reads all accounts and buckets in bulk and three properties of each bucket singly, because S3 has no bulk read of them, and writes only what differs.
  - A suspended tenant's key is denied everything. Its data stays.
  - Secret keys are read from the tenants' Secrets. Buckets and accounts whose names do not begin with C(tenant-) are left alone.
notes:
  - S3 cannot hold a bucket to an amount of storage. The tier's C(storage_bytes) is measured on request and reported as measured, not enforced.
requirements:
  - boto3, with O(connection.driver=aws)
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.tenants
  - leanvibe.ops.tenants.secrets
  - leanvibe.ops.connection_object_store
options:
  measure:
    description: Whether to measure how much the tenants store. Only with O(connection.driver=versitygw).
    type: bool
    default: false
  measure_pages:
    description: How many pages of 1000 versions to list at most in each bucket when measuring. Above that, the sizes are lower bounds.
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
- name: Tenants on the object store of this region
  leanvibe.ops.tenants_object_store:
    region: us-east-1
    connection:
      endpoint: https://s3.us-east-1.example.com
      region: us-east-1
      access_key: operations
      secret_key: "{{ vault_object_store_secret_key }}"
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
  sample: object_store
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
      sample: [{object: bucket tenant-acme, action: create, fields: []}]
    message:
      description: What is wrong and the way out, if anything is.
      type: str
      sample: ""
undeclared:
  description: Ids of tenants that the store holds a bucket or key for and that are not declared. They are left alone.
  returned: success
  type: list
  elements: str
  sample: []
notes:
  description: What the reader of a report should know, for example which limits are measured and not enforced.
  returned: success
  type: list
  elements: str
  sample: ["storage_bytes: measured, not enforced. No tenant is above its number."]
observed:
  description: Observed state by tenant id.
  returned: success
  type: dict
  sample: {acme: {bucket: tenant-acme, access: true}}
requests:
  description: How many requests were sent.
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

from ..module_utils.clients.object_store import CONNECTION
from ..module_utils.common.errors import OpsError
from ..module_utils.tenants.arguments import argument_spec
from ..module_utils.tenants.systems.object_store import run


def main() -> None:
    extra = {"measure": {"type": "bool", "default": False}, "measure_pages": {"type": "int", "default": 10}}
    module = AnsibleModule(argument_spec=argument_spec(connection=CONNECTION, **extra), supports_check_mode=True)
    try:
        module.exit_json(**run(module.params, check_mode=module.check_mode))
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)


if __name__ == "__main__":
    main()
