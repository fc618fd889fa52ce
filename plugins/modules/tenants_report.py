#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tenants_report
short_description: Conclude a run on tenants with a report
version_added: 0.1.0
description:
  - Records in the registry what the run found and did, writes the report (JSON and HTML), and returns its verdict and a summary for the terminal.
  - The report is written even if the registry cannot be reached any more; it then says so and the run is no success.
  - In check mode nothing is recorded, the report's name ends in C(-check), and C(latest.json) and C(latest.html) stay as they are.
author:
  - LeanVibe Operations (@leanvibe)
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.connection_registry
attributes:
  check_mode:
    support: full
    details: The report of a check is itself a file; it is written.
  diff_mode:
    support: none
    details: A report is the record of a run, not something to reach.
  idempotent:
    support: full
    details: Never reports a change. Reports are the record of a run.
options:
  operation:
    description: V(tenants) reports what was done, V(tenant_status) what was looked at.
    type: str
    choices: [tenants, tenant_status]
    required: true
  run_id:
    description: Id of the run.
    type: str
    required: true
  started:
    description: When the run began, ISO 8601 in UTC.
    type: str
    required: true
  owner:
    description: Who runs it.
    type: str
    required: true
  environment:
    description: Environment that the inventory is for.
    type: str
    required: true
  regions:
    description: Names of the platform's regions.
    type: list
    elements: str
    required: true
  placement:
    description: Which tenants a system holds in a region, as for M(leanvibe.ops.tenants_registry).
    type: dict
    required: true
  report_dir:
    description: Directory of all reports.
    type: path
    required: true
  check:
    description: Whether the run that is reported was a check.
    type: bool
    default: false
  token:
    description: Token of the run's lease.
    type: int
  tenants:
    description: The tenants that the run was about, as M(leanvibe.ops.tenants_declared) returns them.
    type: list
    elements: dict
    default: []
  expected:
    description: Which tenants belong where, as M(leanvibe.ops.tenants_registry) returns it.
    type: dict
    default: {}
  kept_out:
    description: As M(leanvibe.ops.tenants_registry) returns it.
    type: dict
    default: {}
  refused:
    description: As M(leanvibe.ops.tenants_registry) returns it.
    type: dict
    default: {}
  undeclared:
    description: As M(leanvibe.ops.tenants_registry) returns it.
    type: list
    elements: str
    default: []
  endpoints:
    description: What the endpoints' modules returned, as the filter P(leanvibe.ops.endpoints#filter) collects it, a list or its JSON text.
    type: json
    default: "[]"
  refusal:
    description: What ended the run before the systems were worked on.
    type: dict
    suboptions:
      step:
        description: Which step it was.
        type: str
        required: true
      reason:
        description: What it said.
        type: str
        required: true
"""

EXAMPLES = r"""
- name: Report
  leanvibe.ops.tenants_report:
    operation: tenants
    registry: "{{ leanvibe_ops_registry }}"
    run_id: 3f2a9c41
    started: "2026-11-21T06:00:00Z"
    owner: alice
    environment: sandbox
    regions: [us-east-1, us-west-2]
    placement: "{{ leanvibe_ops_placement }}"
    report_dir: reports
    tenants: "{{ declared.tenants }}"
    expected: "{{ recorded.expected }}"
    endpoints: "{{ hostvars | leanvibe.ops.endpoints(ansible_play_hosts_all, leanvibe_ops_placement, text=true) }}"
"""

RETURN = r"""
verdict:
  description: Of V(tenants) C(succeeded), C(partial), C(failed) or C(refused); of V(tenant_status) C(ok), C(degraded), C(unknown) or C(critical).
  type: str
  returned: success
  sample: succeeded
counts:
  description: How many items have which verdict.
  type: dict
  returned: success
changes:
  description: How many items changed something, or would in check mode.
  type: int
  returned: success
path:
  description: The JSON report.
  type: str
  returned: success
summary:
  description: The report for a terminal.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.errors import OpsError
from ..module_utils.registry.connection import REGISTRY_CONNECTION
from ..module_utils.tenants.reporting import ACTING, LOOKING, conclude


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "registry": {"type": "dict", "required": True, "options": REGISTRY_CONNECTION},
            "timeout": {"type": "int", "default": 10},
            "operation": {"type": "str", "choices": [ACTING, LOOKING], "required": True},
            **{name: {"type": "str", "required": True} for name in ("run_id", "started", "owner", "environment")},
            "regions": {"type": "list", "elements": "str", "required": True},
            "placement": {"type": "dict", "required": True},
            "report_dir": {"type": "path", "required": True},
            "check": {"type": "bool", "default": False},
            "token": {"type": "int", "no_log": False},
            "tenants": {"type": "list", "elements": "dict", "default": []},
            "endpoints": {"type": "json", "default": "[]"},
            **{name: {"type": "dict", "default": {}} for name in ("expected", "kept_out", "refused")},
            "undeclared": {"type": "list", "elements": "str", "default": []},
            "refusal": {"type": "dict", "options": {"step": {"type": "str", "required": True}, "reason": {"type": "str", "required": True}}},
        },
        supports_check_mode=True,
    )
    try:
        result = conclude({**module.params, "check": module.params["check"] or module.check_mode})
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
