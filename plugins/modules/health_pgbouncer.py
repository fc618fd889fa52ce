#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_pgbouncer
short_description: Check the health of one PgBouncer
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Looks at one PgBouncer through its admin console, on one connection. Paused and full databases, pools in which clients wait, clients against their limit,
    and the certificate.
  - Changes nothing. Whatever happens to a check or to the system, every check is told of; the module itself fails only if its arguments are wrong.
notes:
  - All that the account needs is to be named in C(stats_users).
requirements:
  - PgBouncer 1.18 or newer
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.health_checks
options:
  connection:
    description: The admin console to look at.
    type: dict
    required: true
    suboptions:
      host:
        description: Host name or address.
        type: str
        required: true
      port:
        description: TCP port.
        type: int
        default: 6432
      database:
        description: Name of the console's database.
        type: str
        default: pgbouncer
      username:
        description: User to log in as.
        type: str
        required: true
      password:
        description: Its password.
        type: str
      sslmode:
        description: How TLS is used, with libpq's meaning.
        type: str
        default: verify-full
        choices: [disable, prefer, require, verify-ca, verify-full]
      sslrootcert:
        description: Path of the certificates that sign the pooler's.
        type: path
      driver:
        description: Which pooler it is.
        type: str
        default: pgbouncer
        choices: [pgbouncer]
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
- name: Look at the pooler of this region
  leanvibe.ops.health_pgbouncer:
    region: us-east-1
    connection:
      host: pgbouncer.us-east-1.example.com
      port: 6432
      database: pgbouncer
      username: pgbouncer_health
      password: "{{ vault_pgbouncer_health_password }}"
      sslrootcert: /etc/leanvibe/ca.crt
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
      sample: pgbouncer
    region:
      description: The region of the call.
      type: str
      sample: us-east-1
    items:
      description: What was found, good or bad, each with its verdict, in the form of reports.
      type: list
      elements: dict
      sample: [{id: pgbouncer.pools, subject: us-east-1/pgbouncer, verdict: ok}]
    checks:
      description: Each check with its outcome (C(executed), C(skipped), C(could_not_run)), the seconds that it took, and the reason if it was not executed.
      type: list
      elements: dict
      sample: [{id: pgbouncer.pools, place: us-east-1/pgbouncer, outcome: executed, seconds: 0.002, reason: ""}]
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
from ..module_utils.health.systems.pgbouncer import CHECKS
from ..module_utils.health.systems.pgbouncer.console import CONNECTION, SYSTEM, link


def main() -> None:
    connection = {"type": "dict", "required": True, "options": CONNECTION}
    module = AnsibleModule(argument_spec={**HEALTH, "connection": connection}, supports_check_mode=True)
    run = run_from(module.params, SYSTEM, CHECKS, link(module.params["connection"]))
    module.exit_json(changed=False, run=run.to_mapping())


if __name__ == "__main__":
    main()
