# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a side made from the systems themselves, with their own clients (kubectl, psql, redis-cli, boto3, the Neo4j driver) and none of our code.

A state is ``{place: {object: content}}`` for each tenant; a place is a system or a system in a region. ``compare`` takes names and secrets out and
holds all tenants of one kind (tier and home), whichever side made them, against one another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..population import kind
from ..settings import Settings
from . import kubernetes, neo4j, object_store, postgresql, redis

State = dict[str, dict[str, Any]]


def read(settings: Settings, tenants: Iterable[Mapping[str, Any]]) -> dict[str, State]:
    """The state of each of these tenants, by id; a tenant of which nothing is there has empty places."""
    ids = [str(tenant["id"]) for tenant in tenants]
    states: dict[str, State] = {tenant_id: {} for tenant_id in ids}
    for reader in (kubernetes, postgresql, redis, object_store, neo4j):
        for place, objects in reader.read(settings, ids).items():
            for tenant_id in ids:
                states[tenant_id][place] = objects.get(tenant_id, {})
    return states


def neutral(tenant: Mapping[str, Any], state: State) -> State:
    """A state without the tenant's own names and secrets: what it has in common with others of its kind."""
    tenant_id = str(tenant["id"])
    names = [(str(tenant["name"]), "<name>"), (tenant_id, "<id>"), (tenant_id.replace("-", "_"), "<id>")]
    for place, objects in state.items():
        if place.startswith("kubernetes"):
            for key in kubernetes.access_keys(objects):
                names.insert(0, (key, "<access key>"))
    return dict(_replaced(state, names))


def _replaced(value: Any, names: list[tuple[str, str]]) -> Any:
    if isinstance(value, str):
        for name, stand_in in names:
            value = value.replace(name, stand_in)
        return value
    if isinstance(value, Mapping):
        return {_replaced(key, names): _replaced(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, names) for item in value]
    return value


def compare(tenants: Iterable[Mapping[str, Any]], states: Mapping[str, State], limit: int = 20) -> list[str]:
    """What differs between tenants of one kind, and what is empty where no place may be; at most ``limit`` sentences."""
    problems: list[str] = []
    models: dict[Any, tuple[str, State]] = {}
    for tenant in tenants:
        tenant_id = str(tenant["id"])
        state = neutral(tenant, states[tenant_id])
        problems += [f"{tenant_id}: nothing in {place}" for place, objects in state.items() if not objects]
        model_id, model = models.setdefault(kind(dict(tenant)), (tenant_id, state))
        problems += [f"{tenant_id} is not as {model_id}: {text}" for text in _differences(model, state)]
    return problems[:limit] + ([f"… and {len(problems) - limit} more"] if len(problems) > limit else [])


def _differences(model: Any, other: Any, path: str = "") -> list[str]:
    if isinstance(model, Mapping) and isinstance(other, Mapping):
        found = []
        for key in sorted(model.keys() | other.keys()):
            where = f"{path} / {key}" if path else str(key)
            if key not in other:
                found.append(f"{where} is missing")
            elif key not in model:
                found.append(f"{where} is too much")
            else:
                found += _differences(model[key], other[key], where)
        return found
    if model == other:
        return []
    return [f"{path}: {_short(other)} instead of {_short(model)}"]


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= 240 else text[:120] + " … " + text[-120:]


def count(states: Mapping[str, State]) -> dict[str, int]:
    """How many objects each place holds for these tenants together."""
    totals: dict[str, int] = {}
    for state in states.values():
        for place, objects in state.items():
            totals[place] = totals.get(place, 0) + len(objects)
    return totals
