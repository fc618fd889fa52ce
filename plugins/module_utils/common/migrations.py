# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic, driven from Python: no alembic.ini, no address and no password in a file.

A folder of migrations holds ``env.py``, ``script.py.mako`` and ``versions/``, one straight line of revisions. Its env.py takes the open connection
from ``context.config.attributes["connection"]`` and the schema of Alembic's own table from ``context.config.attributes["version_schema"]``
(None: the first of the search path). All pending migrations, and the check that follows them, are one transaction: all of it is there, or nothing.
A database that is up to date is asked for its revision only; Alembic (a second of imports) is loaded when there is work for it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..clients import postgresql
from .errors import Conflict, OpsError

if TYPE_CHECKING:
    import psycopg

# Two runs on one database take turns; the number is ours in that database.
LOCK = 7_166_231_001

Verify = Callable[["psycopg.Connection[tuple[Any, ...]]"], None]


@dataclass(frozen=True)
class Step:
    """One migration: its revision, the one before it (None: the first), and its title."""

    revision: str
    previous: str | None
    title: str


@dataclass(frozen=True)
class Plan:
    """What a run does: from ``current`` (None: nothing there yet) to ``target`` by ``steps``, oldest first."""

    current: str | None
    target: str
    steps: tuple[Step, ...]

    def to_exit(self) -> dict[str, Any]:
        """Keyword arguments of a module's exit_json."""
        titles = [f"{step.revision} {step.title}" for step in self.steps]
        return {
            "changed": bool(self.steps),
            "current": self.current,
            "target": self.target,
            "migrations": [{"revision": step.revision, "title": step.title} for step in self.steps],
            "diff": {"before": {"revision": self.current}, "after": {"revision": self.target} | ({"migrations": titles} if titles else {})},
        }


def read_folder(folder: str | Path) -> tuple[Step, ...]:
    """All migrations of a folder, oldest first, read without running them. Raises OpsError unless they form one line from one first to one last."""
    folder = Path(folder)
    steps: dict[str | None, Step] = {}
    if not (folder / "env.py").is_file():
        raise OpsError(f"{folder} is no folder of migrations: it has no env.py")
    for path in sorted((folder / "versions").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        values = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        revision, previous = values.get("revision"), values.get("down_revision", ...)
        if not isinstance(revision, str) or not isinstance(previous, str | None):
            raise OpsError(f"{path} must say its revision and its down_revision as literals")
        step = Step(revision, previous, (ast.get_docstring(tree) or "").partition("\n")[0])
        if step.previous in steps:
            raise OpsError(f"{folder}: {steps[step.previous].revision} and {step.revision} both follow {step.previous}; put one after the other")
        steps[step.previous] = step
    line: list[Step] = []
    while (following := steps.pop(line[-1].revision if line else None, None)) is not None:
        line.append(following)
    if steps or not line:
        raise OpsError(f"{folder}: {', '.join(sorted(step.revision for step in steps.values())) or 'no migration'} cannot be reached from the first migration")
    return tuple(line)


def plan(current: str | None, line: tuple[Step, ...], where: str) -> Plan:
    """What leads from ``current`` to the end of the line. Raises OpsError if the database is at a revision that the line does not have."""
    revisions = [step.revision for step in line]
    if current is not None and current not in revisions:
        raise OpsError(
            f"{where} is at revision {current}, which this release does not know (its last is {revisions[-1]}): a newer release migrated it. Use that one."
        )
    done = revisions.index(current) + 1 if current is not None else 0
    return Plan(current, revisions[-1], line[done:])


def migrate(
    params: Mapping[str, Any],
    folder: str | Path,
    *,
    timeout: int,
    check_mode: bool = False,
    version_schema: str | None = None,
    search_path: str | None = None,
    lock_timeout: int = 5,
    verify: Verify | None = None,
) -> Plan:
    """Bring a database up to the last migration of a folder; return what was (in check mode: would be) done.

    ``params``: as clients.postgresql.CONNECTION. ``timeout``: seconds that one statement may take; ``lock_timeout``: seconds that one may wait for a
    lock, short so that the application's statements do not queue up behind it. ``verify`` sees the result inside the transaction and vetoes it by raising
    OpsError; it runs also when nothing is pending, and not in check mode while something is.
    Raises Unreachable, AccessDenied, Conflict (somebody else migrates), and OpsError for a database of a newer release or a migration that failed.
    """
    import psycopg

    line = read_folder(folder)
    with postgresql.connect(params, timeout, autocommit=False, lock_timeout=lock_timeout) as connection:
        try:
            if search_path:
                connection.execute("SELECT set_config('search_path', %s, false)", (search_path,))
                connection.commit()
            todo = plan(_current(connection, version_schema), line, postgresql.address(params))
            if todo.steps and not check_mode:
                connection.rollback()
                return _run(connection, params, Path(folder), version_schema, line, verify)
            if verify is not None and not todo.steps:
                verify(connection)
            connection.rollback()
        except psycopg.Error as error:
            raise postgresql.explain(params, error) from error
    return todo


def upgrade(params: Mapping[str, Any], folder: str | Path, *, check: bool = False, timeout: int = 60, search_path: str = "public") -> list[str]:
    """``migrate`` for a database whose tables live in one schema; returns the revisions that were (in check mode: would be) run."""
    return [step.revision for step in migrate(params, folder, timeout=timeout, check_mode=check, search_path=search_path).steps]


def _current(connection: psycopg.Connection[tuple[Any, ...]], version_schema: str | None) -> str | None:
    from psycopg import sql

    name = sql.Identifier(version_schema, "alembic_version") if version_schema else sql.Identifier("alembic_version")
    known = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name.as_string(connection),)).fetchone()
    row = connection.execute(sql.SQL("SELECT version_num FROM {}").format(name)).fetchone() if known and known[0] else None
    return str(row[0]) if row else None


def _run(
    connection: psycopg.Connection[tuple[Any, ...]],
    params: Mapping[str, Any],
    folder: Path,
    version_schema: str | None,
    line: tuple[Step, ...],
    verify: Verify | None,
) -> Plan:
    """Everything that is pending, in one transaction; the connection is left without one."""
    from sqlalchemy.exc import SQLAlchemyError

    where = postgresql.address(params)
    with _engine(connection).connect() as bound:
        # Only now: SQLAlchemy's first look at a session ends with a rollback, which would give the lock back.
        _take_turn(connection, where)
        # Whoever had the turn before us may have done the work.
        todo = plan(_current(connection, version_schema), line, where)
        try:
            if todo.steps:
                _alembic(folder, bound, version_schema, todo.target)
            if verify is not None:
                verify(connection)
        except SQLAlchemyError as error:
            connection.rollback()
            cause = " ".join(str(getattr(error, "orig", None) or error).split())
            raise OpsError(f"{where}: a migration after revision {todo.current} failed and everything was undone: {cause}") from error
        except BaseException:
            connection.rollback()
            raise
        connection.commit()
    return todo


def _take_turn(connection: psycopg.Connection[tuple[Any, ...]], where: str) -> None:
    from psycopg import errors

    try:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
    except errors.LockNotAvailable:
        connection.rollback()
        raise Conflict(f"{where} is being migrated by another run; wait until that has ended") from None


def _engine(connection: psycopg.Connection[tuple[Any, ...]]) -> Any:
    """An SQLAlchemy engine that can open nothing but the session that is there."""
    import sqlalchemy
    from sqlalchemy.pool import StaticPool

    return sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool, pool_reset_on_return=None, use_native_hstore=False
    )


def _alembic(folder: Path, bound: Any, version_schema: str | None, target: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = bound
    config.attributes["version_schema"] = version_schema
    # Alembic ends the transaction by itself unless it finds one open.
    bound.begin()
    command.upgrade(config, target)
