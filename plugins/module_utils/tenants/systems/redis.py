# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants on one Redis node that we manage ourselves: an ACL user each, held to its keys, its channels and the commands in redis_rights.py.

ACLs do not replicate: every node is a call of its own. All writes of a call, saving the ACL file included, are one MULTI/EXEC: a run that is
killed has either done all of it or nothing, and memory and file never differ because of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...clients.redis import RedisSession, Reply, ReplyError, connect
from ...common.errors import OpsError
from ...common.leases import AnyLease, Lease
from ..arguments import TenantsRequest
from ..credentials import TenantCredentials
from ..model import TENANT_ID, Change, SystemResult, Tenant, TenantResult
from .planned_credentials import Credentials, credentials_of
from .redis_acl import AclUser, Catalogue, command_rules, parse_line, password_hash, pattern_rules
from .redis_rights import ALLOWED_IF_KNOWN, allowed_commands

SYSTEM = "redis"
USER_PREFIX = "tenant-"
UNSAVED_MARK = "leanvibe-ops-unsaved"  # a disabled user; there while the ACL file lacks what memory holds
BATCH = 500  # tenants in one transaction; Redis serves nobody else meanwhile (about 0.1 ms each)
OLDEST = (7, 0)  # before it, SORT and others read keys that no pattern is held against


@dataclass(frozen=True)
class Actual:
    """What the node holds. ``users``: all whose name starts with ``tenant-``, with the rules of those that were asked for."""

    users: Mapping[str, AclUser]
    commands: tuple[str, ...]
    catalogue: Catalogue
    unsaved: bool = False
    version: str = ""


@dataclass(frozen=True)
class Step:
    """What is to be done for one tenant: rules for ACL SETUSER (none: nothing), whether its sessions end, and what cannot be done."""

    tenant: Tenant
    rules: tuple[str, ...] = field(default=(), repr=False)
    kill: bool = False
    changes: tuple[Change, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Plan:
    """Steps in the order of the tenants. ``save``: the file is to be written even if no step writes."""

    steps: tuple[Step, ...]
    undeclared: tuple[str, ...]
    save: bool = False


def observe(session: RedisSession, names: frozenset[str]) -> Actual:
    """Read version, ACL file, known commands and all users: two round trips, whatever the number of users. ``names``: users whose rules matter.

    Raises OpsError if the node is too old, keeps its users elsewhere than in an ACL file, or lets anybody in without a password.
    """
    info, file, users, known, groups = _answers(
        session, [("INFO", "server"), ("CONFIG", "GET", "aclfile"), ("ACL", "LIST"), ("COMMAND", "INFO", *ALLOWED_IF_KNOWN), ("ACL", "CAT")]
    )
    version = next((line.split(":", 1)[1].strip() for line in str(info).splitlines() if line.startswith("redis_version:")), "")
    if tuple(int(part) for part in version.split(".")[:2] if part.isdecimal()) < OLDEST:
        raise OpsError(f"{session.where} is version {version or 'unknown'}: tenants need Redis 7.0 or newer, older ones do not check all keys of a command")
    if not isinstance(file, list) or len(file) < 2 or not file[1]:
        raise OpsError(f"{session.where} has no ACL file, so users would be gone after a restart: set `aclfile` in its configuration")
    optional = frozenset(str(entry[0]) for entry in _list(known) if isinstance(entry, list) and entry)
    categories = [str(name) for name in _list(groups)]
    members = _answers(session, [("ACL", "CAT", name) for name in categories])
    catalogue = Catalogue({name: [str(member) for member in _list(reply)] for name, reply in zip(categories, members, strict=True)})
    users_read, unsaved = _read_users(session.where, [str(line) for line in _list(users)], catalogue, names)
    return Actual(users_read, allowed_commands(optional), catalogue, unsaved, version)


def _list(reply: Reply) -> list[Reply]:
    return reply if isinstance(reply, list) else []


def _answers(session: RedisSession, commands: Sequence[tuple[str, ...]]) -> Iterator[Reply]:
    for command, reply in zip(commands, session.pipeline(commands), strict=True):
        if isinstance(reply, ReplyError):
            raise session.error(reply, command)
        yield reply


def _read_users(where: str, lines: Sequence[str], catalogue: Catalogue, names: frozenset[str]) -> tuple[dict[str, AclUser], bool]:
    users: dict[str, AclUser] = {}
    unsaved = False
    for line in lines:
        name = line.split(maxsplit=2)[1]
        unsaved = unsaved or name == UNSAVED_MARK
        if name not in names and name != "default":
            if name.startswith(USER_PREFIX):
                users[name] = AclUser(name)
            continue
        try:
            user = parse_line(line, catalogue)
        except ValueError as error:
            raise OpsError(f"{where}: {error}; this version of Redis is not supported") from error
        if name.startswith(USER_PREFIX):
            users[name] = user
        elif user.open_to_anybody:
            raise OpsError(f"{where}: user `default` needs no password: every tenant that reaches the port has its rights. Give it one or switch it off.")
    return users, unsaved


def plan(tenants: Sequence[Tenant], declared_ids: frozenset[str], credentials: Credentials, actual: Actual) -> Plan:
    """Compare. Pure."""
    declared = {USER_PREFIX + tenant_id for tenant_id in declared_ids}
    undeclared = [name for name in actual.users if name not in declared and TENANT_ID.fullmatch(name.removeprefix(USER_PREFIX))]
    steps = tuple(plan_tenant(tenant, credentials[tenant.id], actual) for tenant in tenants)
    return Plan(steps, tuple(undeclared), save=actual.unsaved or any(step.rules for step in steps))


def plan_tenant(tenant: Tenant, credentials: TenantCredentials | OpsError, actual: Actual) -> Step:
    """Compare one tenant's user with what it must be. A password that cannot be read is left as it is."""
    problem = credentials.message if isinstance(credentials, OpsError) else ""
    user = actual.users.get(tenant.redis_user)
    rules: tuple[str, ...] = (
        "reset",
        "on" if tenant.active else "off",
        "sanitize-payload",
        *pattern_rules(tenant.redis_prefix),
        *command_rules(actual.commands),
    )
    hashes: frozenset[str] = frozenset()
    if isinstance(credentials, TenantCredentials):
        hashes = frozenset({password_hash(credentials.redis_password)})
    elif user is None:
        return Step(tenant, problem=problem)
    else:
        hashes = user.hashes
    rules += tuple(f"#{value}" for value in sorted(hashes))
    wanted = AclUser(tenant.redis_user).with_rules(rules, actual.catalogue)
    if user == wanted:
        return Step(tenant, problem=problem)
    kill = user is not None and bool((user.enabled and not wanted.enabled) or user.hashes - wanted.hashes or user.nopass)
    return Step(tenant, rules, kill, (_change(user, wanted),), problem)


def _change(user: AclUser | None, wanted: AclUser) -> Change:
    name = f"user {wanted.name}"
    if user is None:
        return Change(name, "create", after={**_shown(wanted), "commands": f"{len(wanted.commands)} allowed, no other"})
    before, after = _shown(user), _shown(wanted)
    if _passwords(user) != _passwords(wanted):
        before["password"], after["password"] = "another (not shown)", "the Secret's (not shown)"
    if user.commands != wanted.commands:
        before["commands"] = {"too many": sorted(user.commands - wanted.commands)}
        after["commands"] = {"missing": sorted(wanted.commands - user.commands)}
    fields = [key for key in after if before.get(key) != after[key]]
    return Change(name, "update", fields, {key: before[key] for key in fields}, {key: after[key] for key in fields})


def _passwords(user: AclUser) -> tuple[bool, frozenset[str]]:
    return user.nopass, user.hashes


def _shown(user: AclUser) -> dict[str, Any]:
    """A user without secrets."""
    return {
        "enabled": user.enabled,
        "password": "set (not shown)" if user.hashes else "none",
        "keys": sorted(user.keys),
        "channels": sorted(user.channels),
        "sanitize": user.sanitize,
        "selectors": list(user.selectors),
    }


def result(region: str, plan_: Plan, requests: int, problems: Mapping[str, str] | None = None) -> SystemResult:
    """What the plan's execution amounts to; ``problems``: tenant id → why its writes failed. Without a failure it is also check mode's answer."""
    problems = problems or {}
    results = []
    observed: dict[str, Any] = {}
    for step in plan_.steps:
        failed = problems.get(step.tenant.id, "")
        message = "; ".join(text for text in (failed, step.problem) if text)
        results.append(TenantResult(step.tenant.id, "failed" if message else "succeeded", [] if failed else list(step.changes), message))
        if not message:
            observed[step.tenant.id] = {"user": step.tenant.redis_user, "enabled": step.tenant.active}
    platform = [Change("ACL file", "update", ["users"])] if plan_.save and not any(step.rules for step in plan_.steps) else []
    undeclared = [name.removeprefix(USER_PREFIX) for name in plan_.undeclared]
    return SystemResult(SYSTEM, region, results, undeclared, observed=observed, requests=requests, platform=platform)


def apply(plan_: Plan, session: RedisSession, lease: AnyLease) -> dict[str, str]:
    """Write what differs; return tenant id → what went wrong. Raises LeaseLost, Unreachable."""
    steps = [step for step in plan_.steps if step.rules]
    batches = [steps[start : start + BATCH] for start in range(0, len(steps), BATCH)] or ([[]] if plan_.save else [])
    problems: dict[str, str] = {}
    for batch in batches:
        lease.check()
        problems |= _apply_batch(batch, session)
    return problems


def _apply_batch(steps: Sequence[Step], session: RedisSession) -> dict[str, str]:
    writes: list[tuple[str, tuple[str, ...]]] = []
    for step in steps:
        writes.append((step.tenant.id, ("ACL", "SETUSER", step.tenant.redis_user, *step.rules)))
        if step.kill:
            writes.append((step.tenant.id, ("CLIENT", "KILL", "USER", step.tenant.redis_user)))
    commands = [("MULTI",), *(command for _owner, command in writes), ("ACL", "DELUSER", UNSAVED_MARK), ("ACL", "SAVE"), ("EXEC",)]
    replies = session.pipeline(commands)
    for command, reply in zip(commands, replies, strict=True):
        if isinstance(reply, ReplyError) and command != ("EXEC",):
            raise session.error(reply, command)
    executed = replies[-1]
    if not isinstance(executed, list):
        raise session.error(executed, ("EXEC",)) if isinstance(executed, ReplyError) else OpsError(f"{session.where} discarded the transaction: run it again")
    problems = {
        owner: session.error(reply, command).message for (owner, command), reply in zip(writes, executed, strict=False) if isinstance(reply, ReplyError)
    }
    saved = executed[-1]
    if isinstance(saved, ReplyError):
        # Memory is changed, the file is not: leave the mark, so that the next run writes the file even if it finds nothing else to do.
        session.call("ACL", "SETUSER", UNSAVED_MARK, "reset", "off")
        text = f"the users are changed in memory, but not in the ACL file, and would be lost by a restart: {saved}. Repair the file's place and run it again."
        if not steps:
            raise OpsError(f"{session.where}: {text}")
        return {step.tenant.id: text for step in steps}
    return problems


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """One call of the module tenants_redis. Raises OpsError if the system as a whole cannot be worked with."""
    request = TenantsRequest.from_params(params)
    if not request.tenants:
        return SystemResult(SYSTEM, request.region, []).to_exit()
    if params["connection"].get("driver") == "elasticache":
        from . import redis_elasticache

        return redis_elasticache.run(request, params, check_mode)
    with connect(params["connection"], request.timeout) as session:
        actual = observe(session, frozenset(tenant.redis_user for tenant in request.tenants))
        credentials = credentials_of(request, check_mode)
        plan_ = plan(request.tenants, request.declared_ids, credentials, actual)
        problems: dict[str, str] = {}
        if not check_mode and plan_.save:
            with Lease.from_params(params.get("lease")) as lease:
                problems = apply(plan_, session, lease)
        answer = result(request.region, plan_, session.requests, problems)
        if params.get("measure"):
            from .redis_usage import measure

            measure(session, request, answer, int(params["measure_keys"]))
        else:
            answer.notes.append("memory_bytes: Redis cannot hold one user to an amount of memory; not measured in this run (measure: true does)")
    return answer.to_exit()
