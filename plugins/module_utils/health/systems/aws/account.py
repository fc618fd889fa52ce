# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One AWS account in one region as the checks see it, and what the inventory names there. Tested on a stand-in (moto), not on the real service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ....clients.aws import AwsClient, connect
from ....common.errors import InvalidInput
from ....reports.model import CRITICAL, DEGRADED, OK
from ...model import Check, Finding, NotApplicable, Session
from ...runner import Link

SYSTEM = "aws"
TIMEOUT = 10.0

# Documented by leanvibe.ops.connection_aws.
CONNECTION: dict[str, Any] = {
    "region": {"type": "str", "required": True},
    "endpoint_url": {"type": "str"},
    "access_key": {"type": "str", "no_log": False},
    "secret_key": {"type": "str", "no_log": True},
    "session_token": {"type": "str", "no_log": True},
}


class Account:
    """AWS's services in a region, each connected to when it is first asked."""

    def __init__(self, connection: Mapping[str, Any], seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self._services: dict[str, AwsClient] = {}

    def bound(self, seconds: float) -> None:
        """So long has each call; boto3 takes it when a service is first asked."""
        self._seconds = seconds

    def service(self, name: str) -> AwsClient:
        """The client of a service. Raises OpsError."""
        if name not in self._services:
            self._services[name] = connect(name, self._connection, self._seconds, 1)
        return self._services[name]

    def identity(self) -> dict[str, Any]:
        """Who we are; everybody may ask that. Raises AccessDenied, Unreachable."""
        return self.service("sts").call("get_caller_identity")


def _open(connection: Mapping[str, Any], seconds: float) -> Account:
    account = Account(connection, seconds)
    account.identity()
    return account


def link(connection: Mapping[str, Any]) -> Link[Account]:
    """How the runner reaches AWS."""
    return Link(
        connect=lambda seconds: _open(connection, seconds),
        answers=lambda account, _seconds: account.identity(),
        limit=lambda account, seconds: account.bound(seconds),
        close=lambda _account: None,
        loads=("boto3",),
    )


def named(session: Session[Account], option: str, what: str, known: frozenset[str]) -> dict[str, Mapping[str, Any]]:
    """What the inventory names: names -> what is declared of them (keys in ``known``). Raises NotApplicable if there is nothing, InvalidInput."""
    given = session.options.get(option)
    if not given:
        raise NotApplicable(f"the inventory names no {what} here (health option {option})")
    declared = {str(name): (given[name] or {}) if isinstance(given, Mapping) else {} for name in given}
    wrong = [f"{option}.{name} knows {', '.join(sorted(known))}, not {key}" for name, one in declared.items() for key in one if key not in known]
    if wrong:
        raise InvalidInput("Health options of aws", wrong)
    return declared


def missing(name: str, what: str) -> Finding:
    """A resource that is named and not there."""
    return Finding(observed="absent", verdict=CRITICAL, name=name, message=f"there is no {what} {name} in this account and region")


def departures(name: str, declared: Mapping[str, Any], actual: Mapping[str, Any]) -> Iterator[Finding]:
    """What is other than declared: one finding for all fields of a resource."""
    other = [f"{key} is {actual[key]}, declared {value}" for key, value in declared.items() if key in actual and actual[key] != value]
    if other:
        yield Finding(observed=len(other), verdict=DEGRADED, name=f"{name}/settings", message="; ".join(other))


def _account(session: Session[Account]) -> Iterator[Finding]:
    identity = session.once("identity", lambda account: account.identity())
    there, declared = str(identity["Account"]), session.options.get("account_id")
    if declared is not None and str(declared) != there:
        yield Finding(observed=there, verdict=CRITICAL, message=f"our keys belong to account {there}, and the inventory declares {declared}")
    else:
        yield Finding(observed=there, verdict=OK, message=f"we are {identity['Arn']}")


ACCOUNT = Check(
    id="aws.account",
    question="Are our keys taken, and of the right account?",
    system=SYSTEM,
    query="aws sts get-caller-identity",
    runbook="runbooks/aws.md#account",
    timeout=TIMEOUT,
    run=_account,
)
