# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """One region of an AWS account."""

    DOCUMENTATION = r"""
options:
  connection:
    description: The AWS account and region.
    type: dict
    required: true
    suboptions:
      region:
        description: AWS region.
        type: str
        required: true
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
        description: Session token, if the keys are temporary ones.
        type: str
"""
