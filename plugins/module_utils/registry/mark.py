# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform's own mark of its environment: the same command with another inventory must not work on the wrong platform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..common.errors import Conflict
from ..guard.policy import mark_refusal

if TYPE_CHECKING:
    import psycopg

    Session = psycopg.Connection[tuple[Any, ...]]

_EXISTS = "SELECT to_regclass('public.platform_mark') IS NOT NULL"
_READ = "SELECT environment FROM platform_mark"
_SET = "INSERT INTO platform_mark (environment, kind, marked_by) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"


def verify(session: Session, environment: str) -> bool:
    """True if the platform bears the mark of ``environment``, False if it bears none. Raises Conflict if it bears another one."""
    exists = session.execute(_EXISTS).fetchone()
    row = session.execute(_READ).fetchone() if exists is not None and exists[0] else None
    problem = mark_refusal(environment, {"registry database": row[0] if row else None})
    if problem:
        raise Conflict(problem)
    return row is not None


def establish(session: Session, environment: str, kind: str, who: str) -> None:
    """Mark a new platform; a marked one stays as it is."""
    session.execute(_SET, (environment, kind, who))
