# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """One Redis node, or ElastiCache."""

    DOCUMENTATION = r"""
options:
  connection:
    description: The Redis node that this call works on, or the ElastiCache user group of a region.
    type: dict
    required: true
    suboptions:
      driver:
        description:
          - V(self_managed) is a Redis node that takes C(ACL SETUSER). ACLs do not replicate, so each node is a host and a call of its own.
          - V(elasticache) is Amazon ElastiCache, whose users are managed through its API. It was tested on a stand-in, not on the real service.
        type: str
        default: self_managed
        choices: [self_managed, elasticache]
      host:
        description: Host name or address of the node. Required with O(connection.driver=self_managed).
        type: str
      port:
        description: TCP port of the node.
        type: int
        default: 6379
      username:
        description:
          - ACL user to log in as.
          - It needs C(ACL), C(CLIENT KILL), C(COMMAND INFO), C(CONFIG GET) and C(INFO), and for measuring C(SCAN), C(DBSIZE) and C(MEMORY USAGE).
        type: str
        default: default
      password:
        description: Its password.
        type: str
      tls:
        description: Whether to use TLS. The certificate and its host name are verified.
        type: bool
        default: false
      ca_file:
        description: Path of the certificates that sign the node's. If not given, the system's.
        type: path
      user_group_id:
        description: ElastiCache user group of the replication group. Required with O(connection.driver=elasticache).
        type: str
      region:
        description: AWS region. Required with O(connection.driver=elasticache).
        type: str
      endpoint_url:
        description: Address of the AWS API, if it is not Amazon's.
        type: str
      access_key:
        description: AWS access key id. If not given, boto3's usual sources are used.
        type: str
      secret_key:
        description: AWS secret access key.
        type: str
      session_token:
        description: Session token, if the keys are temporary ones. Only with O(connection.driver=elasticache).
        type: str
"""
