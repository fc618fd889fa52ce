#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_monitoring
short_description: Check the health of Prometheus and Alertmanager
version_added: 0.1.0
author:
  - LeanVibe Operations (@leanvibe)
description:
  - Looks at the monitoring of one region. Whether Prometheus and Alertmanager are up and work by the configuration that was written last, whether everybody
    answers whom Prometheus asks and tells what is true now, whether rules are evaluated and in time, whether there is room for what is read, what
    alerts now and did within 24 hours, whether alerts arrive and are delivered, and who silences what.
  - The two servers are looked at side by side, each on a connection of its own, so that one that is silent does not hide the other.
  - Changes nothing. Whatever happens to a check or to a server, every check is told of; the module itself fails only if its arguments are wrong.
  - O(options) says what is declared of the monitoring. C(jobs) (a list, names of jobs that must have targets), C(metrics) (a list, names of metrics that the
    platform's dashboards and rules need; without it that check is skipped), C(timestamps) (a mapping, metrics that hold a time and the seconds that it may
    be away from now; without it that check is skipped), C(max_series) (how many series Prometheus has memory for), C(watchdog) (name of the alert
    that always fires, C(Watchdog) by default; empty if there is none), C(peers) (how many Alertmanagers must be together, 1 by default),
    C(silences_by) (a list, as whom operations silence, C(leanvibe.ops) by default).
requirements:
  - urllib3
  - prometheus-client
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.health_checks
options:
  connection:
    description: Where the monitoring of the region is.
    type: dict
    required: true
    suboptions:
      prometheus_url:
        description: Address of Prometheus, with the path that it is served under.
        type: str
        required: true
      alertmanager_url:
        description: Address of Alertmanager, with the path that it is served under.
        type: str
        required: true
      token:
        description: Sent to both as a bearer token, where what stands before them wants one. Not together with O(connection.username).
        type: str
      username:
        description: As whom to sign in at both (basic authentication), where they or what stands before them ask. Needs O(connection.password).
        type: str
      password:
        description: The password of O(connection.username).
        type: str
      ca_file:
        description: Certificates of authorities to trust, in place of the system's.
        type: path
attributes:
  check_mode:
    support: full
    details: It does the same as without.
  diff_mode:
    support: none
    details: It changes nothing.
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Look at the monitoring of this region
  leanvibe.ops.health_monitoring:
    region: us-east-1
    connection:
      prometheus_url: https://monitoring.us-east-1.example.com/prometheus
      alertmanager_url: https://monitoring.us-east-1.example.com/alertmanager
    options:
      jobs: [backend, node, postgresql]
      metrics: [pg_up, redis_up, node_load1]
      timestamps:
        node_time_seconds: 60
      peers: 2
  register: __health_run
"""

RETURN = r"""
run:
  description: What became of the checks.
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
      sample: [{id: monitoring.prometheus, subject: us-east-1/monitoring, verdict: ok}]
    checks:
      description: Each check with its outcome (C(executed), C(skipped), C(could_not_run)), the seconds that it took, and the reason if it was not executed.
      type: list
      elements: dict
      sample: [{id: monitoring.prometheus, place: us-east-1/monitoring, outcome: executed, seconds: 0.002, reason: ""}]
    facts:
      description: What is compared on the controller, here the clocks.
      type: dict
      sample: {clock: {monitoring.prometheus_clock: [-0.01, 0.0]}}
    seconds:
      description: How long all of it took.
      type: float
      sample: 0.1
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.diagnosis.monitoring import IN_DEPTH
from ..module_utils.health.arguments import HEALTH
from ..module_utils.health.systems.monitoring.link import CONNECTION, CONNECTION_RULES, run


def main() -> None:
    """Read the arguments, look, return what was found."""
    connection = {"type": "dict", "required": True, "options": CONNECTION, **CONNECTION_RULES}
    module = AnsibleModule(argument_spec={**HEALTH, "connection": connection}, supports_check_mode=True)
    module.exit_json(changed=False, run=run(module.params, IN_DEPTH))


if __name__ == "__main__":
    main()
