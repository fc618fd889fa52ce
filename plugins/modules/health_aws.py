#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_aws
short_description: Check the health of the AWS resources that the inventory names
version_added: 0.1.0
author:
  - LeanVibe Operations (@leanvibe)
description:
  - Looks at the resources of one AWS region that O(options) names, through the API of AWS, and at nothing else.
  - 'O(options) may hold C(rds_instances), C(elasticache_groups), C(eks_clusters), C(route53_health_checks) and C(kms_keys), each a mapping of names to what
    is declared of them. docs/runbooks/aws.md has the list. What is not named is skipped.'
  - Changes nothing. Whatever happens to a check or to the system, every check is told of; the module itself fails only if its arguments are wrong.
notes:
  - docs/runbooks/aws.md has a policy with exactly the rights that are needed.
  - It was tested on a stand-in for AWS, not on the real service.
requirements:
  - boto3
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.health_checks
  - leanvibe.ops.connection_aws
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
- name: Look at what we have in AWS in this region
  leanvibe.ops.health_aws:
    region: us-east-1
    connection:
      region: us-east-1
    options:
      rds_instances:
        leanvibe-production: {multi_az: true, backup_retention_days: 30}
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
      sample: aws
    region:
      description: The region of the call.
      type: str
      sample: us-east-1
    items:
      description: What was found, good or bad, each with its verdict, in the form of reports.
      type: list
      elements: dict
      sample: [{id: aws.rds_instances, subject: us-east-1/aws/leanvibe-production, verdict: ok}]
    checks:
      description: Each check with its outcome (C(executed), C(skipped), C(could_not_run)), the seconds that it took, and the reason if it was not executed.
      type: list
      elements: dict
      sample: [{id: aws.rds_instances, place: us-east-1/aws, outcome: executed, seconds: 0.002, reason: ""}]
    facts:
      description: What comparisons between endpoints, and the next run, need to know. It holds no secrets.
      type: dict
      sample: {}
    seconds:
      description: How long all of it took.
      type: float
      sample: 1.1
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.health.arguments import HEALTH, run_from
from ..module_utils.health.systems.aws import CHECKS
from ..module_utils.health.systems.aws.account import CONNECTION, SYSTEM, link


def main() -> None:
    connection = {"type": "dict", "required": True, "options": CONNECTION}
    module = AnsibleModule(argument_spec={**HEALTH, "connection": connection}, supports_check_mode=True)
    run = run_from(module.params, SYSTEM, CHECKS, link(module.params["connection"]))
    module.exit_json(changed=False, run=run.to_mapping())


if __name__ == "__main__":
    main()
