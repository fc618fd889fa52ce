#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_external
short_description: Check the services outside the platform that it depends on
version_added: 0.1.0
author:
  - LeanVibe Operations (@leanvibe)
description:
  - Looks at the payment provider, the identity provider and the mail server, as far as O(connection) names them, without any key. Whether the payment
    provider's API answers and wants a key, whether the identity provider publishes its configuration and keys, whether the mail server takes EHLO, STARTTLS
    and NOOP, and how long their certificates last.
  - A service that is not named is skipped. One that is silent says nothing about the others.
  - Changes nothing and sends no mail. Whatever happens to a check or to a service, every check is told of; the module itself fails only if its arguments are
    wrong.
notes:
  - It was not run against the real Stripe.
requirements:
  - urllib3
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
  - leanvibe.ops.health_checks
options:
  connection:
    description: The services.
    type: dict
    required: true
    suboptions:
      billing:
        description: The payment provider, with the API of Stripe.
        type: dict
        suboptions:
          url:
            description: Address of its API, C(https://api.stripe.com).
            type: str
            required: true
          ca_file:
            description: Path of the certificates that sign its. If not given, the system's.
            type: path
      identity:
        description: The identity provider, with OpenID Connect.
        type: dict
        suboptions:
          issuer:
            description: Its issuer, as it stands in tokens.
            type: str
            required: true
          ca_file:
            description: Path of the certificates that sign its. If not given, the system's.
            type: path
      mail:
        description: The mail server that the platform sends by.
        type: dict
        suboptions:
          host:
            description: Its name.
            type: str
            required: true
          port:
            description: Its port.
            type: int
            default: 587
          security:
            description: V(starttls) demands STARTTLS, V(tls) is TLS from the first byte, V(none) sends in clear.
            type: str
            default: starttls
            choices: [starttls, tls, none]
          ca_file:
            description: Path of the certificates that sign its. If not given, the system's.
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
- name: Look at what the platform depends on
  leanvibe.ops.health_external:
    region: us-east-1
    connection:
      billing:
        url: https://api.stripe.com
      identity:
        issuer: https://login.example.com
      mail:
        host: smtp.example.com
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
      sample: external
    region:
      description: The region of the call.
      type: str
      sample: us-east-1
    items:
      description: What was found, good or bad, each with its verdict, in the form of reports.
      type: list
      elements: dict
      sample: [{id: external.billing, subject: us-east-1/external, verdict: ok}]
    checks:
      description: Each check with its outcome (C(executed), C(skipped), C(could_not_run)), the seconds that it took, and the reason if it was not executed.
      type: list
      elements: dict
      sample: [{id: external.billing, place: us-east-1/external, outcome: executed, seconds: 0.002, reason: ""}]
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

from ..module_utils.health.arguments import HEALTH
from ..module_utils.health.systems.external.link import CONNECTION, run


def main() -> None:
    """Read the arguments, look, return what was found."""
    connection = {"type": "dict", "required": True, "options": CONNECTION}
    module = AnsibleModule(argument_spec={**HEALTH, "connection": connection}, supports_check_mode=True)
    module.exit_json(changed=False, run=run(module.params))


if __name__ == "__main__":
    main()
