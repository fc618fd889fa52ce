# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tenant may be given otherwise than its tier says, and which of it makes sense."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .names import shown

OVERRIDES = ("quotas", "data_residency", "maintenance_window", "backup_frequency", "sla")
BACKUP_FREQUENCIES = ("continuous", "every_15_minutes", "hourly", "daily")
QUOTA_SYSTEMS = ("kubernetes", "postgresql", "redis", "neo4j", "object_store")

_QUANTITY = re.compile(r"[0-9]{1,15}(\.[0-9]{1,3})?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?", re.ASCII)
_DAY = "(mon|tue|wed|thu|fri|sat|sun)"
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]"
# The form of the guides (and of RDS), in UTC.
_WINDOW = re.compile(f"{_DAY}:{_TIME}-{_DAY}:{_TIME}", re.ASCII)


def residency(value: Any, regions: Iterable[str]) -> frozenset[str] | None:
    """Regions that ``data_residency`` allows; None if it names something that is no region.

    It is a region, an area such as ``US-East`` (every region whose name goes on from there), or a list of them.
    """
    wanted = [value] if isinstance(value, str) else value
    if not isinstance(wanted, list) or not wanted:
        return None
    allowed: set[str] = set()
    for name in wanted:
        if not isinstance(name, str):
            return None
        matching = {region for region in regions if region == name.lower() or region.startswith(name.lower() + "-")}
        if not matching:
            return None
        allowed |= matching
    return frozenset(allowed)


def _number(what: str, value: Any, *, whole: bool) -> list[str]:
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or value <= 0:
        return [f"{what} is {shown(value)}, not a {'whole ' if whole else ''}number above 0"]
    return []


def _like(what: str, value: Any, example: Any) -> list[str]:
    """Compare a value with the one that the tier has in its place: a mapping, a number or a Kubernetes quantity."""
    if isinstance(example, Mapping):
        if not isinstance(value, Mapping):
            return [f"{what} is {shown(value)}, not a mapping"]
        problems = [f"{what}.{shown(key)} is not known ({', '.join(map(str, example))} are)" for key in value if key not in example]
        return problems + [problem for key in value if key in example for problem in _like(f"{what}.{key}", value[key], example[key])]
    if isinstance(example, bool):
        return [] if isinstance(value, bool) else [f"{what} is {shown(value)}, not true or false"]
    if isinstance(example, (int, float)):
        return _number(what, value, whole=isinstance(example, int))
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not _QUANTITY.fullmatch(str(value)) or not str(value).strip("0.mkKMGTPEi"):
        return [f"{what} is {shown(value)}, not a Kubernetes quantity above 0 such as 500m, 4 or 16Gi"]
    return []


def _sla(value: Any, tier: Mapping[str, Any]) -> list[str]:
    known = {key: example if isinstance(example, bool) else float(example) for key, example in tier.get("sla", {}).items()}
    problems = _like("overrides.sla", value, known)
    if not problems and not 0 < value.get("availability", 99) < 100:
        problems.append(f"overrides.sla.availability is {shown(value['availability'])}, not a percentage between 0 and 100")
    return problems


def override_problems(overrides: Any, tier: Mapping[str, Any], home: Any, regions: Iterable[str]) -> list[str]:
    """What is wrong with a tenant's overrides; empty if nothing. ``tier`` is its entry of the tiers catalogue (empty if the tier is unknown)."""
    if overrides is None:
        return []
    if not isinstance(overrides, Mapping):
        return [f"overrides are {shown(overrides)}, not a mapping of {', '.join(OVERRIDES)}"]
    problems = [f"overrides.{shown(key)} is not known ({', '.join(OVERRIDES)} are)" for key in overrides if key not in OVERRIDES]
    if tier and "quotas" in overrides:
        problems += _like("overrides.quotas", overrides["quotas"], {system: tier[system] for system in QUOTA_SYSTEMS if system in tier})
    if tier and "sla" in overrides:
        problems += _sla(overrides["sla"], tier)
    if "data_residency" in overrides:
        regions = tuple(regions)
        allowed = residency(overrides["data_residency"], regions)
        if allowed is None:
            problems.append(f"overrides.data_residency is {shown(overrides['data_residency'])}, not a region or a list of them ({', '.join(sorted(regions))})")
        elif home in regions and home not in allowed:
            problems.append(f"overrides.data_residency leaves out the tenant's home {home}")
    window = overrides.get("maintenance_window", "sun:00:00-sun:01:00")
    if not isinstance(window, str) or not _WINDOW.fullmatch(window):
        problems.append(f"overrides.maintenance_window is {shown(window)}, not of the form sun:04:00-sun:05:00 (UTC)")
    frequency = overrides.get("backup_frequency", BACKUP_FREQUENCIES[0])
    if frequency not in BACKUP_FREQUENCIES:
        problems.append(f"overrides.backup_frequency is {shown(frequency)}, not one of {', '.join(BACKUP_FREQUENCIES)}")
    return problems
