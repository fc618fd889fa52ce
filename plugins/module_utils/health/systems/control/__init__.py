# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of ourselves: the registry, and what operations left in it."""

from __future__ import annotations

from ...model import Check, Comparison
from ..postgresql.server import Server
from . import registry, tenants

CHECKS: tuple[Check[Server], ...] = (
    registry.REGISTRY,
    registry.LEASES,
    registry.RUNS,
    tenants.PROVISIONED,
    tenants.UNDECLARED,
    tenants.SIGNUPS,
)
COMPARISONS: tuple[Comparison, ...] = ()
