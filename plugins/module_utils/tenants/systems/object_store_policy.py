# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy of a tenant's bucket: what the tenant may do in it, as data, and how two policies are compared. Pure.

Nobody but the platform owns a bucket, and no rights are given anywhere else: what is not allowed here is refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

# Not here, on purpose: policies, ACLs, versioning, object lock, lifecycle and deletion of the bucket (the platform's), and s3:DeleteObjectVersion, so
# that who steals a tenant's key cannot destroy what the bucket remembers.
OBJECT_ACTIONS = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectTagging",
    "s3:GetObject",
    "s3:GetObjectAttributes",
    "s3:GetObjectTagging",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionAttributes",
    "s3:GetObjectVersionTagging",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:PutObjectTagging",
)
BUCKET_ACTIONS = (
    "s3:GetBucketLocation",
    "s3:GetBucketVersioning",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
)
_ENCRYPTED = {"Bool": {"aws:SecureTransport": "true"}}
_IN_CLEAR = {"Bool": {"aws:SecureTransport": "false"}}


def bucket_policy(bucket: str, principals: Sequence[str], active: bool, deny_in_clear: bool) -> dict[str, Any]:
    """The policy of a bucket for the principals, which are the tenant's and no other's.

    Suspended (``active`` false): everything is denied to them. ``deny_in_clear`` adds a statement that refuses anybody's requests without TLS.
    """
    tenant = {"AWS": list(principals)}
    name = f"arn:aws:s3:::{bucket}"
    statements: list[dict[str, Any]] = []
    if active:
        allow = {"Effect": "Allow", "Principal": tenant, "Condition": _ENCRYPTED}
        statements = [
            {"Sid": "TenantObjects", **allow, "Action": list(OBJECT_ACTIONS), "Resource": [f"{name}/*"]},
            {"Sid": "TenantBucket", **allow, "Action": list(BUCKET_ACTIONS), "Resource": [name]},
        ]
    else:
        statements = [{"Sid": "Suspended", "Effect": "Deny", "Principal": tenant, "Action": ["s3:*"], "Resource": [name, f"{name}/*"]}]
    if deny_in_clear:
        everybody = {"Sid": "EncryptedOnly", "Effect": "Deny", "Principal": "*", "Action": ["s3:*"], "Resource": [name, f"{name}/*"], "Condition": _IN_CLEAR}
        statements.append(everybody)
    return {"Version": "2012-10-17", "Statement": statements}


def same_policy(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    """Whether two policies say the same: the order of statements and lists, and a list of one or its only member, make no difference."""
    return bool(_canonical(one) == _canonical(other))


def parse_policy(text: bytes | str) -> dict[str, Any]:
    """Read a policy as a store returns it. What is not a policy reads as one that equals none of ours."""
    try:
        policy = json.loads(text)
    except ValueError:
        policy = None
    return policy if isinstance(policy, dict) else {"unreadable": True}


def _canonical(policy: dict[str, Any] | None) -> Any:
    if policy is None:
        return None
    statements = policy.get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    shown = sorted(json.dumps(_flat(statement), sort_keys=True) for statement in statements)
    return json.dumps({**{key: value for key, value in policy.items() if key not in ("Statement", "Id")}, "Statement": shown}, sort_keys=True)


def _flat(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _flat(entry) for key, entry in value.items()}
    if isinstance(value, list):
        flat = sorted((_flat(entry) for entry in value), key=lambda entry: json.dumps(entry, sort_keys=True))
        return flat[0] if len(flat) == 1 else flat
    # S3 returns booleans in conditions as text.
    return str(value).lower() if isinstance(value, bool) else value


def policy_shown(policy: dict[str, Any] | None) -> Any:
    """A policy for a diff: ids of statements with effect and number of actions; access keys are ids, not secrets, and are shown."""
    if policy is None:
        return "none"
    statements = policy.get("Statement", [])
    return [
        f"{entry.get('Sid', 'unnamed')}: {entry.get('Effect')} {json.dumps(_flat(entry.get('Principal')))} {len(_listed(entry.get('Action')))} actions"
        for entry in _listed(statements)
        if isinstance(entry, dict)
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
