# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Earlier runs in the registry database."""

    DOCUMENTATION = r"""
options:
  history_registry:
    description: The registry database (M(leanvibe.ops.registry)), if runs are kept there. If not given, they are kept in files.
    type: dict
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
        description: Role to log in as. It owns the registry's tables.
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
