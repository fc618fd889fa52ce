# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that checks of AWS and of Amazon S3 need, as policies of IAM. A file of its own, so that who makes the account need not load the checks.

Actions: https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

from typing import Any

# What all checks of leanvibe.ops.health_aws together need.
ACTIONS = (
    "rds:DescribeDBInstances",
    "cloudwatch:GetMetricData",
    "elasticache:DescribeReplicationGroups",
    "eks:DescribeCluster",
    "eks:ListNodegroups",
    "eks:DescribeNodegroup",
    "route53:ListHealthChecks",
    "route53:GetHealthCheckStatus",
    "kms:DescribeKey",
    "kms:GetKeyRotationStatus",
)
# What all checks of leanvibe.ops.health_object_store together need. s3:ListBucket shows names of objects, not what is in them.
S3_ACTIONS = (
    "s3:ListAllMyBuckets",
    "s3:ListBucket",
    "s3:GetBucketVersioning",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketPublicAccessBlock",
)
# Those of them that are asked of a bucket of a versitygw: it has no public access block, and who may list all buckets is said by the account's role.
BUCKET_ACTIONS = tuple(action for action in S3_ACTIONS if action not in ("s3:ListAllMyBuckets", "s3:GetBucketPublicAccessBlock"))
SID = "LeanvibeHealth"


def policy(actions: tuple[str, ...]) -> dict[str, Any]:
    """The policy of an account that may do this and no more."""
    return {"Version": "2012-10-17", "Statement": [{"Sid": SID, "Effect": "Allow", "Action": list(actions), "Resource": "*"}]}


def bucket_statement(bucket: str, access: str) -> dict[str, Any]:
    """What the policy of a bucket of a versitygw says about the account with that access key id."""
    return {"Sid": SID, "Effect": "Allow", "Principal": {"AWS": [access]}, "Action": list(BUCKET_ACTIONS), "Resource": [f"arn:aws:s3:::{bucket}"]}
