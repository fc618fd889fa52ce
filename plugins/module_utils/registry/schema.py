# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the registry database at the revision of this release? Only if it is not, the migrations' machinery is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .connection import session

# The newest of roles/registry/files/migrations/versions (a test holds the two together).
HEAD = "0002"

_VERSIONED = "SELECT to_regclass('public.alembic_version') IS NOT NULL"
_VERSION = "SELECT version_num FROM public.alembic_version"


def current(params: Mapping[str, Any], timeout: int = 10) -> str | None:
    """Revision of the registry's tables; None if they are not there yet."""
    with session(params, timeout) as connection:
        versioned = connection.execute(_VERSIONED).fetchone()
        row = connection.execute(_VERSION).fetchone() if versioned is not None and versioned[0] else None
    return str(row[0]) if row else None


def bring_up(params: Mapping[str, Any], migrations: str, *, check: bool, timeout: int = 10) -> dict[str, Any]:
    """Run the migrations that are missing (in check mode: name them); return what the module returns.

    Raises OpsError if the database is at a revision that this release does not know: an older release must not write into it.
    """
    before = current(params, timeout)
    if before == HEAD:
        return {"changed": False, "current": HEAD, "target": HEAD, "migrations": [], "diff": {"before": {"revision": HEAD}, "after": {"revision": HEAD}}}
    from ..common.migrations import migrate

    return migrate(params, migrations, timeout=timeout, check_mode=check, version_schema="public", search_path="public").to_exit()
