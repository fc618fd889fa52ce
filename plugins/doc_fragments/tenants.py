# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What the modules have in common that reconcile tenants with one system in one region."""

    DOCUMENTATION = r"""
options:
  region:
    description: Region of the endpoint that this call works on, for example V(us-east-1).
    type: str
    required: true
  tenants:
    description:
      - The tenants to reconcile, all in one call, as M(leanvibe.ops.tenants_declared) returns them.
      - Each has C(id), C(name), C(tier), C(region) (its home) and optionally C(state), C(contacts) and C(overrides).
    type: list
    elements: dict
    required: true
  declared_ids:
    description:
      - Ids of all declared tenants, also of those that this run is not about. What the system holds of other tenants is returned in C(undeclared).
      - If not given, the ids in O(tenants).
    type: list
    elements: str
  tiers:
    description: Limits by tier and system, as in C(tiers_catalogue) of the role C(leanvibe.ops.tiers).
    type: dict
    required: true
  lease:
    description:
      - The lease under which this run may write. It is renewed while the module works, and checked before each writing step.
      - If not given, the module relies on its caller that nobody else works on these tenants.
    type: dict
    suboptions:
      registry:
        description: The registry database that holds the lease.
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
            default: 5432
          database:
            description: Name of the database.
            type: str
            required: true
          username:
            description: Role to log in as.
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
            description: Path of the certificates that sign the server's.
            type: path
      name:
        description: Name of the lease.
        type: str
        required: true
      owner:
        description: Who holds it.
        type: str
        required: true
      token:
        description: Fencing token that M(leanvibe.ops.tenants_lease) returned when the lease was taken.
        type: int
        required: true
  concurrency:
    description: How many requests or sessions may be under way at a time.
    type: int
    default: 16
  timeout:
    description: Seconds that one external call may take, its repetitions included.
    type: int
    default: 10
"""

    SECRETS = r"""
options:
  secrets:
    description:
      - 'Where the tenants'' Secrets C(tenant-credentials) are read: a dictionary from region to a dictionary with C(kubeconfig) and, optionally, C(context).'
      - A tenant's Secret is read in its home region. No credential travels through Ansible variables.
    type: dict
    default: {}
"""
