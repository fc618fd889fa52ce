#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_redis
short_description: Check the health of one Redis node
version_added: 0.1.0
author:
  - LeanVibe Operations (@leanvibe)
description:
  - Looks at one Redis node. Whether it answers and whether it asks strangers for a password, its role and replication, persistence, memory, clients, slow
    commands and users.
  - O(options) says what is declared of the node. C(role) (C(primary) or C(replica)), C(replicas) (how many follow it), C(purpose) (C(store), the
    default, or C(cache)), C(appendonly) (default true), C(snapshot_seconds) (default 3600, 0 for none), C(slowlog_window) (default 3600), C(acl_file) (a
    path on this side that shows the node's), C(acl_local_users), C(acl_tenants_everywhere) (default true), C(counters_before) (the fact C(counters) of
    the last run).
  - Changes nothing. Whatever happens to a check or to the system, every check is told of; the module itself fails only if its arguments are wrong.
notes:
  - 'All that the account needs is C(resetkeys resetchannels -@all +ping +info +time +slowlog|get +acl|list +acl|cat +acl|whoami).'
  - With O(connection.driver=elasticache) the node itself is asked, too, so O(connection.username) and O(connection.password) are needed. What
    ElastiCache does not tell is skipped. It was not run against the real service.
requirements:
  - Redis 7.0 or newer
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.health_checks
  - leanvibe.ops.connection_redis
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
- name: Look at the Redis node of this region
  leanvibe.ops.health_redis:
    region: us-east-1
    connection:
      host: redis.us-east-1.example.com
      username: health
      password: "{{ vault_redis_health_password }}"
      tls: true
    options:
      role: primary
      replicas: 1
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
      sample: redis
    region:
      description: The region of the call.
      type: str
      sample: us-east-1
    items:
      description: What was found, good or bad, each with its verdict, in the form of reports.
      type: list
      elements: dict
      sample: [{id: redis.up, subject: us-east-1/redis, verdict: ok}]
    checks:
      description: Each check with its outcome (C(executed), C(skipped), C(could_not_run)), the seconds that it took, and the reason if it was not executed.
      type: list
      elements: dict
      sample: [{id: redis.up, place: us-east-1/redis, outcome: executed, seconds: 0.002, reason: ""}]
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

from ..module_utils.clients.redis import CONNECTION
from ..module_utils.diagnosis.redis import IN_DEPTH
from ..module_utils.health.arguments import HEALTH, run_from
from ..module_utils.health.systems.redis import CHECKS
from ..module_utils.health.systems.redis.node import SYSTEM, link


def main() -> None:
    connection = {"type": "dict", "required": True, "options": CONNECTION}
    module = AnsibleModule(argument_spec={**HEALTH, "connection": connection}, supports_check_mode=True)
    run = run_from(module.params, SYSTEM, (*CHECKS, *IN_DEPTH), link(module.params["connection"]))
    module.exit_json(changed=False, run=run.to_mapping())


if __name__ == "__main__":
    main()
