# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which fields of a Kubernetes object are ours, and how they differ from what is declared. Pure: no I/O here.

Ownership is what the API server keeps in ``metadata.managedFields`` for server-side apply (Kubernetes documentation, "Server-Side Apply").
Only these fields are compared, so that defaults and other people's fields make no difference. Most lists in the kinds that we write are
replaced as a whole; where the server merges a list by key or value, our items are compared and other people's are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_QUANTITY = re.compile(r"^([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:([eE][+-]?\d+)|([KMGTPE]i|[numkMGTPE]))?$", re.ASCII)
_SUFFIXES = {
    **{suffix: Decimal(10) ** power for suffix, power in {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}.items()},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}
_QUANTITY_KINDS = ("ResourceQuota", "LimitRange")
_IDENTITY = ("apiVersion", "kind")  # never part of managedFields, like metadata.name and metadata.namespace
_ABSENT: Any = object()


def quantity(value: Any) -> Decimal:
    """The number that a Kubernetes quantity stands for: 0.5 for "500m", 1073741824 for "1Gi". Raises ValueError if it is none."""
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        raise ValueError(f"{value!r} is not a Kubernetes quantity")
    number, exponent, suffix = match.groups()
    return Decimal(number + (exponent or "")) * _SUFFIXES.get(suffix, Decimal(1))


def same(first: Any, second: Any, quantities: bool) -> bool:
    """Whether two values mean the same; with ``quantities``, texts such as "1000m" and "1" do."""
    if first == second:
        return True
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(same(first[key], second[key], quantities) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(same(one, other, quantities) for one, other in zip(first, second, strict=True))
    if quantities and isinstance(first, str | int) and isinstance(second, str | int):
        try:
            return quantity(first) == quantity(second)
        except ValueError:
            return False
    return False


@dataclass(frozen=True)
class Difference:
    """One field that must change. ``before``/``after`` is None where the field is absent; ``holder`` is another manager that set it."""

    path: tuple[str, ...]
    before: Any
    after: Any
    holder: str = ""

    def text(self) -> str:
        """The path as people write it, and from whom the field is taken back."""
        name = self.path[0] + "".join(f'["{part}"]' if "." in part or "/" in part else f".{part}" for part in self.path[1:])
        return f"{name} (taken back from {self.holder})" if self.holder else name


def owned(live: Mapping[str, Any], manager: str, operation: str = "Apply") -> dict[str, Any]:
    """The fields of an object that a manager holds, as the server's FieldsV1 tree (``{"f:spec": {"f:hard": {"f:pods": {}}}}``)."""
    for entry in live["metadata"].get("managedFields") or ():
        if entry["manager"] == manager and entry["operation"] == operation and not entry.get("subresource"):
            fields: dict[str, Any] = entry.get("fieldsV1") or {}
            return fields
    return {}


def differences(desired: Mapping[str, Any], live: Mapping[str, Any], manager: str) -> list[Difference]:
    """What an apply of ``desired`` would change on ``live``: values that differ, fields that we do not hold yet, fields that we hold and no longer declare."""
    quantities = desired["kind"] in _QUANTITY_KINDS
    found = list(_walk(_declared(desired), live, owned(live, manager), (), quantities))
    if not found:
        return found
    return [Difference(item.path, item.before, item.after, _holder(live, item.path, manager)) for item in found]


def _declared(desired: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in desired["metadata"].items() if key not in ("name", "namespace")}
    return {**{key: value for key, value in desired.items() if key not in _IDENTITY}, "metadata": metadata}


def _walk(desired: Mapping[str, Any], live: Any, held: Mapping[str, Any], path: tuple[str, ...], quantities: bool) -> Iterator[Difference]:
    present = live if isinstance(live, Mapping) else {}
    for key, want in desired.items():
        have = present.get(key, _ABSENT)
        ours = held.get(f"f:{key}")
        if isinstance(want, Mapping) and want and (ours or (ours is None and isinstance(have, Mapping))):
            yield from _walk(want, have, ours or {}, (*path, key), quantities)
        elif ours is None or have is _ABSENT or not (_contains(have, want, ours) if ours and isinstance(want, list) else same(want, have, quantities)):
            yield Difference((*path, key), None if have is _ABSENT else have, want)
    for field in held:
        key = field[2:]
        if field.startswith("f:") and key not in desired and key in present:
            yield Difference((*path, key), present[key], None)


def _contains(have: Any, want: list[Any], ours: Mapping[str, Any]) -> bool:
    """Whether a list that is merged by key has all our items, and none that was ours and is no longer declared."""
    held = sum(1 for key in ours if key != ".")
    return isinstance(have, list) and held == len(want) and all(item in have for item in want)


def _holder(live: Mapping[str, Any], path: tuple[str, ...], manager: str) -> str:
    others = (entry for entry in live["metadata"].get("managedFields") or () if entry["manager"] != manager and not entry.get("subresource"))
    return ", ".join(sorted({str(entry["manager"]) for entry in others if _holds(entry.get("fieldsV1") or {}, path)}))


def _holds(fields: Mapping[str, Any], path: Iterable[str]) -> bool:
    for part in path:
        if f"f:{part}" not in fields:
            return False
        fields = fields[f"f:{part}"]
    return True
