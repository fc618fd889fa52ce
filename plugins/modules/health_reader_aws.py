#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_reader_aws
short_description: Give a user of IAM the rights of the health checks of AWS
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Makes the user where it is missing, and gives it a policy of its own that holds exactly what M(leanvibe.ops.health_aws) needs.
  - A user that has further policies, or is in groups, is V(refused), because it may do more than look.
  - Makes no access key. AWS shows a secret key once, to who makes it.
notes:
  - IAM is one for all regions. Tested on a stand-in, not on the real service.
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.connection_aws
options:
  user:
    description:
      - Name of the user of IAM.
      - Without it nothing is done, and the result is V(skipped).
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
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Let the health checks look at AWS
  leanvibe.ops.health_reader_aws:
    region: us-east-1
    connection:
      region: us-east-1
    user: leanvibe-health
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
      sample: aws
    region:
      description: The region of the call.
      type: str
      sample: us-east-1
    account:
      description: The account; empty if there is none to make.
      type: str
      sample: leanvibe-health
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
      sample: [{object: policy leanvibe-health-aws, action: create, fields: [document]}]
    notes:
      description: What the reader of a report should know.
      type: list
      elements: str
      sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.errors import OpsError
from ..module_utils.health.systems.aws.account import CONNECTION
from ..module_utils.health_reader.aws import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "connection": {"type": "dict", "required": True, "options": CONNECTION},
            "user": {"type": "str"},
            "region": {"type": "str", "required": True},
            "timeout": {"type": "float", "default": 10.0},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params, check_mode=module.check_mode))
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)


if __name__ == "__main__":
    main()
