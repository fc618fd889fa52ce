# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The morning's health run: with few and with many tenants, with PostgreSQL silent, and beside the operations guide's script."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from . import measure, playbooks, population
from .measure import Measured, median
from .output import Report
from .settings import PRIMARY, USUAL, BenchmarkError, Settings

SECONDS, SILENT_SECONDS, GROWTH, MORE_CHECKS = 6.0, 10.0, 2.0, 10
MANY = 1000
# Every module is started and given this one id, so that none of the others connects to anything: what a run costs before it looks.
IDLE = "control.registry"
Say = Callable[[str], None]


def _play(settings: Settings, name: str, given: Mapping[str, Any], expected: tuple[int, ...] = (0,)) -> Measured:
    variables = settings.write(f"{name}.json", given)
    command = [playbooks.ANSIBLE, "-i", "inventories/sandbox", f"playbooks/{name}.yml", "-e", f"@{variables}"]
    done = measure.run(command, settings.environment, settings.work / f"{name}.log", timeout=300)
    if done.status not in expected:
        raise BenchmarkError(f"playbooks/{name}.yml ended with {done.status}:\n{done.output[-4000:]}")
    return done


def _health(settings: Settings, tenants: list[dict[str, Any]], *, expected: tuple[int, ...] = (0,), **more: Any) -> tuple[Measured, dict[str, Any]]:
    """One run and its report."""
    reports = settings.work / "reports"
    done = _play(settings, "health", {"tenants": tenants, "report_dir": str(reports), **more}, expected)
    return done, json.loads((reports / "health/latest.json").read_text(encoding="utf-8"))


def _beyond(settings: Settings, tenants: list[dict[str, Any]]) -> tuple[float, float, dict[str, Any]]:
    """Seconds of a full run, of these beyond start-up, and its report. Raises BenchmarkError unless every check could run."""
    idle = median(_health(settings, tenants, health_only=[IDLE])[0].wall for _number in range(settings.repeats))
    runs = [_health(settings, tenants, expected=(0, 2)) for _number in range(settings.repeats)]
    found = runs[-1][1]
    if found["health"]["checks"]["could_not_run"]:
        raise BenchmarkError(f"{found['health']['checks']['could_not_run']} checks could not run on a sandbox that is well")
    wall = median(done.wall for done, _found in runs)
    return wall, wall - idle, found


def _provisioned(settings: Settings, size: int) -> list[dict[str, Any]]:
    tenants = population.tenants(population.OURS, size)
    playbooks.ours(settings, tenants)
    return tenants


def _silent(settings: Settings, tenants: list[dict[str, Any]]) -> tuple[float, dict[str, Any]]:
    """Seconds beyond start-up of a run with the primary's PostgreSQL paused, and its report."""
    idle = median(_health(settings, tenants, health_only=[IDLE])[0].wall for _number in range(settings.repeats))
    fault = {"component": "postgresql", "region": PRIMARY}
    _play(settings, "sandbox_fault", {**fault, "fault": "pause"})
    try:
        done, found = _health(settings, tenants, expected=(2,))
    finally:
        _play(settings, "sandbox_fault", {**fault, "fault": "resume"})
    place = f"{PRIMARY}/postgresql"
    if {item["verdict"] for item in found["items"] if item["subject"].startswith(place)} != {"unknown"}:
        raise BenchmarkError(f"{place} was paused, and not everything of it is unknown")
    return done.wall - idle, found


def _script(settings: Settings) -> tuple[float, int]:
    """Seconds of the guide's script, and how many answers it gave. Raises BenchmarkError if one of them is not what a sandbox that is well gives."""
    region = settings.region(PRIMARY)
    given = {
        "BENCH_KUBECONFIG": str(settings.sandbox_dir / PRIMARY / "kubeconfig"),
        "BENCH_POSTGRESQL_HOST": region["postgresql"]["host"],
        "BENCH_POSTGRESQL_PORT": str(region["postgresql"]["port"]),
        "BENCH_REDIS_HOST": region["redis"]["host"],
        "BENCH_REDIS_PORT": str(region["redis"]["port"]),
        "BENCH_NEO4J": region["neo4j"]["uri"],
        "BENCH_STRIPE": settings.sandbox["stripe_mock"]["endpoint"],
        "BENCH_PROMETHEUS": region["prometheus"]["url"],
        "REDISCLI_AUTH": settings.credentials["redis"]["operations"],
        "NEO4J_PASSWORD": settings.credentials["neo4j"][PRIMARY],
    }
    command = ["bash", str(USUAL / "health.sh")]
    runs = [measure.run(command, {**settings.environment, **given}, settings.work / "script.log", timeout=120) for _number in range(settings.repeats)]
    output = runs[-1].output
    answers = dict(line.split(": ", 1) for line in output.splitlines() if ": " in line)
    well = {"postgresql": "healthy", "neo4j": "healthy", "redis": "PONG", "stripe": "200"}
    if {name: answers.get(name) for name in well} != well:
        raise BenchmarkError(f"the guide's script does not work here:\n{output[-2000:]}")
    return median(run.wall for run in runs), int(answers["answers"])


def run(settings: Settings, report: Report, say: Say) -> None:
    """All figures of the morning."""
    say(f"health: {settings.tenants} tenants")
    few = _provisioned(settings, settings.tenants)
    wall, beyond, found = _beyond(settings, few)
    executed = found["health"]["checks"]["executed"]
    report.add(
        f"health, {settings.tenants} tenants, beyond start-up", beyond, "s", expected=f"< {SECONDS:g} s", met=beyond < SECONDS, note=f"{executed} checks"
    )
    report.add(f"  with its start-up ({settings.tenants} tenants)", wall, "s")
    say("health: PostgreSQL paused")
    silent, _found = _silent(settings, few)
    report.add("health, PostgreSQL paused, beyond start-up", silent, "s", expected=f"<= {SILENT_SECONDS:g} s", met=silent <= SILENT_SECONDS)
    say("health: the operations guide's script")
    seconds, answers = _script(settings)
    note = f"{answers} answers, one region; ours {executed} in {wall:.1f} s with its start-up, both regions"
    report.add("health: the guide's script", seconds, "s", note=note)
    report.add("health: our checks / the script's", executed / answers, "times", expected=f"> {MORE_CHECKS}", met=executed > MORE_CHECKS * answers)
    report.add("health: time of ours beyond start-up / the script's", beyond / seconds, "times", expected="< 1", met=beyond < seconds)
    say(f"health: {MANY} tenants (some minutes)")
    _wall, grown, _found = _beyond(settings, _provisioned(settings, MANY))
    report.add(
        f"health, {MANY} / {settings.tenants} tenants", grown / beyond, "times", expected=f"< {GROWTH:g}", met=grown < GROWTH * beyond, note=f"{grown:.1f} s"
    )
