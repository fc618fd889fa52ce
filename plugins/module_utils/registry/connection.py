# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions with the registry database, and what its errors mean for an operator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..clients import postgresql
from ..common.errors import AccessDenied, OpsError, Unreachable

if TYPE_CHECKING:
    import psycopg

# Documented by the fragment leanvibe.ops.connection_registry.
REGISTRY_CONNECTION = postgresql.CONNECTION

_HERE = "SELECT set_config('search_path', 'public', false)"


def _without(error: OpsError) -> OpsError:
    """The same error, saying what it means that the registry is away."""
    if isinstance(error, Unreachable):
        return Unreachable(f"The registry cannot be reached, and without it nothing is changed. {error.message} (leanvibe_ops_registry)", **error.details)
    return error


def connect(params: Mapping[str, Any], timeout: int = 10) -> psycopg.Connection[tuple[Any, ...]]:
    """Open a session in autocommit mode whose every statement ends after ``timeout`` seconds.

    Raises Unreachable if the server does not answer in time, AccessDenied if it does not let us in.
    """
    import psycopg

    try:
        connection = postgresql.connect(params, timeout)
    except OpsError as error:
        raise _without(error) from error
    try:
        connection.execute(_HERE)
    except psycopg.Error as error:
        connection.close()
        raise explain(params, error) from error
    return connection


def explain(params: Mapping[str, Any], error: psycopg.Error) -> OpsError:
    """Turn the driver's error into one that names the registry and the way out."""
    from psycopg import errors

    if isinstance(error, (errors.UndefinedTable, errors.UndefinedColumn)):
        where = postgresql.address(params)
        return OpsError(f"The registry ({where}) lacks tables of this release: {error.diag.message_primary}. playbooks/tenants.yml brings it up to date.")
    if isinstance(error, errors.InsufficientPrivilege):
        where, what = postgresql.address(params), error.diag.message_primary
        way_out = "leanvibe_ops_registry must own the registry; playbooks/health_reader.yml gives the account of the health checks what it needs."
        return AccessDenied(f"The registry ({where}): {params['username']} lacks a right: {what}. {way_out}")
    return _without(postgresql.explain(params, error))


@contextmanager
def session(params: Mapping[str, Any], timeout: int = 10) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A session for a few statements; the driver's errors leave it as OpsError."""
    import psycopg

    with connect(params, timeout) as connection:
        try:
            yield connection
        except psycopg.Error as error:
            raise explain(params, error) from error
