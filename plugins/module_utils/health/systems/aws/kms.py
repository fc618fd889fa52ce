# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""KMS: keys that are about to be deleted, switched off, or never renewed. What a deleted key has encrypted can never be read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from ....clients.aws import AwsClient, AwsError
from ....reports.model import CRITICAL, DEGRADED, OK
from ...model import Check, Finding, Session
from .account import SYSTEM, TIMEOUT, Account, missing, named

_KNOWN = frozenset({"rotation"})


def _state(name: str, key: Mapping[str, Any], now: datetime) -> Finding:
    state, ends = str(key["KeyState"]), key.get("DeletionDate")
    if state == "Enabled":
        return Finding(observed=state, verdict=OK, name=name, message=f"key {key['KeyId']} is enabled")
    if state == "PendingDeletion" and isinstance(ends, datetime):
        days = (ends - now).total_seconds() / 86400
        message = f"it will be deleted on {ends:%Y-%m-%d}, in {days:.0f} d; what it has encrypted can never be read again then"
        return Finding(observed=state, verdict=CRITICAL, name=name, message=message)
    return Finding(observed=state, verdict=CRITICAL, name=name, message=f"the key is {state}: nothing can be encrypted or decrypted with it")


def _rotation(kms: AwsClient, name: str, key: Mapping[str, Any], wanted: bool) -> Iterator[Finding]:
    # Others cannot be renewed by AWS: asymmetric ones, imported ones, those of AWS itself.
    able = key.get("KeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT" and key.get("Origin") == "AWS_KMS" and key.get("KeyManager") == "CUSTOMER"
    if not wanted or not able or key["KeyState"] != "Enabled":
        return
    if not kms.call("get_key_rotation_status", KeyId=key["KeyId"])["KeyRotationEnabled"]:
        yield Finding(observed="off", verdict=DEGRADED, name=f"{name}/rotation", message="the key is never renewed: rotation is off")


def _keys(session: Session[Account]) -> Iterator[Finding]:
    declared = named(session, "kms_keys", "KMS key", _KNOWN)
    kms = session.client.service("kms")
    for name, wanted in declared.items():
        try:
            key = kms.call("describe_key", KeyId=name)["KeyMetadata"]
        except AwsError as error:
            if error.code != "NotFoundException":
                raise
            yield missing(name, "KMS key")
            continue
        yield _state(name, key, session.now)
        yield from _rotation(kms, name, key, bool(wanted.get("rotation", True)))


KEYS = Check(
    id="aws.kms_keys",
    question="Are the keys usable, renewed, and not about to be deleted?",
    system=SYSTEM,
    query="aws kms describe-key --key-id <name>; aws kms get-key-rotation-status --key-id <id>",
    runbook="runbooks/aws.md#kms_keys",
    grants=("kms:DescribeKey", "kms:GetKeyRotationStatus"),
    timeout=TIMEOUT,
    run=_keys,
)
