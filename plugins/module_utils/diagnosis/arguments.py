# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of the module diagnose_report: those of health_report that a diagnosis has, and its own."""

from __future__ import annotations

from typing import Any

from ..health import arguments
from ..health.model import DIAGNOSE

_ALIKE = (
    "step",
    "run_id",
    "regions",
    "check",
    "endpoints",
    "expected",
    "only",
    "without",
    "thresholds",
    "waivers",
    "fail_on",
    "changes",
    "history_registry",
    "history_days",
    "show",
)
REPORT: dict[str, Any] = {
    **{name: arguments.REPORT[name] for name in _ALIKE},
    "started": {"type": "str", "required": True},
    "environment": {"type": "str", "required": True},
    "report_dir": {"type": "path", "required": True},
    "history_runs": {"type": "int", "default": 30},
    "selected_ids": {"type": "list", "elements": "str", "default": []},
    "chosen": {"type": "bool", "default": False},
    "tenant": {"type": "str", "default": ""},
    "bundle": {"type": "bool", "default": False},
    "hide": {"type": "list", "elements": "str", "default": [], "no_log": True},
}
# A diagnosis only reads, compares with everything that is known, and fails for what is old as well as for what is new.
FIXED: dict[str, Any] = {"operation": "diagnose", "history_dir": None, "profile": DIAGNOSE, "writes": False, "fail_only_new": False, "notes": []}
