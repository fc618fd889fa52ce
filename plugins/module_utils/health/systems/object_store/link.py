# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the health checks reach an object store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...arguments import run_from
from ...runner import Link
from . import CHECKS
from .drivers import connect
from .store import SYSTEM, Driver


def link(connection: Mapping[str, Any]) -> Link[Driver]:
    """The link to a store."""
    return Link(
        connect=lambda seconds: connect(connection, seconds),
        answers=_answers,
        close=lambda store: store.close(),
        limit=lambda store, seconds: store.limit(seconds),
    )


def _answers(store: Driver, seconds: float) -> object:
    store.limit(seconds)
    return store.names()


def run(params: Mapping[str, Any]) -> dict[str, Any]:
    """One call of the module health_object_store: what the checks found."""
    return run_from(params, SYSTEM, CHECKS, link(params["connection"])).to_mapping()
