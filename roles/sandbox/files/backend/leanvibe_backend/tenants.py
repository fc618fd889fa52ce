# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API does with a tenant's data. Every function is given a transaction that is bound to one tenant already."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg

from .database import Connection

TENANT = "SELECT tenant_id, name, tier, region, state FROM leanvibe.tenants WHERE tenant_id = %s"
USER = "SELECT user_id, email, display_name, password_hash FROM leanvibe.users WHERE tenant_id = %s AND lower(email) = lower(%s)"
PUT_USER = """
INSERT INTO leanvibe.users (tenant_id, email, display_name, password_hash) VALUES (%s, %s, %s, %s)
ON CONFLICT (tenant_id, lower(email)) DO UPDATE SET display_name = excluded.display_name, password_hash = excluded.password_hash
RETURNING user_id
"""
DELETE_USER = "DELETE FROM leanvibe.users WHERE tenant_id = %s AND lower(email) = lower(%s)"
PROJECTS = "SELECT project_id, name, description, created_at FROM leanvibe.projects WHERE tenant_id = %s ORDER BY created_at DESC, project_id LIMIT %s"
PROJECT = "SELECT project_id, name, description, created_at FROM leanvibe.projects WHERE tenant_id = %s AND project_id = %s"
ADD_PROJECT = "INSERT INTO leanvibe.projects (tenant_id, name, description) VALUES (%s, %s, %s) RETURNING project_id, name, description, created_at"
DELETE_PROJECT = "DELETE FROM leanvibe.projects WHERE tenant_id = %s AND project_id = %s"
COUNT_PROJECTS = "SELECT count(*) AS projects FROM leanvibe.projects WHERE tenant_id = %s"
PAGE = 100


class Conflict(Exception):
    """It is there already."""


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON can hold it."""
    return {key: value.isoformat() if hasattr(value, "isoformat") else str(value) if isinstance(value, uuid.UUID) else value for key, value in row.items()}


async def tenant(connection: Connection, tenant_id: str) -> dict[str, Any] | None:
    """The tenant's own row; None if there is no such tenant."""
    return await (await connection.execute(TENANT, (tenant_id,))).fetchone()


async def user(connection: Connection, tenant_id: str, email: str) -> dict[str, Any] | None:
    """A user with the hash of the password; None if there is none."""
    return await (await connection.execute(USER, (tenant_id, email))).fetchone()


async def put_user(connection: Connection, tenant_id: str, email: str, name: str, password_hash: str) -> str:
    """Make a user, or give it another name and password. Returns its id."""
    row = await (await connection.execute(PUT_USER, (tenant_id, email, name, password_hash))).fetchone()
    return str(row["user_id"]) if row else ""


async def delete_user(connection: Connection, tenant_id: str, email: str) -> bool:
    """Remove a user; False if there was none."""
    return (await connection.execute(DELETE_USER, (tenant_id, email))).rowcount > 0


async def projects(connection: Connection, tenant_id: str) -> list[dict[str, Any]]:
    """The newest ``PAGE`` projects."""
    return [shown(row) for row in await (await connection.execute(PROJECTS, (tenant_id, PAGE))).fetchall()]


async def project(connection: Connection, tenant_id: str, project_id: uuid.UUID) -> dict[str, Any] | None:
    """One project; None if the tenant has no such project."""
    row = await (await connection.execute(PROJECT, (tenant_id, project_id))).fetchone()
    return shown(row) if row else None


async def add_project(connection: Connection, tenant_id: str, name: str, description: str) -> dict[str, Any]:
    """Make a project. Raises Conflict for a name that the tenant has already."""
    try:
        row = await (await connection.execute(ADD_PROJECT, (tenant_id, name, description))).fetchone()
    except psycopg.errors.UniqueViolation as error:
        raise Conflict(f"there is a project {name!r} already") from error
    return shown(row or {})


async def delete_project(connection: Connection, tenant_id: str, project_id: uuid.UUID) -> bool:
    """Remove a project; False if there was none."""
    return (await connection.execute(DELETE_PROJECT, (tenant_id, project_id))).rowcount > 0


async def count_projects(connection: Connection, tenant_id: str) -> int:
    """How many projects the tenant has."""
    row = await (await connection.execute(COUNT_PROJECTS, (tenant_id,))).fetchone()
    return int(row["projects"]) if row else 0
