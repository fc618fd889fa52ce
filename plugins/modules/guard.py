#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The work is done by the action plugin of the same name, on the controller; this is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: guard
short_description: Stop a run that the inventory does not permit or cannot serve
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Looks at the inventory variables of all hosts of the play at once, before anything is touched, and fails with everything that is wrong in one message.
  - Refuses more than one environment in a run, an environment of another kind than the playbook is made for, a policy that is looser than the
    kind of environment allows, and extra variables that would change what the environment is.
  - Names every value that is declared in C(leanvibe_ops_required) and missing, and every other C(leanvibe_ops_*) variable that cannot be
    evaluated, with the hosts that need it. Values are never shown.
  - Runs once for all hosts of the play, on the controller, without a connection.
options:
  kinds:
    description: Kinds of environment that the playbook is made for (V(sandbox), V(development), V(staging), V(production)). Empty means all.
    type: list
    elements: str
    default: []
  connections:
    description:
      - Whether the connection variables are evaluated. V(false) for playbooks that bring the platform up, which is what these variables wait for.
    type: bool
    default: true
  purposes:
    description:
      - What the run is for, beyond every day's work. Values that the inventory declares for certain C(purposes) only, such as the password
        of a superuser, are asked for when one of them is named here, and otherwise not even looked up.
    type: list
    elements: str
    default: []
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
"""

EXAMPLES = r"""
- name: Make sure that the inventory can serve this playbook
  leanvibe.ops.guard:

- name: Run on a sandbox only, also when it is not up yet
  leanvibe.ops.guard:
    kinds: [sandbox]
    connections: false
"""

RETURN = r"""
environment:
  description: Name of the environment (C(leanvibe_ops_environment)).
  returned: success
  type: str
  sample: production
kind:
  description: Kind of the environment.
  returned: success
  type: str
  sample: production
hosts:
  description: Number of hosts whose variables were looked at.
  returned: success
  type: int
  sample: 13
"""
