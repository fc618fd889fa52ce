#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tenants_declared
short_description: Check the declared tenants and choose those that a run is about
version_added: 0.1.0
description:
  - Checks the whole declared list at once and fails with every problem of every tenant before anything is touched.
  - Ids become names in every system, so only C(^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$) is taken, apart from reserved ones. Names and contacts are shown to
    people, so what controls terminals, looks like other letters, or quotes and nests in other languages is refused.
  - Contacts nothing and nobody.
author:
  - LeanVibe Operations (@leanvibe)
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
attributes:
  check_mode:
    support: full
    details: The module never changes anything.
  diff_mode:
    support: none
    details: The module never changes anything.
  idempotent:
    support: full
options:
  tenants:
    description:
      - The declared tenants, a list as the inventory holds it. Each is a dictionary of C(id), C(name), C(tier), C(region), C(contacts), and optionally
        C(state) and C(overrides).
    type: raw
    required: true
  selection:
    description:
      - Which of them the run is about, a list (or a text with commas) of ids, C(tier:<tier>), C(region:<region>), C(state:<state>); a tenant that any of
        them matches is chosen. If not given, all of them. An empty list chooses none.
    type: raw
  tiers:
    description: The tiers catalogue, C(tiers_catalogue) of the role P(leanvibe.ops.tiers#role).
    type: dict
    required: true
  regions:
    description: Names of the platform's regions.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Check what is declared and choose the enterprise tenants
  leanvibe.ops.tenants_declared:
    tenants: "{{ tenants }}"
    selection: ["tier:enterprise"]
    tiers: "{{ tiers_catalogue }}"
    regions: "{{ leanvibe_ops_regions | list }}"
  register: declared
"""

RETURN = r"""
declared_ids:
  description: Ids of all declared tenants.
  type: list
  elements: str
  returned: success
selected_ids:
  description: Ids of the chosen tenants.
  type: list
  elements: str
  returned: success
tenants:
  description: The chosen tenants in compact form, as the other tenants modules take them.
  type: list
  elements: dict
  returned: success
problems:
  description: Every problem of every tenant and of the selection.
  type: list
  elements: str
  returned: failure
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.errors import OpsError
from ..module_utils.tenants.declared import declare


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "tenants": {"type": "raw", "required": True},
            "selection": {"type": "raw"},
            "tiers": {"type": "dict", "required": True},
            "regions": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        result = declare(params["tenants"], params["selection"], params["tiers"], params["regions"]).to_exit()
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
