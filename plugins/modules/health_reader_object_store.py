#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_reader_object_store
short_description: Make the account of the health checks on one object store
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - On versitygw makes an account of role C(user) and names it in the policies of O(backup_buckets), with the rights that M(leanvibe.ops.health_object_store)
    needs.
  - What else these policies say stays. Policies of tenants' buckets belong to M(leanvibe.ops.tenants_object_store) and are not touched.
  - With O(connection.driver=aws) gives the user of IAM O(user) a policy of its own that holds exactly these rights.
notes:
  - IAM was tested on a stand-in, not on the real service.
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.connection_object_store
options:
  account:
    description:
      - The account of a versitygw, as C(leanvibe_ops_health_object_store) names it.
      - Without it nothing is done, and the result is V(skipped).
    type: dict
    suboptions:
      access_key:
        description: Its access key id.
        type: str
        required: true
      secret_key:
        description: Its secret key.
        type: str
  user:
    description:
      - Name of the user of IAM, with O(connection.driver=aws).
      - Without it nothing is done, and the result is V(skipped).
    type: str
  backup_buckets:
    description: Buckets of backups that the checks look at.
    type: list
    elements: str
    default: []
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
- name: Make the account of the health checks
  leanvibe.ops.health_reader_object_store:
    region: us-east-1
    connection:
      endpoint: https://s3.us-east-1.example.com
      region: us-east-1
      access_key: operations
      secret_key: "{{ vault_s3_secret_key }}"
    account:
      access_key: health
      secret_key: "{{ vault_s3_health_secret_key }}"
    backup_buckets: [leanvibe-backups]
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
      sample: object_store
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
      sample: [{object: account health, action: create, fields: []}]
    notes:
      description: What the reader of a report should know.
      type: list
      elements: str
      sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.clients.object_store import CONNECTION
from ..module_utils.common.errors import OpsError
from ..module_utils.health_reader.object_store import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "connection": {"type": "dict", "required": True, "options": CONNECTION},
            "account": {
                "type": "dict",
                "options": {"access_key": {"type": "str", "required": True, "no_log": False}, "secret_key": {"type": "str", "no_log": True}},
            },
            "user": {"type": "str"},
            "backup_buckets": {"type": "list", "elements": "str", "default": []},
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
