# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user of the health checks on one Redis node. ACLs do not replicate: every node is a call of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..clients.redis import RedisSession, Reply, ReplyError, connect
from ..common.errors import OpsError
from ..health.systems.redis_rights import READ_ONLY_RULES
from ..tenants.systems.redis import UNSAVED_MARK
from ..tenants.systems.redis_acl import AclUser, Catalogue, parse_line, password_hash
from .model import SKIPPED, Change, Plan, Reader, nobody, refused

SYSTEM = "redis"
USUAL = "default"


@dataclass(frozen=True)
class Actual:
    """The user as it is (None: there is none), and whether the ACL file lacks what memory holds."""

    user: AclUser | None
    catalogue: Catalogue
    unsaved: bool = False


@dataclass(frozen=True)
class Step:
    """Commands of one transaction, which also saves the file."""

    commands: tuple[tuple[str, ...], ...]

    def __repr__(self) -> str:
        return f"Step({len(self.commands)} commands)"


def observe(session: RedisSession, name: str) -> Actual:
    """Two round trips. Raises OpsError if the node keeps its users elsewhere than in an ACL file."""
    file, lines, groups = _answers(session, [("CONFIG", "GET", "aclfile"), ("ACL", "LIST"), ("ACL", "CAT")])
    if not isinstance(file, list) or len(file) < 2 or not file[1]:
        raise OpsError(f"{session.where} has no ACL file, so users would be gone after a restart: set `aclfile` in its configuration")
    categories = [str(one) for one in _list(groups)]
    members = _answers(session, [("ACL", "CAT", one) for one in categories])
    catalogue = Catalogue({one: [str(member) for member in _list(reply)] for one, reply in zip(categories, members, strict=True)})
    user, unsaved = None, False
    for line in map(str, _list(lines)):
        found = line.split(maxsplit=2)[1]
        unsaved = unsaved or found == UNSAVED_MARK
        if found == name:
            try:
                user = parse_line(line, catalogue)
            except ValueError as error:
                raise OpsError(f"{session.where}: {error}; this version of Redis is not supported") from error
    return Actual(user, catalogue, unsaved)


def _list(reply: Reply) -> list[Reply]:
    return reply if isinstance(reply, list) else []


def _answers(session: RedisSession, commands: Sequence[tuple[str, ...]]) -> Iterator[Reply]:
    for command, reply in zip(commands, session.pipeline(commands), strict=True):
        if isinstance(reply, ReplyError):
            raise session.error(reply, command)
        yield reply


def plan(reader: Reader, ours: str, actual: Actual) -> Plan:
    """Compare. ``ours``: the user that we work as. Pure."""
    if conflict := reader.conflict(ours, USUAL, UNSAVED_MARK):
        return refused(reader.name, conflict)
    if not reader.password:
        return refused(reader.name, f"user {reader.name} needs a password: set it in leanvibe_ops_health_redis")
    rules = ("reset", "on", "sanitize-payload", *READ_ONLY_RULES.split(), f"#{password_hash(reader.password)}")
    wanted = AclUser(reader.name).with_rules(rules, actual.catalogue)
    if actual.user == wanted:
        save = Change("ACL file", "update", ["users"])
        return Plan(reader.name, [Step(())], [save]) if actual.unsaved else Plan(reader.name)
    commands: list[tuple[str, ...]] = [("ACL", "SETUSER", reader.name, *rules)]
    if actual.user is not None and (actual.user.nopass or actual.user.hashes - wanted.hashes):
        commands.append(("CLIENT", "KILL", "USER", reader.name))
    return Plan(reader.name, [Step(tuple(commands))], [_change(actual.user, wanted)])


def _change(user: AclUser | None, wanted: AclUser) -> Change:
    name = f"user {wanted.name}"
    after = _shown(wanted)
    if user is None:
        return Change(name, "create", after=after)
    before = _shown(user)
    if (user.nopass, user.hashes) != (wanted.nopass, wanted.hashes):
        before["login"], after["login"] = "nobody's secret" if user.nopass else "another secret (not shown)", "the inventory's secret (not shown)"
    fields = [key for key in after if before.get(key) != after[key]]
    return Change(name, "update", fields, {key: before.get(key) for key in fields}, {key: after[key] for key in fields})


def _shown(user: AclUser) -> dict[str, Any]:
    return {
        "enabled": user.enabled,
        "commands": sorted(user.commands) if len(user.commands) < 40 else f"{len(user.commands)} commands",
        "keys": sorted(user.keys),
        "channels": sorted(user.channels),
        "selectors": list(user.selectors),
        "sanitize": user.sanitize,
    }


def apply(steps: Sequence[Step], session: RedisSession) -> None:
    """Write, and save the file in the same transaction. Raises OpsError."""
    for step in steps:
        commands: list[tuple[str, ...]] = [("MULTI",), *step.commands, ("ACL", "DELUSER", UNSAVED_MARK), ("ACL", "SAVE"), ("EXEC",)]
        *queued, executed = session.pipeline(commands)
        for command, reply in zip(commands, queued, strict=False):
            if isinstance(reply, ReplyError):
                raise session.error(reply, command)
        if not isinstance(executed, list):
            raise (
                session.error(executed, ("EXEC",)) if isinstance(executed, ReplyError) else OpsError(f"{session.where} discarded the transaction: run it again")
            )
        for command, reply in zip(step.commands, executed, strict=False):
            if isinstance(reply, ReplyError):
                raise session.error(reply, command)
        if isinstance(executed[-1], ReplyError):
            # Memory is changed, the file is not: the mark has the next run write the file even if it finds nothing else to do.
            session.call("ACL", "SETUSER", UNSAVED_MARK, "reset", "off")
            text = "the user is changed in memory, but not in the ACL file, and would be lost by a restart"
            raise OpsError(f"{session.where}: {text}: {executed[-1]}. Repair the file's place and run it again.")


def by_aws(reader: Reader, connection: Mapping[str, Any]) -> Plan:
    """ElastiCache refuses ACL SETUSER, and its own API is not this operation's: what to do by hand. Pure."""
    group = connection.get("user_group_id") or "<user group>"
    message = (
        f"ElastiCache refuses ACL SETUSER. By the AWS API: aws elasticache create-user --user-id {reader.name} --user-name {reader.name} --engine redis "
        f"--access-string 'on {READ_ONLY_RULES}' --authentication-mode Type=password,Passwords=…, then "
        f"aws elasticache modify-user-group --user-group-id {group} --user-ids-to-add {reader.name}"
    )
    return Plan(reader.name, verdict=SKIPPED, message=message)


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """One call of the module health_reader_redis. Raises OpsError."""
    connection, account = params["connection"], params["account"]
    if not account:
        return nobody("leanvibe_ops_health_redis", "leanvibe_ops_redis").to_exit(SYSTEM, params["region"])
    reader = Reader(account["username"], account.get("password"))
    if connection.get("driver") == "elasticache":
        return by_aws(reader, connection).to_exit(SYSTEM, params["region"])
    with connect(connection, params["timeout"]) as session:
        made = plan(reader, str(connection.get("username") or USUAL), observe(session, reader.name))
        if not check_mode:
            apply(made.steps, session)
    return made.to_exit(SYSTEM, params["region"])
