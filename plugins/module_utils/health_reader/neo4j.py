# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role and user of the health checks on Neo4j Enterprise. Community has no roles: every user there is an administrator.

Not run against the real edition: its statements are held against the parser of Neo4j 5 Community, which knows them and refuses to run them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

from ..clients.neo4j import SYSTEM_DATABASE, Neo4jClient, connect
from ..common.errors import AccessDenied
from ..health.systems.neo4j_rights import GRANTS
from .model import SKIPPED, Change, Plan, Reader, nobody, refused

SYSTEM = "neo4j"
COMMUNITY = (
    "Neo4j Community has no roles: every user there is an administrator, so there is no account that may only look. The health checks only read, "
    "and look with leanvibe_ops_neo4j"
)
NOTE = "Neo4j Enterprise: not run against the real edition"

EDITION: LiteralString = "CALL dbms.components() YIELD edition RETURN edition"
ROLES: LiteralString = "SHOW ROLES YIELD role WHERE role = $role RETURN role"
PRIVILEGES: LiteralString = "SHOW ROLE $role PRIVILEGES AS COMMANDS YIELD command RETURN command"
USERS: LiteralString = "SHOW USERS YIELD user, roles, suspended WHERE user = $user RETURN user, roles, suspended"
CREATE_ROLE: LiteralString = "CREATE ROLE $role IF NOT EXISTS"
CREATE_USER: LiteralString = "CREATE USER $user IF NOT EXISTS SET PLAINTEXT PASSWORD $password SET PASSWORD CHANGE NOT REQUIRED"
SET_PASSWORD: LiteralString = "ALTER USER $user SET PLAINTEXT PASSWORD $password SET PASSWORD CHANGE NOT REQUIRED"  # noqa: S105
ACTIVATE: LiteralString = "ALTER USER $user SET STATUS ACTIVE"
GRANT_ROLE: LiteralString = "GRANT ROLE $role TO $user"


@dataclass(frozen=True)
class Actual:
    """``privileges``: the role's, as commands (None: there is no role); ``roles``: the user's beside PUBLIC (None: there is no user).

    ``lets_in``: whether the wanted password is the user's, which only logging in tells.
    """

    privileges: frozenset[str] | None
    roles: frozenset[str] | None
    suspended: bool = False
    lets_in: bool = False


@dataclass(frozen=True)
class Step:
    """One statement on the system database."""

    text: LiteralString
    parameters: Mapping[str, Any] = field(repr=False)


def plain(command: str) -> str:
    """A privilege's command without what editions write differently: backticks, plurals, the role that has it."""
    words = re.sub(r"`", "", command).upper().replace("PROCEDURES", "PROCEDURE").replace("INDEXES", "INDEX").replace("CONSTRAINTS", "CONSTRAINT")
    return re.sub(r"\s+", " ", words.rpartition(" TO ")[0]).strip()


def observe(client: Neo4jClient, reader: Reader, role: str, lets_in: bool) -> Actual:
    """At most three statements. Raises OpsError."""
    privileges = None
    if client.rows(ROLES, SYSTEM_DATABASE, role=role):
        privileges = frozenset(str(row["command"]) for row in client.rows(PRIVILEGES, SYSTEM_DATABASE, role=role))
    users = client.rows(USERS, SYSTEM_DATABASE, user=reader.name)
    roles = frozenset(users[0]["roles"] or []) - {"PUBLIC"} if users else None
    return Actual(privileges, roles, bool(users and users[0]["suspended"]), bool(users) and lets_in)


def plan(reader: Reader, role: str, ours: str, actual: Actual) -> Plan:
    """Compare. Pure."""
    if conflict := reader.conflict(ours, "neo4j"):
        return refused(reader.name, conflict)
    if not reader.password:
        return refused(reader.name, f"user {reader.name} needs a password: set it in leanvibe_ops_health_neo4j")
    wanted = {plain(grant) for grant in GRANTS}
    granted = {plain(command): command for command in actual.privileges or ()}
    extra = sorted(command for form, command in granted.items() if form not in wanted)
    further = sorted((actual.roles or frozenset()) - {role})
    if extra or further:
        what = [f"role {role} has more than is needed ({'; '.join(extra)})"] if extra else []
        what += [f"user {reader.name} has further roles ({', '.join(further)})"] if further else []
        return refused(reader.name, f"{', and '.join(what)}: revoke that and run this again", [NOTE])
    where = {"role": role, "user": reader.name}
    secret = {"user": reader.name, "password": reader.password}
    steps = [Step(CREATE_ROLE, where)] if actual.privileges is None else []
    missing = [grant for grant in GRANTS if plain(grant) not in granted]
    steps += [Step(grant, where) for grant in missing]
    changes = [Change(f"role {role}", "create" if actual.privileges is None else "update", ["privileges"], None, missing)] if steps else []
    fields = []
    if actual.roles is None:
        steps.append(Step(CREATE_USER, secret))
    elif not actual.lets_in and not actual.suspended:
        steps.append(Step(SET_PASSWORD, secret))
        fields.append("password")
    if actual.suspended:
        steps += [Step(SET_PASSWORD, secret), Step(ACTIVATE, where)]
        fields.append("status")
    if role not in (actual.roles or ()):
        steps.append(Step(GRANT_ROLE, where))
        fields.append("role")
    if fields:
        changes.append(Change(f"user {reader.name}", "create" if actual.roles is None else "update", fields if actual.roles is not None else []))
    return Plan(reader.name, steps, changes, notes=[NOTE])


def apply(steps: Sequence[Step], client: Neo4jClient) -> None:
    """Run the statements: the role has its rights before anybody has the role. Raises OpsError."""
    for step in steps:
        client.rows(step.text, SYSTEM_DATABASE, **step.parameters)


def _lets_in(connection: Mapping[str, Any], reader: Reader, timeout: float) -> bool:
    with connect({**connection, "username": reader.name, "password": reader.password}, timeout) as client:
        try:
            client.rows("RETURN 1 AS one", SYSTEM_DATABASE)
        except AccessDenied:
            return False
    return True


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """One call of the module health_reader_neo4j. Raises OpsError."""
    connection, account, role = params["connection"], params["account"], params["role"]
    with connect(connection, params["timeout"]) as client:
        edition = str(client.rows(EDITION)[0]["edition"])
        if edition != "enterprise":
            made = Plan("", verdict=SKIPPED, message=COMMUNITY)
        elif not account:
            made = nobody("leanvibe_ops_health_neo4j", "leanvibe_ops_neo4j")
        else:
            reader = Reader(account["username"], account.get("password"))
            lets_in = bool(reader.password) and _lets_in(connection, reader, params["timeout"])
            made = plan(reader, role, str(connection.get("username") or "neo4j"), observe(client, reader, role, lets_in))
            if not check_mode:
                apply(made.steps, client)
    return made.to_exit(SYSTEM, params["region"])
