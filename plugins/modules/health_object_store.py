#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_object_store
short_description: Check the health of one object store
version_added: 0.1.0
author:
  - LeanVibe Operations (@leanvibe)
description:
  - Looks at one object store. Whether it answers and refuses strangers, its clock, its certificate, whether every declared tenant has its bucket and the
    bucket keeps versions, and whether backups are locked against being deleted before their time.
  - O(options) says what is declared of the store. C(backup_buckets) (a list of names; without it that check is skipped), C(backup_retention_days) (for how
    many days backups must be locked at least), C(placement) (C(all), the default, or C(home), if tenants have a bucket in their home region only).
  - Changes nothing. Whatever happens to a check or to the system, every check is told of; the module itself fails only if its arguments are wrong.
notes:
  - S3 tells of one bucket at a time, so the check of versioning sends one request for each of O(tenants). All others need a constant number of requests.
  - With O(connection.driver=aws) it was not run against the real service.
requirements:
  - boto3, with O(connection.driver=aws)
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.health_checks
  - leanvibe.ops.connection_object_store
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
- name: Look at the object store of this region
  leanvibe.ops.health_object_store:
    region: us-east-1
    connection:
      endpoint: https://s3.us-east-1.example.com
      region: us-east-1
      access_key: "{{ vault_s3_health_access_key }}"
      secret_key: "{{ vault_s3_health_secret_key }}"
    tenants: "{{ declared.tenants }}"
    options:
      backup_buckets: [leanvibe-backups-us-east-1]
      backup_retention_days: 30
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
      sample: object_store
    region:
      description: The region of the call.
      type: str
      sample: us-east-1
    items:
      description: What was found, good or bad, each with its verdict, in the form of reports.
      type: list
      elements: dict
      sample: [{id: object_store.up, subject: us-east-1/object_store, verdict: ok}]
    checks:
      description: Each check with its outcome (C(executed), C(skipped), C(could_not_run)), the seconds that it took, and the reason if it was not executed.
      type: list
      elements: dict
      sample: [{id: object_store.up, place: us-east-1/object_store, outcome: executed, seconds: 0.002, reason: ""}]
    facts:
      description: What comparisons between regions need to know. There are none.
      type: dict
      sample: {}
    seconds:
      description: How long all of it took.
      type: float
      sample: 0.1
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.clients.object_store import CONNECTION
from ..module_utils.diagnosis.object_store import IN_DEPTH
from ..module_utils.health.arguments import HEALTH, run_from
from ..module_utils.health.systems.object_store import CHECKS
from ..module_utils.health.systems.object_store.link import link
from ..module_utils.health.systems.object_store.store import SYSTEM


def main() -> None:
    """Read the arguments, look, return what was found."""
    connection = {"type": "dict", "required": True, "options": CONNECTION}
    module = AnsibleModule(argument_spec={**HEALTH, "connection": connection}, supports_check_mode=True)
    run = run_from(module.params, SYSTEM, (*CHECKS, *IN_DEPTH), link(module.params["connection"]))
    module.exit_json(changed=False, run=run.to_mapping())


if __name__ == "__main__":
    main()
