# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the health checks' role in the platform's database may look, and no more. Nothing is written: the role platform_database makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..clients import postgresql
from ..common.errors import AccessDenied
from ..health.systems.postgresql_rights import EXCESS, RIGHTS
from .model import Plan, Reader, nobody, refused

if TYPE_CHECKING:
    import psycopg

SYSTEM = "postgresql"
RDS = "rds"
MADE_BY = "the role leanvibe.ops.platform_database"


@dataclass(frozen=True)
class Actual:
    """Rights that the role lacks (as statements that give them), what it has too much, and why it is not let in ("" if it is)."""

    lacks: tuple[str, ...]
    excess: tuple[str, ...]
    shut_out: str = ""


def observe(connection: psycopg.Connection[Any], role: str, driver: str) -> Actual:
    """One query. Raises psycopg.Error."""
    from psycopg import sql

    rights = [right for right in RIGHTS if driver != RDS or not right.self_managed]
    exists = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    if exists is None:
        return Actual(tuple(right.statement for right in rights), ())
    asked = sql.SQL(", ").join(sql.SQL(expression) for expression in (*(right.holds for right in rights), *EXCESS.values()))
    answers = connection.execute(sql.SQL("SELECT {}").format(asked), {"role": role}).fetchone() or ()
    lacks = tuple(right.statement for right, holds in zip(rights, answers, strict=False) if not holds)
    return Actual(lacks, tuple(what for what, has in zip(EXCESS, answers[len(rights) :], strict=True) if has))


def plan(reader: Reader, ours: str, actual: Actual) -> Plan:
    """Say what is to be done, and by whom. Pure."""
    if conflict := reader.conflict(ours, "postgres"):
        return refused(reader.name, conflict)
    if actual.lacks:
        return refused(reader.name, f"{reader.name} lacks rights, which {MADE_BY} gives (run it): {'; '.join(actual.lacks)}")
    if actual.excess:
        return refused(reader.name, f"{reader.name} may do more than look: {'; '.join(actual.excess)}. Take that away from it")
    if actual.shut_out:
        return refused(reader.name, f"{reader.name} has its rights and is not let in: {actual.shut_out} As superuser: \\password {reader.name}")
    return Plan(reader.name, message=f"has what the health checks need and no more; {MADE_BY} makes it")


def _shut_out(connection: Mapping[str, Any], reader: Reader, timeout: int) -> str:
    try:
        postgresql.connect({**connection, "username": reader.name, "password": reader.password}, timeout).close()
    except AccessDenied as error:
        return error.message
    return ""


def run(params: Mapping[str, Any]) -> dict[str, Any]:
    """One call of the module health_reader_postgresql. Raises OpsError."""
    connection, account = params["connection"], params["account"]
    if not account:
        return nobody("leanvibe_ops_health_postgresql", "leanvibe_ops_postgresql").to_exit(SYSTEM, params["region"])
    reader = Reader(account["username"], account.get("password"))
    with postgresql.session(connection, params["timeout"]) as session:
        actual = observe(session, reader.name, str(connection.get("driver") or SYSTEM))
    if not actual.lacks:
        actual = Actual((), actual.excess, _shut_out(connection, reader, params["timeout"]))
    return plan(reader, str(connection["username"]), actual).to_exit(SYSTEM, params["region"])
