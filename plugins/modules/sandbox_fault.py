#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sandbox_fault
short_description: Break a part of the sandbox on purpose, or take that back
version_added: 0.1.0
description:
  - Kills, pauses and resumes servers; cuts, slows and heals the ways that lead through a proxy.
  - Works on processes that belong to the sandbox and on nothing else.
author:
  - LeanVibe Operations (@leanvibe)
options:
  directory:
    description: Folder of the sandbox, as for M(leanvibe.ops.sandbox).
    type: path
    required: true
  data_dir:
    description: Folder of the servers' data, if it is not the default of M(leanvibe.ops.sandbox).
    type: path
  component:
    description:
      - Server, as M(leanvibe.ops.sandbox_info) names it, or C(kubernetes) for all servers of a cluster.
      - For V(cut), V(slow) and V(heal) the component that is cut off (every proxied way to it), or the name of one way.
    type: str
    required: true
  region:
    description: Region of the component. Not needed for what both regions share.
    type: str
  fault:
    description:
      - V(kill) is SIGKILL to the server and all its children, V(pause) is SIGSTOP, V(resume) is SIGCONT.
      - V(cut) breaks connections and refuses new ones, V(slow) delays answers by O(latency_ms), V(heal) takes both back.
    type: str
    required: true
    choices: [kill, pause, resume, cut, heal, slow]
  latency_ms:
    description: Delay of O(fault=slow) in milliseconds.
    type: int
    default: 500
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: leanvibe.ops.sandbox
  - module: leanvibe.ops.sandbox_info
"""

EXAMPLES = r"""
- name: Kill the primary
  leanvibe.ops.sandbox_fault:
    directory: "{{ playbook_dir }}/../.sandbox"
    component: postgresql
    region: us-east-1
    fault: kill

- name: Cut Redis off from the application and from its replica
  leanvibe.ops.sandbox_fault:
    directory: "{{ playbook_dir }}/../.sandbox"
    component: redis
    region: us-east-1
    fault: cut

- name: Slow the link over which the standby follows
  leanvibe.ops.sandbox_fault:
    directory: "{{ playbook_dir }}/../.sandbox"
    component: postgresql_link
    region: us-east-1
    fault: slow
    latency_ms: 2000
"""

RETURN = r"""
done:
  description: What was done, or in check mode would be done; empty when it was so already.
  returned: success
  type: list
  elements: str
  sample: ["postgresql-us-east-1 (pid 4711): kill"]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.errors import OpsError
from ..module_utils.sandbox import operations


def main() -> None:
    """Read the arguments, do the work, return the result."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "data_dir": {"type": "path"},
            "component": {"type": "str", "required": True},
            "region": {"type": "str"},
            "fault": {"type": "str", "required": True, "choices": ["kill", "pause", "resume", "cut", "heal", "slow"]},
            "latency_ms": {"type": "int", "default": 500},
        },
        supports_check_mode=True,
    )
    try:
        result = operations.inject(module.params, module.check_mode)
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
