# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether PgBouncer lets the health checks' account look at its console, and no more. Who may is said in its files, which are not ours to write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..common.errors import AccessDenied, OpsError
from ..health.runner import Link
from ..health.systems.pgbouncer.console import SYSTEM, Console, link
from .model import Plan, Reader, nobody, refused


@dataclass(frozen=True)
class Actual:
    """Who is named in ``stats_users`` and ``admin_users``, and why the account is not let in ("" if it is)."""

    stats: frozenset[str]
    admins: frozenset[str]
    shut_out: str = ""


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def observe(console: Console) -> Actual:
    """One command of the console."""
    settings = {str(row["key"]): str(row["value"] or "") for row in console.show("SHOW CONFIG")}
    return Actual(_names(settings.get("stats_users", "")), _names(settings.get("admin_users", "")))


def plan(reader: Reader, ours: str, actual: Actual) -> Plan:
    """Say what is to be written where. Pure."""
    if conflict := reader.conflict(ours):
        return refused(reader.name, conflict)
    if reader.name in actual.admins:
        return refused(reader.name, f"{reader.name} is named in admin_users and may change things: take it out in pgbouncer.ini, then RELOAD")
    if reader.name not in actual.stats:
        listed = ", ".join(sorted({*actual.stats, reader.name}))
        return refused(reader.name, f"{reader.name} may not look: set stats_users = {listed} in pgbouncer.ini, then RELOAD")
    if actual.shut_out:
        return refused(
            reader.name, f"{reader.name} is named in stats_users and is not let in: {actual.shut_out} Write its verifier into the auth_file, then RELOAD"
        )
    return Plan(reader.name, message="is named in stats_users of pgbouncer.ini, and not in admin_users")


def _ask(params: Mapping[str, Any], seconds: float) -> Actual:
    reached: Link[Console] = link(params)
    try:
        console = reached.connect(seconds)
        try:
            return observe(console)
        finally:
            reached.close(console)
    except Exception as error:
        raise reached.explain(error) from error


def _shut_out(params: Mapping[str, Any], seconds: float) -> str:
    try:
        _ask(params, seconds)
    except AccessDenied as error:
        return error.message
    except OpsError:
        return ""  # it answered us a moment ago, and no refusal came
    return ""


def run(params: Mapping[str, Any]) -> dict[str, Any]:
    """One call of the module health_reader_pgbouncer. Raises OpsError."""
    connection, account = params["connection"], params["account"]
    if not account:
        return nobody("leanvibe_ops_health_pgbouncer", "leanvibe_ops_pgbouncer").to_exit(SYSTEM, params["region"])
    reader = Reader(account["username"], account.get("password"))
    actual = _ask(connection, params["timeout"])
    if reader.name in actual.stats:
        login = {**connection, "username": reader.name, "password": reader.password}
        actual = Actual(actual.stats, actual.admins, _shut_out(login, params["timeout"]))
    return plan(reader, str(connection["username"]), actual).to_exit(SYSTEM, params["region"])
