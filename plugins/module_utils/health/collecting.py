# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts of a health run returned, taken from Ansible's variables as it is, without the template engine. Pure; used by the filter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def collect(hostvars: Mapping[str, Mapping[str, Any]], hosts: Iterable[str], registered: Mapping[str, str]) -> list[dict[str, Any]]:
    """One entry per host and task that ran there: system, region, and the module's ``run`` or the ``error`` that it ended with.

    ``registered`` is the variable of each task -> the system that it checks, or an empty text for the host's own (``leanvibe_ops_system``).
    """
    raw = getattr(hostvars, "raw_get", None)
    collected = []
    for host in hosts:
        variables = raw(host) if raw is not None else hostvars[host]
        for name, system in registered.items():
            result = variables.get(name)
            if result is None or result.get("skipped"):
                continue
            words = {"system": system or str(variables.get("leanvibe_ops_system")), "region": str(variables.get("leanvibe_ops_region") or "control")}
            run = result.get("run")
            if run is None or result.get("failed") or result.get("unreachable"):
                collected.append({**words, "error": str(result.get("msg") or "its task ended without a run and without a message")})
            else:
                collected.append({"system": run.get("system", words["system"]), "region": run.get("region", words["region"]), "run": run})
    return collected
