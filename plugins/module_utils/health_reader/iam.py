# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user of IAM that has one policy of ours. Tested on a stand-in (moto), not on the real service.

Its access keys are not made here: AWS shows a secret key once, to who makes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from ..clients.aws import AwsClient, AwsError, connect
from .model import Change, Plan, Reader, refused

MISSING = "NoSuchEntity"
OURS = "leanvibe-health"  # how names of our policies begin
NOTE = "IAM is one for all regions; tested on a stand-in, not on the real service"


@dataclass(frozen=True)
class Actual:
    """Whether there is the user, our policy as it is (None: there is none), and what else gives the user rights. ``ours``: whose keys we have."""

    exists: bool
    document: Mapping[str, Any] | None = None
    others: tuple[str, ...] = ()
    ours: str = ""


@dataclass(frozen=True)
class Step:
    """One call of the API. ``unless``: an error code that means that it is done."""

    operation: str
    arguments: Mapping[str, Any]
    unless: str = ""


def observe(client: AwsClient, user: str, policy: str, ours: str) -> Actual:
    """Five calls. Raises OpsError."""
    try:
        client.call("get_user", UserName=user)
    except AwsError as error:
        if error.code != MISSING:
            raise
        return Actual(False, ours=ours)
    try:
        document: Any = client.call("get_user_policy", UserName=user, PolicyName=policy)["PolicyDocument"]
    except AwsError as error:
        if error.code != MISSING:
            raise
        document = None
    others = [f"policy {name}" for name in client.call("list_user_policies", UserName=user)["PolicyNames"] if not name.startswith(OURS)]
    others += [f"policy {one['PolicyName']}" for one in client.call("list_attached_user_policies", UserName=user)["AttachedPolicies"]]
    others += [f"group {one['GroupName']}" for one in client.call("list_groups_for_user", UserName=user)["Groups"]]
    return Actual(True, json.loads(unquote(document)) if isinstance(document, str) else document, tuple(others), ours)


def plan(reader: Reader, policy: str, wanted: Mapping[str, Any], actual: Actual) -> Plan:
    """Compare. Pure."""
    if conflict := reader.conflict(actual.ours):
        return refused(reader.name, conflict)
    if actual.others:
        message = f"user {reader.name} has more than is needed: {', '.join(actual.others)}. Take that away, or name another user (health_reader_iam_user)"
        return refused(reader.name, message, [NOTE])
    steps, changes = [], []
    if not actual.exists:
        steps.append(Step("create_user", {"UserName": reader.name}, "EntityAlreadyExists"))
        changes.append(Change(f"user {reader.name}", "create"))
    if _flat(actual.document) != _flat(wanted):
        steps.append(Step("put_user_policy", {"UserName": reader.name, "PolicyName": policy, "PolicyDocument": json.dumps(wanted)}))
        changes.append(Change(f"policy {policy}", "update" if actual.document is not None else "create", ["document"], actual.document, wanted))
    notes = [NOTE] if actual.exists else [NOTE, f"user {reader.name} has no access key yet: aws iam create-access-key --user-name {reader.name}"]
    return Plan(reader.name, steps, changes, notes=notes)


def _flat(document: Mapping[str, Any] | None) -> Any:
    """A policy as it is compared: the order of actions makes no difference."""
    if document is None:
        return None
    statements = document.get("Statement", [])
    listed = statements if isinstance(statements, list) else [statements]
    return document.get("Version"), [
        {key: sorted(value) if isinstance(value, list) else [value] for key, value in statement.items() if key != "Sid"} for statement in listed
    ]


def apply(steps: Sequence[Step], client: AwsClient) -> None:
    """Make the calls. Another region's host may be at the same. Raises OpsError."""
    for step in steps:
        try:
            client.call(step.operation, **step.arguments)
        except AwsError as error:
            if error.code != step.unless:
                raise


def ensure(connection: Mapping[str, Any], user: str, policy: str, wanted: Mapping[str, Any], timeout: float, check_mode: bool) -> Plan:
    """Look, compare, write. Raises OpsError."""
    identity = str(connect("sts", connection, timeout, 1).call("get_caller_identity")["Arn"])
    client = connect("iam", connection, timeout, 1)
    made = plan(Reader(user), policy, wanted, observe(client, user, policy, identity.rpartition("/")[2]))
    if not check_mode:
        apply(made.steps, client)
    return made
