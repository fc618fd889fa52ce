# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of the server become messages for an operator; what concurrency alone prevented is done again."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients import postgresql
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import AccessDenied, OpsError, Unreachable
from psycopg import errors

PARAMS = {"host": "db.example", "port": 5432, "database": "leanvibe", "username": "ops", "password": "hush"}


@pytest.mark.parametrize(
    ("error", "kind", "way_out"),
    [
        (errors.InsufficientPrivilege("permission denied for table pg_authid"), AccessDenied, "platform_database"),
        (errors.InvalidPassword("no"), AccessDenied, "username and password"),
        (psycopg.OperationalError('FATAL: password authentication failed for user "ops"'), AccessDenied, "username and password"),
        (psycopg.OperationalError("connection refused"), Unreachable, "Bring it back"),
        (errors.QueryCanceled("canceling statement due to statement timeout"), Unreachable, "pg_stat_activity"),
        (errors.LockNotAvailable("canceling statement due to lock timeout"), Unreachable, "pg_stat_activity"),
        (errors.ReadOnlySqlTransaction("cannot execute CREATE ROLE in a read-only transaction"), OpsError, "leanvibe_ops_placement"),
        (errors.DuplicateObject("role exists"), OpsError, "role exists"),
    ],
)
def test_errors_name_the_database_and_the_way_out(error: psycopg.Error, kind: type[OpsError], way_out: str) -> None:
    explained = postgresql.explain(PARAMS, error)
    assert type(explained) is kind
    assert "leanvibe at db.example:5432" in explained.message
    assert way_out in explained.message
    assert "hush" not in explained.message


def test_nobody_there_is_unreachable() -> None:
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1"):
        postgresql.connect({**PARAMS, "host": "127.0.0.1", "port": 1, "sslmode": "disable"}, 2)


def failing(times: int, error: psycopg.Error) -> Any:
    left = [error] * times

    def work() -> str:
        if left:
            raise left.pop()
        return "done"

    return work


def test_concurrency_alone_is_tried_again() -> None:
    pauses: list[float] = []
    for error in (errors.InternalError_("tuple concurrently updated"), errors.DeadlockDetected("x"), errors.SerializationFailure("x")):
        assert postgresql.persistently(failing(3, error), pause=pauses.append) == "done"
        with pytest.raises(type(error)):
            postgresql.persistently(failing(4, error), pause=pauses.append)
    assert len(pauses) == 18
    assert all(0 < pause < 1 for pause in pauses)
    for error in (errors.DuplicateObject("x"), errors.LockNotAvailable("x"), errors.QueryCanceled("x")):
        with pytest.raises(type(error)):
            postgresql.persistently(failing(1, error), pause=pauses.append)
    assert len(pauses) == 18
