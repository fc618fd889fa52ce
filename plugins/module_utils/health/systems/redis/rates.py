# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counters do: evictions, rejected connections and expirations per second, from two readings. A counter since start says nothing about now.

The earlier reading is the last run's if the inventory or the operation hands it over (health option ``counters_before``, in the form of the fact
``counters``) and the server was not restarted since; else that of this run's beginning, at least INTERVAL seconds ago.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ....reports.model import OK
from ...model import Check, Finding, Session, Threshold
from .memory import purpose
from .node import SYSTEM, Info, Node, grant, info

INTERVAL = 1.0
COUNTERS = ("evicted_keys", "rejected_connections", "expired_keys")


@dataclass(frozen=True)
class Rates:
    """Increases between two readings that lie ``seconds`` apart, and the later reading."""

    seconds: float
    increases: Mapping[str, float]
    later: Info

    def per_second(self, name: str) -> float:
        """The rate of a counter."""
        return self.increases[name] / self.seconds

    def said(self, name: str, what: str) -> str:
        """For a message."""
        return f"{self.increases[name]:.0f} {what} in {self.seconds:.0f} s; {self.later[name]} since its start"


def reading(found: Info) -> dict[str, Any]:
    """A reading in the form of the fact ``counters``."""
    return {"at": found.now, "run_id": found["run_id"], **{name: found.number(name) for name in COUNTERS}}


def _between(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> tuple[float, dict[str, float]] | None:
    """Seconds and increases; None if the readings do not belong together (restart, reset, a clock that was put back)."""
    try:
        seconds = float(later["at"]) - float(earlier["at"])
        increases = {name: float(later[name]) - float(earlier[name]) for name in COUNTERS}
    except (KeyError, TypeError, ValueError):
        return None
    together = earlier.get("run_id") == later["run_id"] and seconds >= INTERVAL * 0.9 and min(increases.values()) >= 0
    return (seconds, increases) if together else None


def rates(session: Session[Node]) -> Rates:
    """Rates of all counters; waits for the interval to pass if there is no earlier run to compare with."""
    first = info(session)

    def read(node: Node) -> Rates:
        previous = session.options.get("counters_before")
        if isinstance(previous, Mapping) and (known := _between(previous, reading(first))):
            session.facts["counters"] = reading(first)
            return Rates(*known, later=first)
        second = node.info()
        left = INTERVAL - (second.now - first.now)
        if left > 0:
            time.sleep(min(left, INTERVAL))
            second = node.info()
        session.facts["counters"] = reading(second)
        # A restart or reset in between: everything that is counted has happened since.
        known = _between(reading(first), reading(second)) or (INTERVAL, {name: second.number(name) for name in COUNTERS})
        return Rates(*known, later=second)

    return session.once("rates", read)


def _evictions(session: Session[Node]) -> Iterator[Finding]:
    found = rates(session)
    kind = purpose(session)
    yield Finding(observed=round(found.per_second("evicted_keys"), 6), variant=kind, message=f"{found.said('evicted_keys', 'keys thrown away')} ({kind})")


def _rejected(session: Session[Node]) -> Iterator[Finding]:
    found = rates(session)
    yield Finding(observed=round(found.per_second("rejected_connections"), 6), message=found.said("rejected_connections", "connections turned away"))


def _expired(session: Session[Node]) -> Iterator[Finding]:
    found = rates(session)
    rate = f"{found.per_second('expired_keys'):.2f} keys expire per second"
    if "expired_stale_perc" not in found.later:
        yield Finding(verdict=OK, message=rate)
        return
    stale = found.later.number("expired_stale_perc")
    yield Finding(observed=stale, message=f"{rate}; of the keys with an expiry {stale:g} % are overdue and still take memory")


EVICTIONS = Check(
    id="redis.evictions",
    question="How many keys are thrown away per second because memory is full?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO stats, twice (evicted_keys)",
    runbook="runbooks/redis.md#evictions",
    variants={
        "store": Threshold(critical=1e-6, unit="1/s", source="a store that must not lose data throws nothing away"),
        "cache": Threshold(degraded=100, unit="1/s", source="usual practice: a cache may evict; when it does so all the time it is too small"),
    },
    grants=grant("info"),
    run=_evictions,
)

REJECTED = Check(
    id="redis.rejected_connections",
    question="How many clients are turned away per second?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO stats, twice (rejected_connections)",
    runbook="runbooks/redis.md#rejected_connections",
    threshold=Threshold(
        degraded=1e-6, critical=0.1, unit="1/s", source="every client that is turned away is an error that somebody sees; 0.1/s is one in ten seconds"
    ),
    grants=grant("info"),
    run=_rejected,
)

EXPIRATIONS = Check(
    id="redis.expirations",
    question="Does it keep up with removing expired keys?",
    system=SYSTEM,
    query="redis-cli --user <user> --askpass INFO stats, twice (expired_keys, expired_stale_perc)",
    runbook="runbooks/redis.md#expirations",
    threshold=Threshold(degraded=25, unit="%", source="Redis keeps overdue keys below 10 % while it can (active-expire-effort 1)"),
    grants=grant("info"),
    run=_expired,
)
