# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that run checks have in common: their parameters, documented by the fragment leanvibe.ops.health_checks, and how these are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..registry.connection import REGISTRY_CONNECTION
from .model import PROFILES, Check, Client
from .results import Run
from .runner import Limits, Link, Selection, absent, run_checks
from .thresholds import with_overrides

HEALTH: dict[str, Any] = {
    "region": {"type": "str", "required": True},
    "profile": {"type": "str", "default": PROFILES[0], "choices": list(PROFILES)},
    "only": {"type": "list", "elements": "str", "default": []},
    "without": {"type": "list", "elements": "str", "default": []},
    "writes": {"type": "bool", "default": True},
    "thresholds": {"type": "dict", "default": {}},
    "options": {"type": "dict", "default": {}},
    "tenants": {"type": "list", "elements": "dict", "default": []},
    "absent": {"type": "str"},
    "connect_timeout": {"type": "float", "default": 3.0},
    "budget": {"type": "float", "default": 30.0},
}


def selection_of(params: Mapping[str, Any]) -> Selection:
    """Which checks the run is about."""
    return Selection(profile=params["profile"], only=params["only"], without=params["without"], writes=params["writes"])


def run_from(params: Mapping[str, Any], system: str, checks: Sequence[Check[Client]], link: Link[Client]) -> Run:
    """Run a system's checks as the module's parameters (HEALTH) say. Never raises for what happens to a check or to the system."""
    mine = with_overrides(checks, params["thresholds"])
    selection = selection_of(params)
    if params.get("absent"):
        return absent(mine, system=system, region=params["region"], reason=params["absent"], selection=selection)
    return run_checks(
        mine,
        link,
        system=system,
        region=params["region"],
        selection=selection,
        limits=Limits(connect=params["connect_timeout"], budget=params["budget"]),
        options=params["options"],
        tenants=params["tenants"],
    )


# Parameters of the module health_report.
REPORT: dict[str, Any] = {
    "step": {"type": "str", "default": "conclude", "choices": ["inputs", "conclude"]},
    "operation": {"type": "str", "default": "health", "choices": ["health", "diagnose"]},
    **{name: {"type": "str"} for name in ("run_id", "started", "environment")},
    "regions": {"type": "list", "elements": "str", "default": []},
    "report_dir": {"type": "path"},
    "check": {"type": "bool", "default": False},
    "endpoints": {"type": "json", "default": "[]"},
    "expected": {"type": "dict", "default": {}},
    **{name: HEALTH[name] for name in ("profile", "only", "without", "writes", "thresholds")},
    "waivers": {"type": "list", "elements": "dict", "default": []},
    "fail_on": {"type": "list", "elements": "str", "default": ["critical", "unknown"]},
    "fail_only_new": {"type": "bool", "default": False},
    "changes": {"type": "list", "elements": "dict", "default": []},
    "notes": {"type": "list", "elements": "str", "default": []},
    **{name: {"type": "path"} for name in ("history_dir", "prometheus_file", "junit_file")},
    "history_registry": {"type": "dict", "options": REGISTRY_CONNECTION},
    "history_runs": {"type": "int", "default": 120},
    "history_days": {"type": "int", "default": 90},
    "show": {"type": "bool", "default": True},
}
REPORT_NEEDS = [("step", "conclude", ("run_id", "started", "environment", "report_dir"))]
