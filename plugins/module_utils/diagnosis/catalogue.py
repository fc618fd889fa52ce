# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check that belongs to a diagnosis only, by system. The modules that check a system run them with profile diagnose, beside those of every day."""

from __future__ import annotations

from ..health.model import About
from . import kubernetes, monitoring, neo4j, object_store, postgresql, redis

EVERYTHING: tuple[About, ...] = (*kubernetes.IN_DEPTH, *monitoring.IN_DEPTH, *neo4j.IN_DEPTH, *object_store.IN_DEPTH, *postgresql.IN_DEPTH, *redis.IN_DEPTH)
