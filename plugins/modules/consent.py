#!/usr/bin/python
# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The work is done by the action plugin of the same name, on the controller; this is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: consent
short_description: Ask for consent to what cannot be undone
version_added: 0.1.0
author: LeanVibe Operations (@leanvibe)
description:
  - Fails, naming all that is missing, unless the operator has said what the environment's policy (C(leanvibe_ops_environment_policy)) asks for.
  - The exact name of the thing always; from V(environment) on also the environment's name; with V(approval) also the approval of another
    person who is listed as approver, for this very thing, with a reference, not expired.
  - In check mode, where nothing is lost, a missing consent is a warning.
  - Runs once for all hosts of the play, on the controller, without a connection.
options:
  what:
    description: What would be done, as it reads after "to", for example V(offboard tenant acme).
    type: str
    required: true
  thing:
    description: Exact name of what would be lost, which O(confirm) must repeat (a tenant, a region, a backup).
    type: str
    required: true
  everything:
    description: Whether all data of the environment would go, as in a reset.
    type: bool
    default: false
  brings:
    description:
      - Class of the data that would be put in its place (V(synthetic), V(anonymised), V(real)). What an environment does not hold, it does not take;
        any other word counts as unknown and is refused.
    type: str
  confirm:
    description: What the operator gave as consent.
    type: str
  confirm_environment:
    description: What the operator gave as the environment's name.
    type: str
  approval:
    description:
      - Approval of another person, with the keys C(by), C(reference) (of the change or incident), C(for) (environment, slash, O(thing)) and
        C(until) (a time with zone).
    type: dict
  operator:
    description: Who runs this. The account, and the one behind C(sudo), count as the same person.
    type: str
extends_documentation_fragment:
  - leanvibe.ops.attributes
  - leanvibe.ops.attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: Changes nothing.
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Ask before the tenant's data is erased
  leanvibe.ops.consent:
    what: offboard tenant acme
    thing: acme
    confirm: "{{ confirm | default(omit) }}"
    confirm_environment: "{{ confirm_environment | default(omit) }}"
    approval: "{{ approval | default(omit) }}"
    operator: "{{ leanvibe_ops_operator | default(omit) }}"
"""

RETURN = r"""
granted:
  description: Whether the act may go ahead; false only in check mode.
  returned: success
  type: bool
consent:
  description: What was consented to by whom, for the report.
  returned: success
  type: dict
  contains:
    what:
      description: What is done.
      type: str
    thing:
      description: Exact name of what is lost.
      type: str
    environment:
      description: Name of the environment.
      type: str
    operators:
      description: The names by which the person who runs this is known.
      type: list
      elements: str
    approval:
      description: The approval as given; empty if there was none.
      type: dict
problems:
  description: Everything that is missing from the consent; empty unless in check mode.
  returned: success
  type: list
  elements: str
"""
