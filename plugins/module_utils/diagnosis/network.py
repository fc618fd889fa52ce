# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from here to an endpoint and back, measured on the open connection with the smallest request there is."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..health.model import DIAGNOSE, Check, Finding, Session, Threshold

TIMES = 7


def round_trip(system: str, ask: Callable[[Any], object], query: str, clock: Callable[[], float] = time.monotonic) -> Check[Any]:
    """The check of a system. ``ask`` makes the request on the session's client."""

    def run(session: Session[Any]) -> Iterator[Finding]:
        took = []
        for _time in range(TIMES):
            began = clock()
            ask(session.client)
            took.append(1000 * (clock() - began))
        middle = statistics.median(took)
        spread = f"median of {TIMES}; {min(took):.3g} to {max(took):.3g}"
        yield Finding(observed=round(middle, 3), message=f"{middle:.3g} ms to {session.region} and back, seen from the controller ({spread})")

    return Check(
        id=f"{system}.round_trip",
        question="How long is the way from here to the endpoint and back?",
        system=system,
        query=query,
        runbook="diagnose.md#round_trip",
        threshold=Threshold(degraded=200, unit="ms", source="across a continent and back light in fibre needs 60 to 80 ms, between continents up to 200 ms"),
        profiles=(DIAGNOSE,),
        run=run,
    )
