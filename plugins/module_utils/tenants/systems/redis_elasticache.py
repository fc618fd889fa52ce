# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants on Amazon ElastiCache, which refuses ACL SETUSER: its users and user groups, through its own API.

Not run against the real service: tested on moto (create and describe) and against botocore's model of the API (the other calls).
Limits of the service: a user group holds 100 users (the group's own `default` among them), a password cannot be read back nor given as a hash,
and a user's sessions cannot be ended. The generation of the password is kept in a tag of the user.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...clients.aws import AwsClient, connect
from ...common.concurrency import each
from ...common.errors import OpsError
from ...common.leases import AnyLease, Lease
from ..arguments import TenantsRequest
from ..credentials import TenantCredentials
from ..model import TENANT_ID, Change, SystemResult, Tenant, TenantResult
from .planned_credentials import Credentials, credentials_of
from .redis_acl import AclUser, command_rules, parse_access_string, pattern_rules
from .redis_rights import allowed_commands

SYSTEM = "redis"
USER_PREFIX = "tenant-"
TAG_GENERATION = "leanvibe.ai/credentials-generation"
GROUP_SIZE = 100
LONGEST_USER_ID = 40
NOTE = "ElastiCache: not run against the real service; sessions of a suspended tenant go on until they end, memory_bytes is not enforced"


@dataclass(frozen=True)
class CacheUser:
    """A user as ElastiCache describes it. ``generation``: of its password, "" if unknown."""

    acl: AclUser
    user_id: str
    status: str = "active"
    generation: str = ""


@dataclass(frozen=True)
class Actual:
    """All users called ``tenant-…`` and the ids of the group's members."""

    users: Mapping[str, CacheUser]
    members: frozenset[str]


@dataclass(frozen=True)
class Step:
    """One tenant's call: ``create``, ``modify`` or none; ``join``: the user is not in the group yet."""

    tenant: Tenant
    user_id: str
    call: str = ""
    access: str = ""
    password: str | None = field(default=None, repr=False)
    generation: str = ""
    join: bool = False
    changes: tuple[Change, ...] = ()
    problem: str = ""


def user_id(tenant: Tenant) -> str:
    """The user's id: its name, or where that is longer than ElastiCache takes, a hash of it."""
    if len(tenant.redis_user) <= LONGEST_USER_ID:
        return tenant.redis_user
    return "tenant-h" + hashlib.sha256(tenant.redis_user.encode()).hexdigest()[: LONGEST_USER_ID - 8]


def access_string(tenant: Tenant) -> str:
    """The rules of a tenant as ElastiCache takes them."""
    rules = ("on" if tenant.active else "off", *pattern_rules(tenant.redis_prefix), *command_rules(allowed_commands(frozenset())))
    return " ".join(rules)


def observe(client: AwsClient, group: str, concurrency: int) -> Actual:
    """Read users (a page per 100), the group, and one list of tags per tenant's user: ElastiCache has no bulk read of tags.

    Raises OpsError.
    """
    found = [user for user in client.pages("describe_users", "Users") if user["UserName"].startswith(USER_PREFIX)]
    groups = client.call("describe_user_groups", UserGroupId=group)["UserGroups"]
    tags: dict[str, str] = {}
    for outcome in each(found, lambda user: client.call("list_tags_for_resource", ResourceName=user["ARN"]), concurrency):
        if outcome.error:
            raise outcome.error
        listed = (outcome.result or {}).get("TagList", [])
        tags[outcome.item["UserId"]] = next((tag["Value"] for tag in listed if tag["Key"] == TAG_GENERATION), "")
    users = {}
    for user in found:
        acl = parse_access_string(user["UserName"], user.get("AccessString", ""))
        users[user["UserName"]] = CacheUser(acl, user["UserId"], user["Status"], tags[user["UserId"]])
    return Actual(users, frozenset(groups[0].get("UserIds", [])))


def plan(tenants: Sequence[Tenant], declared_ids: frozenset[str], credentials: Credentials, actual: Actual) -> tuple[list[Step], list[str]]:
    """Compare; return steps and undeclared tenants. Pure."""
    names = {name.removeprefix(USER_PREFIX) for name in actual.users}
    undeclared = sorted(name for name in names if name not in declared_ids and TENANT_ID.fullmatch(name))
    room = GROUP_SIZE - len(actual.members)
    steps = []
    for tenant in tenants:
        step = _plan_tenant(tenant, credentials[tenant.id], actual)
        if step.join:
            room -= 1
            if room < 0:
                step = Step(tenant, step.user_id, problem=f"the user group is full ({GROUP_SIZE} users): place {tenant.id} on another cluster")
        steps.append(step)
    return steps, undeclared


def _plan_tenant(tenant: Tenant, credentials: TenantCredentials | OpsError, actual: Actual) -> Step:
    problem = credentials.message if isinstance(credentials, OpsError) else ""
    user = actual.users.get(tenant.redis_user)
    name, access = user_id(tenant), access_string(tenant)
    generation = str(credentials.generation) if isinstance(credentials, TenantCredentials) else (user.generation if user else "")
    password = credentials.redis_password if isinstance(credentials, TenantCredentials) else None
    if user is None:
        if password is None:
            return Step(tenant, name, problem=problem)
        after = {"enabled": tenant.active, "keys": [f"{tenant.redis_prefix}*"], "password": "set (not shown)"}
        return Step(tenant, name, "create", access, password, generation, True, (Change(f"user {tenant.redis_user}", "create", after=after),))
    join = user.user_id not in actual.members
    wanted = parse_access_string(tenant.redis_user, access)
    fields = ["access"] if user.acl != wanted else []
    fields += ["password"] if user.generation != generation else []
    fields += ["group"] if join else []
    if not fields:
        return Step(tenant, user.user_id, problem=problem)
    before = {"enabled": user.acl.enabled, "keys": sorted(user.acl.keys), "commands": len(user.acl.commands), "generation": user.generation}
    after = {"enabled": wanted.enabled, "keys": sorted(wanted.keys), "commands": len(wanted.commands), "generation": generation}
    change = Change(f"user {tenant.redis_user}", "update", fields, before, after)
    call = "modify" if fields != ["group"] else ""
    new_password = password if "password" in fields else None
    return Step(tenant, user.user_id, call, access, new_password, generation, join, (change,), problem)


def apply(steps: Sequence[Step], client: AwsClient, group: str, lease: AnyLease, concurrency: int) -> dict[str, str]:
    """Write users, then the group once; return tenant id → what went wrong. Raises LeaseLost, OpsError."""
    problems: dict[str, str] = {}

    def write(step: Step) -> None:
        lease.check()
        _write_user(step, client)

    for outcome in each([step for step in steps if step.call], write, concurrency):
        if isinstance(outcome.error, OpsError):
            problems[outcome.item.tenant.id] = outcome.error.message
        elif outcome.error:
            raise outcome.error
    joining = [step for step in steps if step.join and step.tenant.id not in problems]
    if joining:
        lease.check()
        try:
            client.call("modify_user_group", UserGroupId=group, UserIdsToAdd=[step.user_id for step in joining])
        except OpsError as error:
            problems |= {step.tenant.id: f"the user is there, but not in the group {group}: {error.message}" for step in joining}
    return problems


def _write_user(step: Step, client: AwsClient) -> None:
    tags = [{"Key": TAG_GENERATION, "Value": step.generation}]
    if step.call == "create":
        login = {"Type": "password", "Passwords": [step.password]}
        user = {"UserId": step.user_id, "UserName": step.tenant.redis_user, "Engine": "redis", "AccessString": step.access}
        client.call("create_user", **user, AuthenticationMode=login, Tags=tags)
        return
    arguments: dict[str, Any] = {"UserId": step.user_id, "AccessString": step.access}
    if step.password is not None:
        arguments["AuthenticationMode"] = {"Type": "password", "Passwords": [step.password]}
    answer = client.call("modify_user", **arguments)
    if step.password is not None:
        # After the password: a run that is killed in between sets it once more.
        client.call("add_tags_to_resource", ResourceName=answer["ARN"], Tags=tags)


def run(request: TenantsRequest, params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """One call of the module tenants_redis with the driver elasticache. Raises OpsError."""
    connection = params["connection"]
    group = connection.get("user_group_id")
    if not group:
        raise OpsError("connection.user_group_id is missing: name the ElastiCache user group of the replication group")
    client = connect("elasticache", connection, request.timeout, request.concurrency)
    steps, undeclared = plan(request.tenants, request.declared_ids, credentials_of(request, check_mode), observe(client, group, request.concurrency))
    problems: dict[str, str] = {}
    if not check_mode and any(step.changes for step in steps):
        with Lease.from_params(params.get("lease")) as lease:
            problems = apply(steps, client, group, lease, request.concurrency)
    results = []
    for step in steps:
        failed = problems.get(step.tenant.id, "")
        message = "; ".join(text for text in (failed, step.problem) if text)
        results.append(TenantResult(step.tenant.id, "failed" if message else "succeeded", [] if failed else list(step.changes), message))
    return SystemResult(SYSTEM, request.region, results, undeclared, notes=[NOTE], requests=client.requests).to_exit()
