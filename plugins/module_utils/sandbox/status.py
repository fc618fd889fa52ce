# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The truth about a sandbox: what runs, what is paused, dead or does not answer, and which ways are cut or slow."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from ..common.errors import OpsError
from . import catalogue, processes
from .context import Context
from .part import Part
from .parts.toxiproxy import ProxyState, Toxiproxy
from .waiting import NotReady

PROBE_SECONDS = 5.0
COLUMNS = ("component", "region", "state", "version", "address", "pid", "memory")


@dataclass(frozen=True)
class Component:
    """One server. ``version`` is what it answered, empty if it did not; ``memory_bytes`` counts all its processes."""

    component: str
    system: str
    region: str
    state: str
    version: str
    address: str
    pid: int | None
    memory_bytes: int
    detail: str


@dataclass(frozen=True)
class Way:
    """One proxied way to ``component`` in ``region``; ``via`` is the region whose toxiproxy it goes through."""

    name: str
    component: str
    region: str
    via: str
    address: str
    state: str
    latency_ms: int | None


def state_of(*, alive: bool, paused: bool, answers: bool, age: float, grace: float) -> str:
    """``running``, ``paused``, ``dead``, ``starting`` (alive for less than ``grace`` seconds and silent) or ``unreachable``."""
    if not alive:
        return "dead"
    if paused:
        return "paused"
    if answers:
        return "running"
    return "starting" if age < grace else "unreachable"


def _component(part: Part, group: processes.Group | None) -> Component:
    main = group.main if group else None
    paused = bool(group and group.paused)
    version, detail = "", ""
    answers = False
    if main is not None and not paused:
        try:
            version = part.probe(PROBE_SECONDS)
            answers = True
        except OpsError as error:
            detail = error.message
    age = group.age() if group else 0.0
    if main is None and group is not None:
        detail = f"{len(group.members)} process(es) outlived it"
    return Component(
        component=part.component,
        system=part.system,
        region=part.region or "",
        state=state_of(alive=main is not None, paused=paused, answers=answers, age=age, grace=part.grace),
        version=version,
        address=part.address,
        pid=main.pid if main else None,
        memory_bytes=group.memory() if group else 0,
        detail=detail,
    )


def _ways(part: Toxiproxy) -> list[Way]:
    try:
        states = part.states(PROBE_SECONDS)
    except NotReady:
        return [_way(ProxyState(proxy, True, None), "unknown") for proxy in part.proxies()]
    return [_way(state, state.state) for state in states]


def _way(found: ProxyState, state: str) -> Way:
    proxy = found.proxy
    return Way(proxy.name, proxy.component, proxy.target_region, proxy.region, f"localhost:{proxy.listen}", state, found.latency_ms)


def read(context: Context) -> dict[str, Any]:
    """``components``, ``ways``, ``memory_bytes`` in all, and ``healthy``: every server runs and every way is open."""
    groups = processes.find(context.data)
    parts = [part for part in catalogue.all_parts(context) if part.ports]
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        components = list(pool.map(lambda part: _component(part, groups.get(part.id)), parts))
        ways = [way for found in pool.map(_ways, [part for part in parts if isinstance(part, Toxiproxy)]) for way in found]
    # Asking takes time: what was alive at the beginning may have died meanwhile, and the answer must not say otherwise.
    after = processes.find(context.data)
    components = [_still(component, after.get(part.id)) for component, part in zip(components, parts, strict=True)]
    supervisor = groups.get("supervisord")
    supervised = bool(supervisor and supervisor.main)
    unwell = [f"{item.component} {item.region}".strip() + f" is {item.state}" for item in components if item.state != "running"]
    unwell += [] if supervised else ["supervisord is dead"]
    unwell += [f"{item.name} {item.region} is {item.state}" for item in ways if item.state != "open"]
    return {
        "name": context.settings.name,
        "directory": str(context.settings.directory),
        "data": str(context.data),
        "port_base": context.settings.port_base,
        "supervisor_pid": supervisor.main.pid if supervisor and supervisor.main else None,
        "components": [asdict(item) for item in components],
        "ways": [asdict(item) for item in ways],
        "memory_bytes": sum(group.memory() for group in after.values()),
        "healthy": not unwell,
        "problems": unwell,
    }


def _still(component: Component, group: processes.Group | None) -> Component:
    now = group.main.pid if group and group.main else None
    if now is None and component.pid is not None:
        return Component(**{**asdict(component), "state": "dead", "pid": None, "version": "", "memory_bytes": 0})
    return component


def table(found: dict[str, Any]) -> str:
    """The status for people."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    for item in found["components"]:
        memory = f"{item['memory_bytes'] / 2**20:.0f} MiB" if item["memory_bytes"] else "-"
        rows.append((item["component"], item["region"] or "-", item["state"], item["version"] or "-", item["address"], str(item["pid"] or "-"), memory))
    lines = _aligned(rows)
    rows = [("way to", "region", "state", "through", "address")]
    for way in found["ways"]:
        state = f"{way['state']} ({way['latency_ms']} ms)" if way["latency_ms"] is not None else way["state"]
        rows.append((way["name"], way["region"], state, f"toxiproxy {way['via']}", way["address"]))
    lines += ["", *_aligned(rows), ""]
    running = sum(item["state"] == "running" for item in found["components"])
    lines.append(f"{running} of {len(found['components'])} servers run, {found['memory_bytes'] / 2**20:.0f} MiB in all; data in {found['data']}")
    return "\n".join(lines)


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
