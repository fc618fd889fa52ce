#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_reader_report
short_description: Conclude a run that made accounts for the health checks with a report
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Writes the report (JSON and HTML) of what became of each endpoint, and returns its verdict and a summary for the terminal.
  - In check mode the report's name ends in C(-check), and C(latest.json) and C(latest.html) stay as they are.
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
options:
  run_id:
    description: Id of the run.
    type: str
    required: true
  started:
    description: When the run began, ISO 8601 in UTC.
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
  report_dir:
    description: Directory of all reports.
    type: path
    required: true
  endpoints:
    description: What the endpoints' modules returned, as the filter P(leanvibe.ops.health_runs#filter) collects it, a list or its JSON text.
    type: json
    required: true
  check:
    description: Whether the run that is reported was a check.
    type: bool
    default: false
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
"""

EXAMPLES = r"""
- name: Report
  leanvibe.ops.health_reader_report:
    run_id: 3f2a9c41
    started: "2026-11-21T06:00:00Z"
    environment: sandbox
    regions: [us-east-1, us-west-2]
    report_dir: reports
    endpoints: "{{ hostvars | leanvibe.ops.health_runs(ansible_play_hosts_all, {'__health_reader_run': ''}, text=true) }}"
"""

RETURN = r"""
verdict:
  description: C(succeeded), C(partial), C(failed) or C(refused).
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
from ..module_utils.health_reader.reporting import conclude


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **{name: {"type": "str", "required": True} for name in ("run_id", "started", "environment")},
            "regions": {"type": "list", "elements": "str", "required": True},
            "report_dir": {"type": "path", "required": True},
            "endpoints": {"type": "json", "required": True},
            "check": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**conclude(module.params, check=module.params["check"] or module.check_mode))
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)


if __name__ == "__main__":
    main()
