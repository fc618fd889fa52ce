# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the registry is reached: as PostgreSQL, with errors that name the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ....common.lazy import LazyModule
from ....registry.connection import explain
from ...runner import Link
from ..postgresql import server
from ..postgresql.server import Server

if TYPE_CHECKING:
    import psycopg
else:
    psycopg = LazyModule("psycopg")

SYSTEM = "control"
RUNBOOK = "runbooks/control.md"


def link(params: Mapping[str, Any]) -> Link[Server]:
    """The registry's server, by the connection of leanvibe_ops_registry."""

    def told(error: Exception) -> Exception:
        return explain(params, error) if isinstance(error, psycopg.Error) else error

    return replace(server.link(params), explain=told)
