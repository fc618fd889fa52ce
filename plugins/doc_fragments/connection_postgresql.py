# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """One database of one PostgreSQL server."""

    DOCUMENTATION = r"""
options:
  connection:
    description: The database to work on.
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
"""

    # Fragments are merged by option, not by suboption, and ansible-test reads only literals: this one repeats the other and adds the driver.
    DRIVER = r"""
options:
  connection:
    description: The database to work on.
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
      driver:
        description:
          - V(postgresql) for a server of one's own, V(rds) for Amazon RDS and Aurora, where nobody is a superuser and stored verifiers cannot be read.
          - V(rds) was not run against the real service.
        type: str
        default: postgresql
        choices: [postgresql, rds]
"""
