# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """One object store."""

    DOCUMENTATION = r"""
options:
  connection:
    description: The object store of this region.
    type: dict
    required: true
    suboptions:
      driver:
        description:
          - V(versitygw) is a gateway that we manage, with its own accounts.
          - V(aws) is Amazon S3 with IAM users. It was tested on a stand-in, not on the real service.
          - IAM takes no keys from outside, so with V(aws) the key in a tenant's Secret must have been issued by IAM. The module says how, and fails for
            a tenant until then.
          - Names of buckets are global in AWS, so with V(aws) a tenant has a bucket in its home region only.
        type: str
        default: versitygw
        choices: [versitygw, aws]
      endpoint:
        description: 'Address of the store, C(https://host[:port]). Required with O(connection.driver=versitygw). Plain HTTP is refused.'
        type: str
      region:
        description: Region that requests are signed for.
        type: str
        required: true
      access_key:
        description: Access key id of an administrating account. If not given, with O(connection.driver=aws), boto3's usual sources are used.
        type: str
      secret_key:
        description: Its secret access key.
        type: str
      session_token:
        description: Session token, if the keys are temporary ones. Only with O(connection.driver=aws).
        type: str
      ca_file:
        description: Path of the certificates that sign the store's. If not given, the system's.
        type: path
      endpoint_url:
        description: Address of the AWS API, if it is not Amazon's. Only with O(connection.driver=aws).
        type: str
"""
