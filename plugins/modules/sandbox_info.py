#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sandbox_info
short_description: Tell the truth about every part of the sandbox
version_added: 0.1.0
description:
  - Asks every server something real (a query, a health endpoint that needs its store, a signed request) and looks at its processes.
  - A server that was stopped by a signal is V(paused) and not running, whatever its supervisor says.
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
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: Changes nothing.
  idempotent:
    support: full
seealso:
  - module: leanvibe.ops.sandbox
"""

EXAMPLES = r"""
- name: Look at the sandbox
  leanvibe.ops.sandbox_info:
    directory: "{{ playbook_dir }}/../.sandbox"
  register: sandbox

- name: Go on only when all of it runs
  ansible.builtin.assert:
    that: sandbox.healthy
    fail_msg: "{{ sandbox.problems | join(', ') }}"
"""

RETURN = r"""
healthy:
  description: Whether every server runs and every proxied way is open.
  returned: success
  type: bool
problems:
  description: What is not as it should be, a sentence each.
  returned: success
  type: list
  elements: str
  sample: ["redis us-east-1 is paused"]
components:
  description: The servers.
  returned: success
  type: list
  elements: dict
  contains:
    component:
      description: Name for M(leanvibe.ops.sandbox_fault).
      type: str
    system:
      description: Group of hosts that it belongs to.
      type: str
    region:
      description: Region, empty for what both share.
      type: str
    state:
      description: V(running), V(paused), V(dead), V(starting) (alive for a short while and silent) or V(unreachable) (alive and silent).
      type: str
    version:
      description: Version that the server told, empty if it did not.
      type: str
    address:
      description: Address for clients.
      type: str
    pid:
      description: Process id, null if it is dead.
      type: int
    memory_bytes:
      description: Memory of all its processes; pages that they share are counted once.
      type: int
    detail:
      description: Why it does not answer.
      type: str
ways:
  description: The ways through toxiproxy.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name for M(leanvibe.ops.sandbox_fault).
      type: str
    component:
      description: Component that the way leads to.
      type: str
    region:
      description: Region of that component.
      type: str
    via:
      description: Region whose toxiproxy the way goes through.
      type: str
    address:
      description: Where the way begins.
      type: str
    state:
      description: V(open), V(cut), V(slow), or V(unknown) when toxiproxy does not answer.
      type: str
    latency_ms:
      description: Delay in milliseconds, null if there is none.
      type: int
memory_bytes:
  description: Memory of all processes of the sandbox.
  returned: success
  type: int
supervisor_pid:
  description: Process id of supervisord, null if it is dead.
  returned: success
  type: int
table:
  description: The same for people.
  returned: success
  type: str
name:
  description: Name of the sandbox on this machine.
  returned: success
  type: str
directory:
  description: Folder in which the sandbox leaves what people read.
  returned: success
  type: str
data:
  description: Folder of the servers' data.
  returned: success
  type: str
port_base:
  description: First of its TCP ports.
  returned: success
  type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.errors import OpsError
from ..module_utils.sandbox import operations


def main() -> None:
    """Read the arguments, do the work, return the result."""
    module = AnsibleModule(
        argument_spec={"directory": {"type": "path", "required": True}, "data_dir": {"type": "path"}},
        supports_check_mode=True,
    )
    try:
        result = operations.info(module.params)
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
