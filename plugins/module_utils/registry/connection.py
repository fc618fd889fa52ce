# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions with the registry database, and what its errors mean for an operator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..common.errors import AccessDenied, OpsError, Unreachable

if TYPE_CHECKING:
    import psycopg

# Documented by the fragment leanvibe.ops.connection_registry.
REGISTRY_CONNECTION: dict[str, Any] = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 5432},
    "database": {"type": "str", "required": True},
    "username": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    "sslmode": {"type": "str", "default": "verify-full", "choices": ["disable", "prefer", "require", "verify-ca", "verify-full"]},
    "sslrootcert": {"type": "path"},
}


def address(params: Mapping[str, Any]) -> str:
    """How messages name the registry."""
    return f"registry database {params['database']} at {params['host']}:{params.get('port') or 5432}"


def connect(params: Mapping[str, Any], timeout: int = 10) -> psycopg.Connection[tuple[Any, ...]]:
    """Open a session in autocommit mode whose every statement ends after ``timeout`` seconds.

    Raises Unreachable if the server does not answer in time, AccessDenied if it does not let us in.
    """
    import psycopg

    try:
        return psycopg.connect(
            host=params["host"],
            port=int(params.get("port") or 5432),
            dbname=params["database"],
            user=params["username"],
            password=params.get("password"),
            sslmode=params.get("sslmode") or "verify-full",
            sslrootcert=params.get("sslrootcert"),
            connect_timeout=timeout,
            keepalives_idle=timeout,
            keepalives_interval=max(1, timeout // 3),
            keepalives_count=3,
            tcp_user_timeout=timeout * 1000,
            application_name="leanvibe.ops registry",
            options=" ".join(
                (
                    f"-c statement_timeout={timeout}s -c lock_timeout={timeout}s",
                    f"-c idle_in_transaction_session_timeout={6 * timeout}s -c search_path=public -c timezone=UTC",
                )
            ),
            autocommit=True,
        )
    except psycopg.Error as error:
        raise explain(params, error) from error


def explain(params: Mapping[str, Any], error: psycopg.Error) -> OpsError:
    """Turn the driver's error into one that names the registry and the way out."""
    from psycopg import errors

    where = address(params)
    what = " ".join(str(error).split())
    refused = (errors.InvalidPassword, errors.InvalidAuthorizationSpecification, errors.InsufficientPrivilege)
    if isinstance(error, refused) or "authentication failed" in what:
        return AccessDenied(f"{where} refuses user {params['username']}: {what}. Check leanvibe_ops_registry and the role's rights.")
    if isinstance(error, (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedObject)):
        return OpsError(f"{where} lacks what this release keeps there ({what}). Bring it up to date: ansible-playbook playbooks/tenants.yml migrates it first.")
    if isinstance(error, errors.OperationalError):
        return Unreachable(f"{where} cannot be worked with: {what}. Without the registry nothing is changed; bring it back, or correct leanvibe_ops_registry.")
    return OpsError(f"{where}: {what}")


@contextmanager
def session(params: Mapping[str, Any], timeout: int = 10) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A session for a few statements; the driver's errors leave it as OpsError."""
    import psycopg

    with connect(params, timeout) as connection:
        try:
            yield connection
        except psycopg.Error as error:
            raise explain(params, error) from error
