# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session that the checks of PostgreSQL share, and how it is opened, bounded and closed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from ....clients import postgresql as client
from ....common.errors import AccessDenied
from ....common.lazy import LazyModule
from ...model import NotApplicable, Session
from ...runner import Link

if TYPE_CHECKING:
    import psycopg
else:
    psycopg = LazyModule("psycopg")

Row = Mapping[str, Any]
MONITOR = ("GRANT pg_monitor TO <role>",)
RUNBOOK = "runbooks/postgresql.md"
# Who looks at a table that somebody has locked waits for it no longer.
LOCK_SECONDS = 3.0


@dataclass
class Server:
    """One open session in autocommit mode, and the parameters by which it was reached."""

    connection: psycopg.Connection[tuple[Any, ...]]
    params: Mapping[str, Any]
    limited: float | None = None

    def rows(self, query: LiteralString, values: Mapping[str, Any] | None = None) -> list[Row]:
        """All rows of one query, by the names of its columns."""
        from psycopg.rows import dict_row

        return list(self.connection.cursor(row_factory=dict_row).execute(query, values).fetchall())

    def limit(self, seconds: float) -> None:
        """End each statement that follows after ``seconds``, one that waits for a lock sooner; asks the server only when that is something new."""
        if seconds != self.limited:
            limits = [str(max(1, int(limit * 1000))) for limit in (seconds, min(seconds, LOCK_SECONDS))]
            self.connection.execute("SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false)", limits)
            self.limited = seconds

    def writes(self) -> str:
        """Begin to write, and take it back: the transaction's number, which a server that takes no writes does not give."""
        with self.connection.transaction(force_rollback=True):
            self.connection.execute("SET TRANSACTION READ WRITE")
            row = self.connection.execute("SELECT pg_current_xact_id()::text").fetchone()
        return str(row[0]) if row else ""


def link(params: Mapping[str, Any]) -> Link[Server]:
    """How to reach the server of a connection (keys of clients.postgresql.CONNECTION)."""

    def connect(seconds: float) -> Server:
        return Server(client.connect(params, max(1, math.ceil(seconds))), params)

    def answers(server: Server, _seconds: float) -> object:
        return server.connection.execute("SELECT 1").fetchone()

    def explain(error: Exception) -> Exception:
        return client.explain(params, error) if isinstance(error, psycopg.Error) else error

    return Link(
        connect=connect,
        answers=answers,
        close=lambda server: server.connection.close(),
        limit=lambda server, seconds: server.limit(seconds),
        explain=explain,
        loads=("psycopg",),
    )


_STATE = """
SELECT pg_is_in_recovery() AS recovering, current_setting('server_version_num')::int AS version,
       extract(epoch FROM clock_timestamp())::float8 AS now, extract(epoch FROM pg_postmaster_start_time())::float8 AS started
"""
_SETTINGS = "SELECT name, setting, unit, source, category, pending_restart FROM pg_settings"


def state(session: Session[Server]) -> Row:
    """``recovering`` (whether it is a standby), ``version``, and its clock (``now``, ``started``; seconds since 1970). One request a run."""
    return session.once("state", lambda server: server.rows(_STATE)[0])


def settings(session: Session[Server]) -> Mapping[str, Row]:
    """All settings by name. One request a run."""
    return session.once("settings", lambda server: {str(row["name"]): row for row in server.rows(_SETTINGS)})


def number(session: Session[Server], name: str, otherwise: int = 0) -> int:
    """A setting as a whole number in its own unit; ``otherwise`` where this version does not have it."""
    found = settings(session).get(name)
    return int(found["setting"]) if found is not None else otherwise


def only_primary(session: Session[Server]) -> None:
    """For what a standby has as a copy. Raises NotApplicable there."""
    if state(session)["recovering"]:
        raise NotApplicable("a standby has this as a copy of its primary's, where it is looked at")


def only_standby(session: Session[Server]) -> None:
    """Raises NotApplicable on a primary."""
    if not state(session)["recovering"]:
        raise NotApplicable("a primary replays nothing; this is looked at on standbys")


def hidden(view: str) -> AccessDenied:
    """The error for a view that shows its rows and not what is in them."""
    return AccessDenied(f"{view} shows rows without what is in them; the session's role is no member of pg_monitor.")


def tenants_of(*names: str | None) -> tuple[str, ...]:
    """The tenants whose roles or schemas these are: ``tenant_acme_corp`` is acme-corp's."""
    return tuple(sorted({name.removeprefix("tenant_").replace("_", "-") for name in names if name and name.startswith("tenant_")}))
