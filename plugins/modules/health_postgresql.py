#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_postgresql
short_description: Check the health of one PostgreSQL server
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Looks at one server on one connection. Role and writability, replication and slots, sessions and locks, wraparound, autovacuum, bloat, indexes, sequences,
    checksums, archiving, settings, row-level security of the shared tables, rates of counters, and the certificate.
  - Tables, indexes and sequences are those of the connection's database. What a standby has as a copy is looked at on the primary only.
  - O(options) says what is declared of the server. C(role) (C(primary) or C(standby)), C(standbys) (their application names), C(archiving) (false if it
    is meant to archive nothing), C(bloat_bytes) and C(unused_bytes) (the smallest tables and indexes that are looked at), C(counters_before) (the fact
    C(counters) of the last run).
  - Changes nothing. Whatever happens to a check or to the system, every check is told of; the module itself fails only if its arguments are wrong.
notes:
  - All that the account needs is to be a member of C(pg_monitor), with the right to connect. The role P(leanvibe.ops.platform_database#role) makes such an
    account, C(leanvibe_health), and lets C(pg_monitor) see what is closed to others.
  - That the server takes writes is proven by a transaction that takes its number and is rolled back. It leaves nothing.
  - With O(connection.driver=rds) it was not run against the real service.
requirements:
  - PostgreSQL 14 or newer
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.health_checks
  - leanvibe.ops.connection_postgresql.driver
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
- name: Look at the primary
  leanvibe.ops.health_postgresql:
    region: us-east-1
    connection:
      host: postgresql.us-east-1.example.com
      database: leanvibe
      username: leanvibe_health
      password: "{{ vault_postgresql_health_password }}"
      sslrootcert: /etc/leanvibe/ca.crt
    options:
      role: primary
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
      sample: postgresql
    region:
      description: The region of the call.
      type: str
      sample: us-east-1
    items:
      description: What was found, good or bad, each with its verdict, in the form of reports.
      type: list
      elements: dict
      sample: [{id: postgresql.role, subject: us-east-1/postgresql, verdict: ok}]
    checks:
      description: Each check with its outcome (C(executed), C(skipped), C(could_not_run)), the seconds that it took, and the reason if it was not executed.
      type: list
      elements: dict
      sample: [{id: postgresql.role, place: us-east-1/postgresql, outcome: executed, seconds: 0.002, reason: ""}]
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

from ..module_utils.diagnosis.postgresql import IN_DEPTH
from ..module_utils.health.arguments import HEALTH, run_from
from ..module_utils.health.systems.postgresql import CHECKS
from ..module_utils.health.systems.postgresql.server import link
from ..module_utils.tenants.systems.postgresql import CONNECTION


def main() -> None:
    connection = {"type": "dict", "required": True, "options": CONNECTION}
    module = AnsibleModule(argument_spec={**HEALTH, "connection": connection}, supports_check_mode=True)
    run = run_from(module.params, "postgresql", (*CHECKS, *IN_DEPTH), link(module.params["connection"]))
    module.exit_json(changed=False, run=run.to_mapping())


if __name__ == "__main__":
    main()
