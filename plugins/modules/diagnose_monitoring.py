#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: diagnose_monitoring
short_description: Ask Prometheus what a diagnosis needs to know
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Asks one Prometheus for the machines' processors, memory and disks (node exporter), for the application's time by route, and for the tenants' share of
    the requests.
  - Changes nothing. Whatever happens to a check or to Prometheus, every check is told of; the module itself fails only if its arguments are wrong.
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.health_checks
attributes:
  check_mode:
    support: full
    details: It does the same as without.
  diff_mode:
    support: none
    details: It changes nothing.
  idempotent:
    support: full
options:
  connection:
    description: The Prometheus to ask.
    type: dict
    required: true
    suboptions:
      prometheus_url:
        description: Its address.
        type: str
        required: true
      alertmanager_url:
        description: Taken as inventories have it, and not used.
        type: str
      token:
        description: Token for its API, if it asks for one.
        type: str
      ca_file:
        description: Path of the certificates that sign the server's.
        type: path
"""

EXAMPLES = r"""
- name: Ask Prometheus
  leanvibe.ops.diagnose_monitoring:
    region: us-east-1
    profile: diagnose
    connection:
      prometheus_url: https://prometheus.us-east-1.example.com
  register: __diagnose_run
"""

RETURN = r"""
run:
  description: What became of the checks, as of the modules C(health_<system>).
  returned: success
  type: dict
  contains:
    system:
      description: Which system this is.
      type: str
      sample: monitoring
    region:
      description: The region of the call.
      type: str
      sample: us-east-1
    items:
      description: What was found, good or bad, each with its verdict, in the form of reports.
      type: list
      elements: dict
      sample: [{id: monitoring.cpu, subject: us-east-1/monitoring/machine, verdict: ok}]
    checks:
      description: Each check with its outcome (C(executed), C(skipped), C(could_not_run)), the seconds that it took, and the reason if it was not executed.
      type: list
      elements: dict
      sample: [{id: monitoring.cpu, place: us-east-1/monitoring, outcome: executed, seconds: 0.002, reason: ""}]
    facts:
      description: Empty.
      type: dict
      sample: {}
    seconds:
      description: How long all of it took.
      type: float
      sample: 0.1
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.diagnosis.monitoring import CONNECTION, IN_DEPTH, SYSTEM, link
from ..module_utils.health.arguments import HEALTH, run_from


def main() -> None:
    connection = {"type": "dict", "required": True, "options": CONNECTION}
    module = AnsibleModule(argument_spec={**HEALTH, "connection": connection}, supports_check_mode=True)
    run = run_from(module.params, SYSTEM, IN_DEPTH, link(module.params["connection"]))
    module.exit_json(changed=False, run=run.to_mapping())


if __name__ == "__main__":
    main()
