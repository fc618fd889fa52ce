# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the health checks reach an object store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...arguments import run_from
from ...runner import Link
from ...thresholds import with_overrides
from . import CHECKS
from .drivers import connect
from .store import SYSTEM, Store


def link(connection: Mapping[str, Any], thresholds: Mapping[str, Any]) -> Link[Store]:
    """The link to a store. ``thresholds``: the inventory's."""
    known = {check.id: check for check in with_overrides(CHECKS, thresholds)}
    return Link(
        connect=lambda seconds: Store(connect(connection, seconds), known),
        answers=_answers,
        close=lambda store: store.driver.close(),
        limit=lambda store, seconds: store.driver.limit(seconds),
    )


def _answers(store: Store, seconds: float) -> object:
    store.driver.limit(seconds)
    return store.driver.names()


def run(params: Mapping[str, Any]) -> dict[str, Any]:
    """One call of the module health_object_store: what the checks found."""
    return run_from(params, SYSTEM, CHECKS, link(params["connection"], params["thresholds"])).to_mapping()
