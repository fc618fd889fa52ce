#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_backend
short_description: Check the health of the application in one region
version_added: 0.1.0
author:
  - LeanVibe Operations (@leanvibe)
description:
  - Looks at the application as its users meet it. Its certificate, whether it answers and reaches what it needs, its public pages, signing in for real,
    forbidden calls, background jobs, the WebSocket, how soon it and its database answer beside what each tier was promised, errors since the last run, by
    tenant too, figures of the business, and a journey through it as a tenant's user.
  - The journey is the only check that writes (a user, a project and a job of the tenant that O(options) name), and takes away what it made. It is skipped if
    O(writes) is false.
  - O(options) may hold C(pages) (public pages, paths or whole addresses), C(journey_tenant) (the tenant that the journey acts for; without it there is none),
    C(revenue) (the name of a series of the application's metrics, a gauge) and C(counters_before) (the fact
    C(counters) of the last run; without it, what happened since then is not judged).
  - Whatever happens to a check or to the system, every check is told of; the module itself fails only if its arguments are wrong.
notes:
  - Which endpoints and metrics the application must have is said in docs/runbooks/backend.md.
requirements:
  - urllib3
  - websockets
  - prometheus-client
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.health_checks
options:
  connection:
    description: The application of this region.
    type: dict
    required: true
    suboptions:
      url:
        description: Address that users come in by, C(http(s)://host[:port]).
        type: str
        required: true
      direct_url:
        description: Address of one process of the application, without what stands before it, for its metrics. If not given, these are not looked at.
        type: str
      worker_url:
        description: Address of the process of the background jobs. If not given, that process is not looked at.
        type: str
      ca_file:
        description: Path of the certificates that sign the application's. If not given, the system's.
        type: path
      probe:
        description: An account of the application that may sign in and nothing else.
        type: dict
        suboptions:
          account:
            description: Its name.
            type: str
            required: true
          password:
            description: Its password.
            type: str
            required: true
      provisioner:
        description: An account of the application that makes and removes tenants' users, for the journey.
        type: dict
        suboptions:
          account:
            description: Its name.
            type: str
            required: true
          password:
            description: Its password.
            type: str
            required: true
attributes:
  check_mode:
    support: full
    details: Nothing that writes is run.
  diff_mode:
    support: none
    details: It shows what it found, not what it changed.
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Look at the application of this region
  leanvibe.ops.health_backend:
    region: us-east-1
    connection:
      url: https://api.example.com
      direct_url: http://backend-0.example.com:8000
      probe:
        account: probe
        password: "{{ vault_backend_probe_password }}"
    tenants: "{{ declared.tenants }}"
    options:
      pages: [https://app.example.com, https://docs.example.com]
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
      sample: backend
    region:
      description: The region of the call.
      type: str
      sample: us-east-1
    items:
      description: What was found, good or bad, each with its verdict, in the form of reports.
      type: list
      elements: dict
      sample: [{id: backend.up, subject: us-east-1/backend, verdict: ok}]
    checks:
      description: Each check with its outcome (C(executed), C(skipped), C(could_not_run)), the seconds that it took, and the reason if it was not executed.
      type: list
      elements: dict
      sample: [{id: backend.up, place: us-east-1/backend, outcome: executed, seconds: 0.002, reason: ""}]
    facts:
      description: What comparisons between regions and the next run need to know. The version, and counters.
      type: dict
      sample: {version: "1.4.2"}
    seconds:
      description: How long all of it took.
      type: float
      sample: 0.1
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.health.arguments import HEALTH
from ..module_utils.health.systems.backend.link import CONNECTION, run


def main() -> None:
    """Read the arguments, look, return what was found."""
    connection = {"type": "dict", "required": True, "options": CONNECTION}
    module = AnsibleModule(argument_spec={**HEALTH, "connection": connection}, supports_check_mode=True)
    params = {**module.params, "writes": module.params["writes"] and not module.check_mode}
    module.exit_json(changed=False, run=run(params))


if __name__ == "__main__":
    main()
