# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session with PgBouncer's admin console, which the checks share. It speaks simple queries only, and knows no statement_timeout."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from ....clients import postgresql as client
from ....common.errors import AccessDenied, Unreachable
from ....common.lazy import LazyModule
from ...model import NoData, Session
from ...runner import Link

if TYPE_CHECKING:
    import psycopg
else:
    psycopg = LazyModule("psycopg")

Row = Mapping[str, Any]
RUNBOOK = "runbooks/pgbouncer.md"
GRANTS = ("stats_users = <user> in pgbouncer.ini",)
SYSTEM = "pgbouncer"
CONNECTION: dict[str, Any] = {
    **client.CONNECTION,
    "port": {"type": "int", "default": 6432},
    "database": {"type": "str", "default": "pgbouncer"},
    "driver": {"type": "str", "default": "pgbouncer", "choices": ["pgbouncer"]},
}


@dataclass
class Console:
    """One open session, and the parameters by which it was reached."""

    connection: psycopg.Connection[tuple[Any, ...]]
    params: Mapping[str, Any]

    def show(self, command: LiteralString) -> list[Row]:
        """The rows of a SHOW command, by the names of their columns; numbers come as numbers."""
        from psycopg.rows import dict_row

        return [{name: _value(value) for name, value in row.items()} for row in self.connection.cursor(row_factory=dict_row).execute(command).fetchall()]


def _value(value: Any) -> Any:
    text = str(value)
    return int(text) if isinstance(value, str) and text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() else value


def _connect(params: Mapping[str, Any], seconds: float) -> Console:
    connection = psycopg.connect(
        host=params["host"],
        port=int(params.get("port") or 6432),
        dbname=params["database"],
        user=params["username"],
        password=params.get("password"),
        sslmode=params.get("sslmode") or "verify-full",
        sslrootcert=params.get("sslrootcert"),
        connect_timeout=max(2, math.ceil(seconds)),
        tcp_user_timeout=math.ceil(seconds * 1000),
        application_name="leanvibe.ops",
        autocommit=True,
        prepare_threshold=None,
    )
    return Console(connection, params)


def link(params: Mapping[str, Any]) -> Link[Console]:
    """How to reach the console: database ``pgbouncer``, as one of admin_users or stats_users."""

    def explain(error: Exception) -> Exception:
        if not isinstance(error, psycopg.Error):
            return error
        what = " ".join(str(error.diag.message_primary or error).split())
        where = f"PgBouncer at {params['host']}:{params.get('port') or 6432}"
        if "not allowed" in what or "admin access needed" in what:
            return AccessDenied(f"{where}: {params['username']} may not look at the console: {what}.")
        if isinstance(error, psycopg.OperationalError) and "authentication" not in what:
            return Unreachable(f"{where} cannot be worked with: {what}. Bring it back, or correct the connection.")
        return client.explain(params, error)

    return Link(
        connect=lambda seconds: _connect(params, seconds),
        answers=lambda console, _seconds: console.show("SHOW VERSION"),
        close=lambda console: console.connection.close(),
        explain=explain,
        loads=("psycopg",),
    )


def pools(session: Session[Console]) -> list[Row]:
    """All pools but the console's own. Raises NoData if PgBouncer shows none at all: its own is always there."""
    rows = session.once("pools", lambda console: console.show("SHOW POOLS"))
    if not rows:
        raise NoData("SHOW POOLS: no rows, not even the console's own pool")
    return [row for row in rows if row["database"] != "pgbouncer"]


def databases(session: Session[Console]) -> list[Row]:
    """All databases but the console."""
    rows = session.once("databases", lambda console: console.show("SHOW DATABASES"))
    return [row for row in rows if row["name"] != "pgbouncer"]
