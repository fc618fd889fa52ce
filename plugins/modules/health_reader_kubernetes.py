#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_reader_kubernetes
short_description: Give an account the rights of the health checks in one cluster
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Makes the ClusterRole C(leanvibe-health-reader), which holds exactly what M(leanvibe.ops.health_kubernetes) needs, and binds it to O(subject).
  - The role reads no Secret.
  - Rules and subjects that differ are set back. Other bindings that name the subject are told in C(run.notes), and are left alone.
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.connection_kubernetes
options:
  subject:
    description:
      - Who gets the rights. How the subject logs in is the cluster's business.
      - Without it nothing is done, and the result is V(skipped).
    type: dict
    suboptions:
      kind:
        description: What it is.
        type: str
        choices: [User, Group, ServiceAccount]
        default: User
      name:
        description: Its name.
        type: str
        required: true
      namespace:
        description: Namespace of a service account.
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
- name: Let the group of operators on call look
  leanvibe.ops.health_reader_kubernetes:
    region: us-east-1
    connection:
      kubeconfig: /etc/leanvibe/us-east-1.kubeconfig
    subject:
      kind: Group
      name: leanvibe-on-call
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
      sample: kubernetes
    region:
      description: The region of the call.
      type: str
      sample: us-east-1
    account:
      description: The account; empty if there is none to make.
      type: str
      sample: leanvibe-on-call
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
      sample: [{object: ClusterRole leanvibe-health-reader, action: create, fields: [rules]}]
    notes:
      description: What the reader of a report should know.
      type: list
      elements: str
      sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.errors import OpsError
from ..module_utils.health_reader.kubernetes import run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "connection": {"type": "dict", "required": True, "options": {"kubeconfig": {"type": "path", "required": True}, "context": {"type": "str"}}},
            "subject": {
                "type": "dict",
                "options": {
                    "kind": {"type": "str", "choices": ["User", "Group", "ServiceAccount"], "default": "User"},
                    "name": {"type": "str", "required": True},
                    "namespace": {"type": "str"},
                },
                "required_if": [("kind", "ServiceAccount", ["namespace"])],
            },
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
