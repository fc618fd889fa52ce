# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of the tenants operation: ``python -m benchmark`` (``make bench``), ``--cleanup`` for a sandbox that stays.

Speed is no verdict: the status is 0 however slow it was, and 1 if a side did not make what it claims.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from . import cleanup, mornings, output, parts, playbooks, population, state
from .measure import Measured, median
from .settings import BenchmarkError, Settings

STEPS = ("ours", "usual", "parts", "health")
RATIO = 100
PART_RATIO = 2
UNCHANGED_SECONDS = 3


def say(text: str) -> None:
    """Tell what is going on."""
    print(f"bench: {text}", flush=True)


def main() -> int:
    """Run what was asked for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="benchmark", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cleanup", action="store_true", help="take the benchmark's tenants out of the sandbox, and do nothing else")
    parser.add_argument("--only", choices=STEPS, action="append", help="a part of it, for development (repeat for more)")
    options = parser.parse_args()
    # So that what was started ends, too, and the folder with secrets goes.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    try:
        settings = Settings.from_environment()
    except BenchmarkError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    try:
        if options.cleanup:
            return _cleanup(settings)
        return _benchmark(settings, options.only or STEPS)
    except BenchmarkError as error:
        print(f"bench: FAILED: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(settings.work)


def _cleanup(settings: Settings) -> int:
    cleanup.everything(settings)
    last = -1
    while ids := cleanup.left(settings):
        if len(ids) != last:
            last = len(ids)
            say(f"namespaces of {last} tenants are still ending (may be interrupted)")
        time.sleep(5)
    return 0


def _benchmark(settings: Settings, steps: Sequence[str]) -> int:
    if ids := cleanup.left(settings):
        raise BenchmarkError(f"tenants of an earlier run are there ({ids[0]} and {len(ids) - 1} more): take them out with --cleanup, or purge the sandbox")
    say("compiling the installed packages (once)")
    settings.compile()
    report = output.Report({"tenants": settings.tenants, "usual": settings.usual, "repeats": settings.repeats, "concurrency": settings.concurrency})
    ours = population.tenants(population.OURS, settings.tenants)
    if "ours" in steps or "usual" in steps:
        made, states = _ours(settings, report, ours)
        if "usual" in steps:
            _usual(settings, report, ours, made, playbooks.model(settings, ours, states))
    if "parts" in steps:
        for part in parts.run(settings, say):
            _part(report, part)
    if "health" in steps:
        mornings.run(settings, report, say)
    print(f"\n{report.table()}\n")
    say(f"figures also in {report.write(output.folder())}")
    return 0


def _ours(settings: Settings, report: output.Report, tenants: Sequence[dict[str, Any]]) -> tuple[Measured, dict[str, state.State]]:
    say(f"start-up: our playbook with an empty selection, {settings.repeats} times")
    empty = [playbooks.ours(settings, tenants, selection=[]) for _number in range(settings.repeats)]
    start, start_cpu = median(run.wall for run in empty), median(run.cpu for run in empty)
    say(f"{len(tenants)} tenants by our playbook")
    made = playbooks.ours(settings, tenants, memory=True)
    states = _complete(settings, tenants)
    say(f"the same again, {settings.repeats} times: nothing to do")
    again = [playbooks.ours(settings, tenants) for _number in range(settings.repeats)]
    changed = [item for item in playbooks.report(settings)["items"] if item.get("changed")]
    if changed:
        raise BenchmarkError(f"a run without changes changed {len(changed)} things, the first: {changed[0]}")
    wall, cpu = median(run.wall for run in again) - start, median(run.cpu for run in again) - start_cpu
    report.add("start-up (empty selection)", start, "s", note=f"CPU {start_cpu:.1f} s")
    report.add(
        f"{len(tenants)} tenants, nothing there before", made.wall, "s", note=f"CPU {made.cpu:.1f} s, {len(tenants) / (made.wall - start):.1f} tenants/s"
    )
    report.add(f"{len(tenants)} tenants, nothing to do, beyond start-up", wall, "s", expected=f"< {UNCHANGED_SECONDS} s", met=wall < UNCHANGED_SECONDS)
    report.add("  CPU of that beyond start-up", cpu, "s", expected=f"< {UNCHANGED_SECONDS} s", met=cpu < UNCHANGED_SECONDS)
    for name, size in made.memory.items():
        report.add(f"memory: {name}", size, "MiB")
    return made, states


def _complete(settings: Settings, tenants: Sequence[dict[str, Any]]) -> dict[str, state.State]:
    say("reading back what is there")
    states = state.read(settings, tenants)
    problems = state.compare(tenants, states)
    if problems:
        raise BenchmarkError("what was made is not complete, or not the same for all:\n  " + "\n  ".join(problems))
    say("found " + ", ".join(f"{number} in {place}" for place, number in state.count(states).items()))
    return states


def _usual(settings: Settings, report: output.Report, ours: Sequence[dict[str, Any]], made: Measured, model: Mapping[str, Any]) -> None:
    tenants = population.tenants(population.USUAL, settings.usual)
    say("the usual tasks without tenants")
    empty = [playbooks.usual(settings, [], model) for _number in range(settings.repeats)]
    start = median(run.wall for run in empty)
    say(f"{len(tenants)} tenants by the usual tasks (some minutes)")
    run = playbooks.usual(settings, tenants, model, memory=True)
    _complete(settings, [*ours, *tenants])
    scaled = start + (run.wall - start) * settings.tenants / len(tenants)
    ratio = scaled / made.wall
    report.add(f"usual tasks, {len(tenants)} tenants", run.wall, "s", note=f"CPU {run.cpu:.1f} s; {start:.1f} s of it without tenants")
    for system, seconds in playbooks.usual_systems(run.output).items():
        report.add(f"  of that {system}", seconds, "s")
    note = f"scaled up from {len(tenants)}: {(run.wall - start) / len(tenants):.2f} s a tenant and {start:.1f} s once"
    report.add(f"usual tasks, {settings.tenants} tenants", scaled, "s", note=note)
    report.add("usual tasks / our playbook", ratio, "times", expected=f">= {RATIO}", met=ratio >= RATIO, note="start-up included on both sides")
    for name, size in run.memory.items():
        report.add(f"usual memory: {name}", size, "MiB")


def _part(report: output.Report, part: parts.Part) -> None:
    module, bare = part.module, part.bare
    sides = f"module {module.wall:.2f} s (CPU {module.cpu:.2f} s, {module.requests} requests, {module.peak:.0f} MiB)"
    note = f"{sides}, bare {bare.wall:.2f} s (CPU {bare.cpu:.2f} s, {bare.requests} requests, {bare.peak:.0f} MiB)"
    report.add(f"{part.system}: module / bare client", part.ratio, "times", expected=f"<= {PART_RATIO}", met=part.ratio <= PART_RATIO, note=note)


if __name__ == "__main__":
    sys.exit(main())
