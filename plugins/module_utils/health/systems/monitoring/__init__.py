# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks of the monitoring that everything depends on: Prometheus and Alertmanager, each on a connection of its own."""

from __future__ import annotations

from ...model import Check, Comparison
from . import alertmanager, alerts, prometheus, rules, targets
from .server import Server

OF_PROMETHEUS: tuple[Check[Server], ...] = (*prometheus.CHECKS, *targets.CHECKS, *rules.CHECKS, *alerts.CHECKS)
OF_ALERTMANAGER: tuple[Check[Server], ...] = alertmanager.CHECKS
CHECKS: tuple[Check[Server], ...] = (*OF_PROMETHEUS, *OF_ALERTMANAGER)
COMPARISONS: tuple[Comparison, ...] = ()
