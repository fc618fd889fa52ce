#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sandbox
short_description: Bring the platform up on this machine, or take it down
version_added: 0.1.0
description:
  - Runs two regions of real systems on loopback (Kubernetes, PostgreSQL, PgBouncer, Redis, Neo4j, an object store, toxiproxy), the
    application's backend service on top of them, and a stand-in of AWS's control plane, each server a program of one supervisord that
    restarts nothing by itself.
  - One call brings up everything that is not there, repairs what is dead, resumes what is paused and heals what is cut; on a sandbox that
    is well it changes nothing.
  - Secrets are made once, kept with the data, and never returned.
author:
  - LeanVibe Operations (@leanvibe)
options:
  state:
    description: V(started) brings everything up. V(stopped) ends every process; it keeps the data unless O(purge) is set.
    type: str
    choices: [started, stopped]
    default: started
  directory:
    description: Folder in which the sandbox leaves what people and inventories read. It identifies the sandbox.
    type: path
    required: true
  data_dir:
    description:
      - Folder of the servers' data.
      - The default is below C(/var/lib/leanvibe-sandbox) for root, because the servers then run as users of their own, and C(data) in
        O(directory) for everybody else.
    type: path
  port_base:
    description:
      - First of the 300 TCP ports that the sandbox takes.
      - The default is 21000 for a new sandbox. One that exists keeps its ports.
    type: int
  binaries:
    description:
      - Paths of the programs by their names, as M(leanvibe.ops.sandbox_binaries) finds them. Needed for O(state=started).
      - C(backend) is the folder of the backend service's sources, which is C(files/backend) of the role P(leanvibe.ops.sandbox#role).
    type: dict
  traffic:
    description: With O(state=started), have light, steady traffic go through the backend of both regions. Without it, traffic that is there is stopped.
    type: bool
    default: false
  traffic_tenants:
    description: IDs of the tenants that the traffic acts for, one after another. Those that do not exist or are suspended are left out.
    type: list
    elements: str
    default: []
  purge:
    description: With O(state=stopped), remove the data and everything in O(directory) that the sandbox has put there.
    type: bool
    default: false
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
attributes:
  check_mode:
    support: partial
    details: Says which servers would be started, resumed or stopped. What would change within them is not foretold.
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: leanvibe.ops.sandbox_binaries
  - module: leanvibe.ops.sandbox_info
  - module: leanvibe.ops.sandbox_fault
"""

EXAMPLES = r"""
- name: Find or build the programs
  leanvibe.ops.sandbox_binaries:
  register: programs

- name: Bring the sandbox up
  leanvibe.ops.sandbox:
    directory: "{{ playbook_dir }}/../.sandbox"
    binaries: >-
      {{ dict(programs.binaries.keys() | zip(programs.binaries.values() | map(attribute='path')))
      | combine({'backend': playbook_dir ~ '/../roles/sandbox/files/backend'}) }}

- name: Take it down, with its data
  leanvibe.ops.sandbox:
    state: stopped
    directory: "{{ playbook_dir }}/../.sandbox"
    purge: true
"""

RETURN = r"""
done:
  description: What was done, a sentence each; in check mode what would be done to the servers.
  returned: success
  type: list
  elements: str
  sample: ["redis-us-east-1: started"]
seconds:
  description: How long it took.
  returned: success
  type: float
  sample: 21.4
postgresql_primary:
  description: Region whose PostgreSQL server is the primary.
  returned: when O(state=started)
  type: str
  sample: us-east-1
name:
  description: Name of the sandbox on this machine.
  returned: success
  type: str
  sample: ops-3f2a9c10
directory:
  description: Folder in which the sandbox leaves what people read.
  returned: success
  type: str
  sample: /srv/ops/.sandbox
data:
  description: Folder of the servers' data.
  returned: success
  type: str
  sample: /var/lib/leanvibe-sandbox/ops-3f2a9c10
port_base:
  description: First of its TCP ports.
  returned: success
  type: int
  sample: 21000
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.errors import OpsError
from ..module_utils.sandbox import operations


def main() -> None:
    """Read the arguments, do the work, return the result."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
            "directory": {"type": "path", "required": True},
            "data_dir": {"type": "path"},
            "port_base": {"type": "int"},
            "binaries": {"type": "dict"},
            "traffic": {"type": "bool", "default": False},
            "traffic_tenants": {"type": "list", "elements": "str", "default": []},
            "purge": {"type": "bool", "default": False},
        },
        required_if=[("state", "started", ["binaries"])],
        supports_check_mode=True,
    )
    work = operations.start if module.params["state"] == "started" else operations.stop
    try:
        result = work(module.params, module.check_mode)
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
