# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each system's part by itself: our module beside a bare client that sends the same requests with the same concurrency.

Both are processes of their own, and of both the time of the same process without any tenant is taken off: start-up is not what is compared.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from . import cleanup, measure, modules, population, state
from .measure import Measured, median
from .modules import Module
from .settings import PRIMARY, BenchmarkError, Settings

Tenants = list[dict[str, Any]]
Stage = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """Medians of one side, in seconds beyond start-up, and its largest memory in MiB."""

    wall: float
    cpu: float
    requests: int
    peak: float


@dataclass(frozen=True)
class Part:
    """One system's part, both sides."""

    system: str
    module: Side
    bare: Side

    @property
    def ratio(self) -> float:
        """How many times longer the module takes."""
        return self.module.wall / self.bare.wall if self.bare.wall > 0 else float("inf")


def run(settings: Settings, say: Callable[[str], None]) -> list[Part]:
    """Measure all parts in the primary region, with tenants of their own. Raises BenchmarkError if a side's tenants are not complete in the end."""
    from .requests import BUILDERS

    groups = [population.tenants(f"{population.OURS}-{side}", settings.tenants, home=PRIMARY) for side in ("module", "bare")]
    calls = modules.capture(settings, groups[0])
    parts = []
    for name, build in BUILDERS.items():
        system, _space, phase = name.partition(" ")
        call = calls.get((system, PRIMARY, phase))
        if call is None:
            raise BenchmarkError(f"the playbook does not call tenants_{system} {phase} in {PRIMARY}")
        say(f"part {name}")
        parts.append(_part(settings, name, call, groups, build))
    _verify(settings, groups)
    return parts


def _part(settings: Settings, name: str, call: Module, groups: Sequence[Tenants], build: Callable[..., list[Stage]]) -> Part:
    # Kubernetes takes minutes to forget namespaces, so its parts are measured once; the others' are repeated on a cleaned system.
    repeats = 1 if call.name == "kubernetes" else settings.repeats
    ours, theirs = groups
    nothing = [_module(settings, call, []) for _number in range(settings.repeats)]
    idle = [_bare(settings, name, []) for _number in range(settings.repeats)]
    modules_: list[tuple[Measured, int]] = []
    bares: list[tuple[Measured, int]] = []
    for number in range(repeats):
        if number:
            cleanup.system(settings, call.name, PRIMARY, [tenant["id"] for group in groups for tenant in group])
        stages = build(settings, call, theirs)
        bares.append(_bare(settings, name, stages))
        modules_.append(_module(settings, call, ours))
    return Part(name, _side(modules_, nothing), _side(bares, idle))


def _side(runs: Sequence[tuple[Measured, int]], nothing: Sequence[tuple[Measured, int]]) -> Side:
    wall = median(run.wall for run, _requests in runs) - median(run.wall for run, _requests in nothing)
    cpu = median(run.cpu for run, _requests in runs) - median(run.cpu for run, _requests in nothing)
    return Side(wall, cpu, runs[0][1], max(run.peak for run, _requests in runs))


def _module(settings: Settings, call: Module, tenants: Sequence[Mapping[str, Any]]) -> tuple[Measured, int]:
    ids = [tenant["id"] for tenant in tenants]
    done, result = modules.call(settings, call, list(tenants), declared_ids=ids, **({"ready": ids} if call.phase == "finish" else {}))
    return done, int(result["requests"])


def _bare(settings: Settings, name: str, stages: list[Stage]) -> tuple[Measured, int]:
    given = settings.write("bare.json", {"stages": stages})
    environment = {**settings.environment, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = measure.run([sys.executable, "-m", "benchmark.bare", str(given)], environment, settings.work / "bare.log", timeout=600, memory=True)
    given.unlink()
    if done.status:
        raise BenchmarkError(f"the bare client of {name} ended with {done.status}: {done.output[-2000:]}")
    return done, int(json.loads(done.output)["requests"])


def _verify(settings: Settings, groups: Sequence[Tenants]) -> None:
    tenants = [tenant for group in groups for tenant in group]
    states = {
        tenant_id: {place: objects for place, objects in found.items() if place.endswith(PRIMARY) or place == "postgresql"}
        for tenant_id, found in state.read(settings, tenants).items()
    }
    problems = state.compare(tenants, states)
    if problems:
        raise BenchmarkError("a bare client and our module did not make the same:\n  " + "\n  ".join(problems))


def kubernetes_stage(settings: Settings, **content: Any) -> Stage:
    """A stage that talks to the primary region's API as the sandbox's administrator."""
    access = settings.region(PRIMARY)["kubernetes"]
    loaded = yaml.safe_load(Path(access["kubeconfig"]).read_text(encoding="utf-8"))
    cluster, user = loaded["clusters"][0]["cluster"], loaded["users"][0]["user"]
    places = {}
    for name, data in (("ca", cluster["certificate-authority-data"]), ("crt", user["client-certificate-data"]), ("key", user["client-key-data"])):
        places[name] = settings.work / f"bare.{name}"
        places[name].write_bytes(base64.b64decode(data))
    paths = {"ca_file": str(places["ca"]), "certificate": str(places["crt"]), "key": str(places["key"])}
    return {"kind": "http", "url": cluster["server"], "concurrency": settings.concurrency, **paths, **content}
