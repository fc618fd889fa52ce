#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_neo4j
short_description: Check the health of Neo4j
version_added: 0.1.0
author:
  - LeanVibe Operations (@leanvibe)
description:
  - Looks at one Neo4j. Whether it answers and asks for a password, databases, transactions, indexes and constraints, memory, open files, the clock, the
    certificate, and on Enterprise what its metrics tell.
  - O(options) may hold C(constraints) and C(indexes), lists of names that must be there besides those that the collection creates.
  - Changes nothing. Whatever happens to a check or to the system, every check is told of; the module itself fails only if its arguments are wrong.
notes:
  - Neo4j Community tells nothing about its page cache, checkpoints and failed transactions; these checks are skipped there.
  - On Community every user is an administrator. On Enterprise, docs/runbooks/neo4j.md says which rights are needed. It was not run against Enterprise.
requirements:
  - Neo4j 5 or newer
  - neo4j, the driver
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.health_checks
  - leanvibe.ops.connection_neo4j
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
- name: Look at the graph of this region
  leanvibe.ops.health_neo4j:
    region: us-east-1
    connection:
      uri: neo4j+s://graph.us-east-1.example.com:7687
      username: health
      password: "{{ vault_neo4j_health_password }}"
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
      sample: neo4j
    region:
      description: The region of the call.
      type: str
      sample: us-east-1
    items:
      description: What was found, good or bad, each with its verdict, in the form of reports.
      type: list
      elements: dict
      sample: [{id: neo4j.up, subject: us-east-1/neo4j, verdict: ok}]
    checks:
      description: Each check with its outcome (C(executed), C(skipped), C(could_not_run)), the seconds that it took, and the reason if it was not executed.
      type: list
      elements: dict
      sample: [{id: neo4j.up, place: us-east-1/neo4j, outcome: executed, seconds: 0.002, reason: ""}]
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

from ..module_utils.clients.neo4j import CONNECTION
from ..module_utils.diagnosis.neo4j import IN_DEPTH
from ..module_utils.health.arguments import HEALTH, run_from
from ..module_utils.health.systems.neo4j import CHECKS
from ..module_utils.health.systems.neo4j.graph import SYSTEM, link


def main() -> None:
    connection = {"type": "dict", "required": True, "options": CONNECTION}
    module = AnsibleModule(argument_spec={**HEALTH, "connection": connection}, supports_check_mode=True)
    run = run_from(module.params, SYSTEM, (*CHECKS, *IN_DEPTH), link(module.params["connection"]))
    module.exit_json(changed=False, run=run.to_mapping())


if __name__ == "__main__":
    main()
