# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of the sandbox call: inputs in, a module's result out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..common.errors import OpsError
from ..common.progress import Progress
from . import catalogue, faults, lifecycle, status
from .context import Context
from .parts.postgresql import Postgresql
from .settings import REGIONS, read_marker, resolve


def _context(parameters: Mapping[str, Any]) -> Context:
    settings = resolve(parameters["directory"], parameters.get("data_dir"), parameters.get("port_base"))
    return Context(settings, dict(parameters.get("binaries") or {}))


def _existing(parameters: Mapping[str, Any]) -> Context:
    context = _context(parameters)
    if read_marker(context.data) is None:
        raise OpsError(f"there is no sandbox in {context.settings.directory}: bring it up with playbooks/sandbox_up.yml")
    return context


def start(parameters: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Bring the sandbox up; with ``check`` only say what would be done."""
    context = _context(parameters)
    context.traffic = tuple(parameters.get("traffic_tenants") or ()) if parameters.get("traffic") else None
    with Progress.step("bringing up the sandbox", unit="parts", units=len(catalogue.all_parts(context))) as step:

        def say(text: str) -> None:
            step.note(text)
            step.advance()

        up = lifecycle.Up(context, say)
        result = up.check() if check else up.run()
    primary = next((region for region in REGIONS if not Postgresql(context, region).follows), REGIONS[0])
    return {**_result(context, result), "postgresql_primary": primary}


def stop(parameters: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Take the sandbox down; with ``check`` only say what would be done."""
    context = _context(parameters)
    purge = bool(parameters.get("purge"))
    with Progress.step("taking down the sandbox", unit="servers") as step:

        def say(text: str) -> None:
            step.note(text)
            step.advance()

        down = lifecycle.Down(context, say)
        result = down.check(purge) if check else down.run(purge)
    return _result(context, result)


def _result(context: Context, result: lifecycle.Result) -> dict[str, Any]:
    return {
        "changed": result.changed,
        "done": result.done,
        "seconds": round(result.seconds, 1),
        "name": context.settings.name,
        "directory": str(context.settings.directory),
        "data": str(context.data),
        "port_base": context.settings.port_base,
    }


def info(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """How every part is now, and the same as a table for people."""
    found = status.read(_existing(parameters))
    return {"changed": False, **found, "table": status.table(found)}


def inject(parameters: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Cause a fault, or take it back."""
    context = _existing(parameters)
    return faults.inject(context, parameters["component"], parameters.get("region"), parameters["fault"], latency_ms=int(parameters["latency_ms"]), check=check)
