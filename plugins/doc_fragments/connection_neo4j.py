# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """One Neo4j server or cluster."""

    DOCUMENTATION = r"""
options:
  connection:
    description: The Neo4j of this region, over Bolt.
    type: dict
    required: true
    suboptions:
      uri:
        description: 'Address, for example C(neo4j+s://host:7687) for a cluster or C(bolt://host:7687) for one server. C(+s) means TLS, verified.'
        type: str
        required: true
      username:
        description: User to log in as.
        type: str
        default: neo4j
      password:
        description: Its password.
        type: str
        required: true
      database:
        description: On Community, the database that holds the graph. On Enterprise, one that only administrators reach.
        type: str
        default: neo4j
      ca_file:
        description: Path of the certificates that sign the server's. If given, TLS is used whatever the address says. If not, the system's are used.
        type: path
"""
