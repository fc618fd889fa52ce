#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The action plugin of the same name runs this on the controller, and shows the summary in colours where there is a terminal.

from __future__ import annotations

DOCUMENTATION = r"""
module: health_report
short_description: Conclude a health run with a report
version_added: 0.1.0
requirements:
  - slack-sdk, with O(slack)
  - pagerduty, with O(pagerduty)
description:
  - Takes what the checks of all endpoints found, compares endpoints with each other and the run with the last one, sets waived findings aside, and
    writes the report as JSON and HTML, on request also for Prometheus and as JUnit XML, and sends what it says to Slack, by e-mail and to PagerDuty.
  - Says whether the run fails; it does not fail by itself. It fails if its inputs are wrong or the report cannot be written.
  - In check mode, or with O(check), the report's name ends in C(-check), C(latest.json) and C(latest.html) stay as they are, nothing is added to the
    history, no other output is written, and nothing is sent; the report's notes say what would be.
  - A sink that fails (O(slack), O(mail), O(pagerduty)) is a finding C(health.sinks), C(degraded), and changes nothing else.
author:
  - LeanVibe Operations (@leanvibe)
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.history_registry
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
  step:
    description:
      - V(inputs) only checks O(profile), O(only), O(without), O(thresholds), O(waivers), O(fail_on) and the sinks, before anything is asked. With
        O(environment) and O(report_dir) or O(history_dir) it also returns what the last run counted.
    type: str
    choices: [inputs, conclude]
    default: conclude
  operation:
    description: Which operation is reported.
    type: str
    choices: [health, diagnose]
    default: health
  run_id:
    description: Id of the run. Required for V(conclude), as are O(started), O(environment) and O(report_dir).
    type: str
  started:
    description: When the run began, ISO 8601 in UTC.
    type: str
  environment:
    description: Environment that the inventory is for.
    type: str
  regions:
    description: Names of the platform's regions.
    type: list
    elements: str
    default: []
  report_dir:
    description: Directory of all reports.
    type: path
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
  profile:
    description: Which checks belong to the run.
    type: str
    choices: [daily, post_deploy, diagnose]
    default: daily
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
  writes:
    description: Whether checks may run that write.
    type: bool
    default: true
  thresholds:
    description: Figures that replace those of checks, by the check's id (or C(id[variant]) for one of its variants), with C(degraded) and C(critical).
    type: dict
    default: {}
  waivers:
    description:
      - Findings that are known and accepted. They are shown, and do not count for the verdict. An expired one is itself a finding.
      - Each has C(check) (id of the check), C(subject) (the finding's, exactly as reports write it), C(reason), C(owner) (who answers for it) and
        C(expires) (its last day, for example V(2026-12-31)). All mistakes in them are named at once, and then nothing is reported.
    type: list
    elements: dict
    default: []
  fail_on:
    description: Verdicts of findings (V(critical), V(unknown), V(degraded)) that fail the run.
    type: list
    elements: str
    default: [critical, unknown]
  fail_only_new:
    description: Whether only findings fail the run that are new, or have got worse, since the last run. Without a last run all are new.
    type: bool
    default: false
  changes:
    description:
      - What was changed on the platform, to be shown beside the findings if it is of the last 24 hours.
      - Each has C(at) (ISO 8601 in UTC) and C(what), and may have C(where) and C(who).
    type: list
    elements: dict
    default: []
  notes:
    description: What a reader of the report should know.
    type: list
    elements: str
    default: []
  history_dir:
    description: Where runs are kept if not in O(history_registry). If not given, C(history) beside the reports.
    type: path
  history_runs:
    description: How many runs are kept at most.
    type: int
    default: 120
  history_days:
    description: For how many days runs are kept, and for how many a finding that is not looked at stays open.
    type: int
    default: 90
  prometheus_file:
    description: File for the textfile collector of Prometheus' node exporter; its name must end in C(.prom).
    type: path
  junit_file:
    description: File for JUnit XML.
    type: path
  slack:
    description: A message to Slack. None is sent unless this is given, nor if there is nothing to tell.
    type: dict
    suboptions:
      at_least:
        description:
          - From which verdict on findings are told, and what is resolved of them; with nothing to tell, nothing is sent.
          - V(ok) sends a message after every run.
        type: str
        choices: [critical, unknown, degraded, ok]
        default: degraded
      only_new:
        description: Whether to tell only of findings that are new, or have got worse, since the last run, and of those that are resolved.
        type: bool
        default: false
      timeout:
        description: Seconds for all of it.
        type: float
        default: 10.0
      ca_file:
        description: Certificates of authorities to trust, in place of the system's.
        type: path
      webhook_url:
        description: Address of an incoming webhook, a secret. This or O(slack.token).
        type: str
      token:
        description: A bot's token with the right C(chat:write), a secret; with O(slack.channel).
        type: str
      channel:
        description: Id or name of the channel that O(slack.token) writes to.
        type: str
      api_url:
        description: Where the API is that takes O(slack.token).
        type: str
        default: https://slack.com/api/
  mail:
    description: An e-mail, plain text. None is sent unless this is given, nor if there is nothing to tell.
    type: dict
    suboptions:
      at_least:
        description: As in O(slack.at_least).
        type: str
        choices: [critical, unknown, degraded, ok]
        default: degraded
      only_new:
        description: As in O(slack.only_new).
        type: bool
        default: false
      timeout:
        description: Seconds for all of it.
        type: float
        default: 10.0
      ca_file:
        description: Certificates of authorities to trust, in place of the system's.
        type: path
      host:
        description: The mail server.
        type: str
        required: true
      port:
        description: Its port; usually 587 for V(starttls) and 465 for V(tls).
        type: int
        default: 587
      security:
        description: How the connection is encrypted. The server's certificate is always checked. V(none) is refused together with a password.
        type: str
        choices: [starttls, tls, none]
        default: starttls
      username:
        description: Account on the server; with O(mail.password).
        type: str
      password:
        description: Its password.
        type: str
      sender:
        description: Who it is from.
        type: str
        required: true
      to:
        description: Who it is for.
        type: list
        elements: str
        required: true
  pagerduty:
    description:
      - One event for each finding (Events API v2), with environment, check and subject as its C(dedup_key). It is resolved when the finding is gone,
        waived, or no longer as bad as O(pagerduty.at_least); what a run did not look at stays open.
      - What is open there is kept in C(<report_dir>/health/pagerduty.json), so that what could not be resolved in one run is resolved in the next.
    type: dict
    suboptions:
      at_least:
        description: From which verdict on findings become events.
        type: str
        choices: [critical, unknown, degraded]
        default: unknown
      timeout:
        description: Seconds for all events together. New ones go first.
        type: float
        default: 10.0
      ca_file:
        description: Certificates of authorities to trust, in place of the system's.
        type: path
      routing_key:
        description: Key of the integration, a secret.
        type: str
        required: true
      api_url:
        description: Where the API is. Accounts in the EU have their own.
        type: str
        default: https://events.pagerduty.com
  show:
    description: Whether to show the summary, coloured if the output is a terminal.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Refuse wrong inputs before anything is asked
  leanvibe.ops.health_report:
    step: inputs
    thresholds: "{{ health_thresholds }}"
    waivers: "{{ health_waivers }}"

- name: Report
  leanvibe.ops.health_report:
    run_id: 3f2a9c41
    started: "2026-11-21T06:00:00Z"
    environment: sandbox
    regions: [us-east-1, us-west-2]
    report_dir: reports
    endpoints: "{{ hostvars | leanvibe.ops.health_runs(ansible_play_hosts_all, text=true) }}"
    expected:
      postgresql: [us-east-1, us-west-2]
    waivers:
      - check: postgresql.unused_indexes
        subject: us-east-1/postgresql/audit_log_by_actor
        reason: needed by the yearly audit in January
        owner: alice
        expires: "2027-01-31"
    slack:
      webhook_url: "{{ vault_slack_webhook_url }}"
      only_new: true
    pagerduty:
      routing_key: "{{ vault_pagerduty_routing_key }}"
      at_least: critical
  register: report

- name: End as the verdict says
  ansible.builtin.fail:
    msg: "health: {{ report.verdict }}. See {{ report.path }}"
  when: report.failing
"""

RETURN = r"""
verdict:
  description: The worst of the findings that are not waived, C(critical), C(unknown), C(degraded) or C(ok).
  type: str
  returned: step is conclude
  sample: ok
failing:
  description: Whether the run is to end with a failure, by O(fail_on) and O(fail_only_new).
  type: bool
  returned: step is conclude
counts:
  description: How many findings have which verdict.
  type: dict
  returned: step is conclude
new:
  description: How many findings are new, or have got worse, since the last run.
  type: int
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
counters_before:
  description:
    - For each C(region/system) the counters that the last run read, for the option C(counters_before) of the modules that check. Rates are
      measured from there. Empty if there is no run that can be read.
  type: dict
  returned: step is inputs
only:
  description: O(only), and the checks that tell what the comparisons among them compare. For O(only) of the modules that check, and of V(conclude).
  type: list
  elements: str
  returned: step is inputs
checks:
  description: Ids of all checks that there are.
  type: list
  elements: str
  returned: step is inputs
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.common.errors import OpsError
from ..module_utils.health.arguments import REPORT, REPORT_NEEDS
from ..module_utils.health.conclude import perform
from ..module_utils.health.sinks import SINKS


def main() -> None:
    module = AnsibleModule(argument_spec={**REPORT, **SINKS}, required_if=REPORT_NEEDS, supports_check_mode=True)
    try:
        result = perform({**module.params, "check": module.params["check"] or module.check_mode})
    except OpsError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
