# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the module of the same name and show its summary, as health_report does; documented in plugins/modules/diagnose_report.py."""

from __future__ import annotations

from . import health_report


class ActionModule(health_report.ActionModule):
    """The same for another module."""

    MODULE = "leanvibe.ops.diagnose_report"
