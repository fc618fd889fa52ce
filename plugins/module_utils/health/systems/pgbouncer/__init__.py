# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of PgBouncer."""

from __future__ import annotations

from ...model import Check, Comparison
from . import pooling
from .console import Console

CHECKS: tuple[Check[Console], ...] = (pooling.DATABASES, pooling.WAITING, pooling.CLIENTS, pooling.CERTIFICATE)
COMPARISONS: tuple[Comparison, ...] = ()
