# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks of an object store. The certificate comes first: one that has expired is why nothing else can be asked."""

from __future__ import annotations

from ...model import Check, Comparison
from . import access, buckets
from .store import Driver

CHECKS: tuple[Check[Driver], ...] = (*access.CHECKS, *buckets.CHECKS)
COMPARISONS: tuple[Comparison, ...] = ()
