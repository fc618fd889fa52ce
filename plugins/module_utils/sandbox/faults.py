# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on purpose: kill, pause and resume servers; cut, slow and heal the ways that lead through a proxy."""

from __future__ import annotations

from typing import Any

from ..common.errors import Conflict, InvalidInput
from . import catalogue, processes
from .context import Context
from .part import Part
from .parts.toxiproxy import Proxy, Toxiproxy
from .settings import REGIONS
from .supervisor import signal_number

ON_SERVERS = ("kill", "pause", "resume")
ON_WAYS = ("cut", "heal", "slow")
CLUSTER = "kubernetes"


def normalised(name: str) -> str:
    """``kube-apiserver`` and ``kube_apiserver`` are the same component."""
    return name.strip().lower().replace("-", "_")


def servers(context: Context, component: str, region: str | None) -> list[Part]:
    """The servers that ``component`` names: one, or all of a cluster for ``kubernetes``. Raises InvalidInput."""
    parts = [part for part in catalogue.all_parts(context) if part.ports]
    known = {normalised(part.component) for part in parts} | {CLUSTER}
    wanted = normalised(component)
    if wanted not in known:
        raise InvalidInput("sandbox_fault", [f"there is no component {component!r}; there are: {', '.join(sorted(known))}"])
    chosen = [part for part in parts if wanted == normalised(part.component) or (wanted == CLUSTER and part.system == CLUSTER)]
    if chosen[0].region is None:
        return chosen
    _check_region(component, region)
    return [part for part in chosen if part.region == region]


def _check_region(component: str, region: str | None) -> None:
    if region not in REGIONS:
        said = f"{region!r} is no region of the sandbox" if region else f"{component} runs in both regions, so say in which"
        raise InvalidInput("sandbox_fault", [f"{said}: -e region={'|'.join(REGIONS)}"])


def ways(context: Context, component: str, region: str | None) -> list[tuple[Toxiproxy, Proxy]]:
    """The proxied ways that lead to ``component`` in ``region``. Raises InvalidInput that lists what can be cut."""
    proxies = [part for part in catalogue.all_parts(context) if isinstance(part, Toxiproxy)]
    every = [(part, proxy) for part in proxies for proxy in part.proxies()]
    wanted = normalised(component)
    known = {name for _part, proxy in every for name in (proxy.name, proxy.component)}
    if wanted not in known:
        raise InvalidInput("sandbox_fault", [f"no proxy leads to {component!r}; cut, heal and slow are for: {', '.join(sorted(known))}"])
    _check_region(component, region)
    return [(part, proxy) for part, proxy in every if wanted in (proxy.name, proxy.component) and proxy.target_region == region]


def inject(context: Context, component: str, region: str | None, fault: str, *, latency_ms: int, check: bool) -> dict[str, Any]:
    """Do it, or with ``check`` only say what would be done. Returns ``changed`` and ``done``, a list of sentences."""
    if fault in ON_SERVERS:
        done = _on_servers(context, servers(context, component, region), fault, check)
    elif fault in ON_WAYS:
        done = _on_ways(ways(context, component, region), fault, latency_ms, check)
    else:
        raise InvalidInput("sandbox_fault", [f"there is no fault {fault!r}; there are: {', '.join((*ON_SERVERS, *ON_WAYS))}"])
    return {"changed": bool(done), "done": done}


def _on_servers(context: Context, parts: list[Part], fault: str, check: bool) -> list[str]:
    groups = processes.find(context.data)
    done = []
    for part in parts:
        group = groups.get(part.id)
        if group is None or group.main is None:
            if fault == "kill":
                continue
            raise Conflict(f"{part.id} is dead, so it cannot be {'paused' if fault == 'pause' else 'resumed'}: bring it up with sandbox_up first")
        if fault != "kill" and group.paused == (fault == "pause"):
            continue
        pid = group.main.pid
        if not check:
            if fault == "kill":
                processes.kill(group)
            else:
                group.send(signal_number("STOP" if fault == "pause" else "CONT"))
                processes.settle(group, paused=fault == "pause")
        done.append(f"{part.id} (pid {pid}): {fault}")
    return done


def _on_ways(chosen: list[tuple[Toxiproxy, Proxy]], fault: str, latency_ms: int, check: bool) -> list[str]:
    done = []
    for part, proxy in chosen:
        state = next(item for item in part.states() if item.proxy == proxy)
        there = {"cut": state.cut, "slow": not state.cut and state.latency_ms == latency_ms, "heal": state.state == "open"}[fault]
        if there:
            continue
        if not check:
            if fault == "cut":
                part.cut(proxy.name)
            elif fault == "slow":
                part.slow(proxy.name, latency_ms)
            else:
                part.heal(proxy.name)
        done.append(f"{proxy.name} to {proxy.target_region} through toxiproxy {proxy.region}: {fault}" + (f" by {latency_ms} ms" if fault == "slow" else ""))
    return done
