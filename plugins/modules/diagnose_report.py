#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The action plugin of the same name runs this on the controller, and shows the summary in colours where there is a terminal.

from __future__ import annotations

DOCUMENTATION = r"""
module: diagnose_report
short_description: Conclude a diagnosis with a report
version_added: 0.1.0
description:
  - Takes what the checks of all endpoints found and concludes as M(leanvibe.ops.health_report) does; on top, it gives a verdict on each of the five areas
    (infrastructure, application, database, dependencies, business logic), ranks the findings by measured effect, and lays each of them into one phase of a
    plan.
  - An area of which not one check was executed is C(unknown). Nothing is estimated; a finding without a measured effect says so.
  - Says whether the run fails; it does not fail by itself. It fails if its inputs are wrong or the report cannot be written.
author:
  - LeanVibe Operations (@leanvibe)
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.history_registry
attributes:
  check_mode:
    support: full
    details: The report of a check is itself a file; it is written. C(latest.*) and the history stay as they are.
  diff_mode:
    support: none
    details: A report is the record of a run, not something to reach.
  idempotent:
    support: full
    details: Never reports a change. Reports are the record of a run.
options:
  step:
    description: V(inputs) checks the inputs before anything is asked, and tells whom the diagnosis is about and what the last run counted.
    type: str
    choices: [inputs, conclude]
    default: conclude
  run_id:
    description: Id of the run. Required for V(conclude).
    type: str
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
    default: []
  report_dir:
    description: Directory of all reports.
    type: path
    required: true
  check:
    description: Whether the run that is reported was a check.
    type: bool
    default: false
  endpoints:
    description: What the endpoints returned, as the filter P(leanvibe.ops.health_runs#filter) collects it, a list or its JSON text.
    type: json
    default: "[]"
  expected:
    description: For each system the list of regions in which it is not declared absent. One that nothing was heard of is C(unknown).
    type: dict
    default: {}
  only:
    description: Ids of checks. If given, no others are part of the run.
    type: list
    elements: str
    default: []
  without:
    description: Ids of checks that are skipped.
    type: list
    elements: str
    default: []
  thresholds:
    description: Figures that replace those of checks, as in M(leanvibe.ops.health_report).
    type: dict
    default: {}
  waivers:
    description: Findings that are known and accepted, as in M(leanvibe.ops.health_report).
    type: list
    elements: dict
    default: []
  fail_on:
    description: Verdicts of findings (V(critical), V(unknown), V(degraded)) that fail the run.
    type: list
    elements: str
    default: [critical, unknown]
  changes:
    description: What was changed on the platform, as in M(leanvibe.ops.health_report).
    type: list
    elements: dict
    default: []
  history_runs:
    description: How many runs are kept at most.
    type: int
    default: 30
  history_days:
    description: For how many days runs are kept.
    type: int
    default: 90
  selected_ids:
    description: Ids of the tenants that the selection chose; looked at if O(chosen).
    type: list
    elements: str
    default: []
  chosen:
    description: Whether there was a selection; it must have chosen one tenant.
    type: bool
    default: false
  tenant:
    description: The tenant that was diagnosed; an empty text for the platform.
    type: str
    default: ""
  bundle:
    description: Whether to make a redacted bundle of all that was seen, C(.tar.gz) beside the report, readable by its owner only.
    type: bool
    default: false
  hide:
    description: Secrets that must not be in the bundle, whatever they look like. Those of less than 8 characters are left to their form.
    type: list
    elements: str
    default: []
  show:
    description: Whether to show the summary, coloured if the output is a terminal.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Conclude
  leanvibe.ops.diagnose_report:
    run_id: 3f2a9c41
    started: "2026-11-21T06:00:00Z"
    environment: sandbox
    report_dir: reports
    endpoints: "{{ hostvars | leanvibe.ops.health_runs(ansible_play_hosts_all, text=true) }}"
    tenant: acme-corp
    bundle: true
  register: diagnosis
"""

RETURN = r"""
tenant:
  description: The tenant that the diagnosis is about; an empty text for the platform.
  type: str
  returned: step is inputs
checks:
  description: The ids of all checks.
  type: list
  elements: str
  returned: step is inputs
only:
  description: O(only), with the checks that chosen comparisons between endpoints need.
  type: list
  elements: str
  returned: step is inputs
counters_before:
  description: For each C(region/system) the counters that the last diagnosis read.
  type: dict
  returned: step is inputs
verdict:
  description: The worst of the findings that are not waived.
  type: str
  returned: step is conclude
  sample: degraded
failing:
  description: Whether the run is to end with a failure, by O(fail_on).
  type: bool
  returned: step is conclude
areas:
  description: The verdict on each area.
  type: dict
  returned: step is conclude
  sample: {infrastructure: ok, application: ok, database: degraded, dependencies: unknown, business_logic: ok}
counts:
  description: How many findings have which verdict.
  type: dict
  returned: step is conclude
path:
  description: The JSON report.
  type: str
  returned: step is conclude
paths:
  description: All files that were written.
  type: list
  elements: str
  returned: step is conclude
summary:
  description: The report for a terminal.
  type: str
  returned: step is conclude
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.errors import OpsError
from ..module_utils.diagnosis.arguments import FIXED, REPORT
from ..module_utils.diagnosis.conclude import perform


def main() -> None:
    module = AnsibleModule(argument_spec=REPORT, required_if=[("step", "conclude", ("run_id",))], supports_check_mode=True)
    try:
        result = perform({**FIXED, **module.params, "check": module.params["check"] or module.check_mode})
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
