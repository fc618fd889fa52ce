# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running steps that wait for each other, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from graphlib import CycleError, TopologicalSorter

from ..common.errors import OpsError


class StepsFailed(OpsError):
    """At least one step failed; the message names each with its reason, and those that could not be tried."""


def run(requires: Mapping[str, Sequence[str]], work: Callable[[str], None]) -> None:
    """Call ``work(name)`` for every key of ``requires`` once all that it requires is done, as much side by side as that allows.

    What requires a failed step is not tried; everything else is. Raises StepsFailed, and ValueError for a circle.
    """
    try:
        TopologicalSorter(requires).prepare()
    except CycleError as error:
        raise ValueError(f"steps wait for each other in a circle: {error.args[1]}") from error
    unknown = {need for needs in requires.values() for need in needs} - set(requires)
    if unknown:
        raise ValueError(f"steps that nobody does are required: {', '.join(sorted(unknown))}")
    ended = {name: threading.Event() for name in requires}
    failures: dict[str, str] = {}
    skipped: dict[str, str] = {}

    def step(name: str) -> None:
        try:
            for need in requires[name]:
                ended[need].wait()
            blocked = [need for need in requires[name] if need in failures or need in skipped]
            if blocked:
                skipped[name] = blocked[0]
                return
            work(name)
        except Exception as error:
            failures[name] = str(error) or type(error).__name__
        finally:
            ended[name].set()

    with ThreadPoolExecutor(max_workers=max(1, len(requires))) as pool:
        for future in [pool.submit(step, name) for name in requires]:
            future.result()
    if failures:
        lines = [f"- {name}: {reason}" for name, reason in sorted(failures.items())]
        lines += [f"- {name}: not tried, it needs {need}" for name, need in sorted(skipped.items())]
        raise StepsFailed(f"{len(failures)} part(s) of the sandbox failed:\n" + "\n".join(lines), failed=sorted(failures), skipped=sorted(skipped))
