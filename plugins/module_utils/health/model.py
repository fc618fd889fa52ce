# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a health check is, what it finds, and what it is given to look with. docs/health.md shows how to add one.

A check is data and one function: ``Check(id=…, question=…, run=…)``, one small file ``systems/<system>/<topic>.py`` per topic, listed in the tuple
``CHECKS`` of ``systems/<system>/__init__.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from ..common.errors import OpsError

Client = TypeVar("Client")
Answer = TypeVar("Answer")

HIGHER, LOWER = "higher", "lower"
DAILY, POST_DEPLOY, DIAGNOSE = "daily", "post_deploy", "diagnose"
PROFILES = (DAILY, POST_DEPLOY, DIAGNOSE)
COSTS = ("low", "medium", "high")

_ID = re.compile(r"(?P<system>[a-z][a-z0-9_]*)\.[a-z][a-z0-9_]*")


class NoData(OpsError):
    """The system answered, but not with anything that could be judged (no rows, an empty vector, HTML instead of JSON): the check is unknown."""


class NotApplicable(OpsError):
    """The check has no meaning here, by declaration or by edition, and the message says why: it is skipped. Never for something that failed."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """From which value on a measurement is degraded or critical; the value itself belongs to it. ``source`` says where the figures come from."""

    source: str
    degraded: float | None = None
    critical: float | None = None
    unit: str | None = None
    worse: str = HIGHER

    def __post_init__(self) -> None:
        if self.worse not in (HIGHER, LOWER):
            raise ValueError(f"worse must be {HIGHER} or {LOWER}")
        if self.degraded is None and self.critical is None:
            raise ValueError("a threshold needs degraded or critical")
        if self.degraded is not None and self.critical is not None:
            beyond = self.critical >= self.degraded if self.worse == HIGHER else self.critical <= self.degraded
            if not beyond:
                raise ValueError(f"critical ({self.critical:g}) must lie beyond degraded ({self.degraded:g}): {self.worse} is worse")

    def to_mapping(self) -> dict[str, Any]:
        """The form of reports."""
        figures = {name: value for name, value in (("degraded", self.degraded), ("critical", self.critical)) if value is not None}
        return {**figures, "worse": self.worse, "source": self.source}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a check has measured or noticed, good or bad.

    Give ``observed`` (a number, in the threshold's unit) and leave ``verdict`` out: the threshold decides. Give ``verdict`` where there is nothing to
    count. ``name`` is what below the endpoint it is about (a slot, ``namespace/workload``, a tenant); it must stay the same from run to run, or nothing
    is ever known to be the same finding: name workloads, not their pods. ``variant`` picks one of the check's ``variants`` of thresholds.
    ``capacity`` is the value of ``observed`` at which the thing is full, where that can be said. ``region`` is for comparisons: the side that is wrong.
    """

    observed: Any = None
    verdict: str | None = None
    message: str = ""
    name: str = ""
    tenants: Sequence[str] = ()
    evidence: str | None = None
    unit: str | None = None
    variant: str = ""
    capacity: float | None = None
    query: str | None = None
    region: str | None = None


@dataclass
class Session(Generic[Client]):
    """What a check looks with: one connection of one endpoint, shared by all its checks, one at a time.

    ``options`` is what the inventory says about this endpoint's checks, ``tenants`` the declared tenants the run is about (mappings with id, tier,
    region …), ``now`` the run's time. ``facts`` goes to the controller, for comparisons between endpoints; it must be JSON and hold no secret.
    ``limits`` is About.limits of the check that runs, with the thresholds that count in this run.
    """

    client: Client
    system: str
    region: str
    options: Mapping[str, Any] = field(default_factory=dict)
    tenants: Sequence[Mapping[str, Any]] = ()
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    facts: dict[str, Any] = field(default_factory=dict)
    limits: Callable[[str], Threshold | None] = lambda _variant: None
    _known: dict[str, tuple[Any, Exception | None]] = field(default_factory=dict, repr=False)

    @property
    def place(self) -> str:
        """How subjects of findings begin."""
        return f"{self.region}/{self.system}"

    def once(self, name: str, read: Callable[[Client], Answer]) -> Answer:
        """What ``read`` answers, asked for once in a run however many checks need it. An error is remembered too, and raised for each of them."""
        if name not in self._known:
            try:
                self._known[name] = (read(self.client), None)
            except Exception as error:
                self._known[name] = (None, error)
                raise
        answer, failure = self._known[name]
        if failure is not None:
            raise failure
        return answer  # type: ignore[no-any-return]


@dataclass(frozen=True, kw_only=True)
class About:
    """What checks and comparisons have in common.

    ``question`` is what it asks, in a sentence that an operator understands. ``query`` is the exact query or request to repeat it by hand, without
    secrets. ``runbook`` is a path below docs/, or a URL. ``threshold`` is the usual one; ``variants`` are further ones by name, for example by tier.
    """

    id: str
    question: str
    system: str
    query: str
    runbook: str
    threshold: Threshold | None = None
    variants: Mapping[str, Threshold] = field(default_factory=dict)
    profiles: Sequence[str] = PROFILES
    cost: str = "low"

    def __post_init__(self) -> None:
        match = _ID.fullmatch(self.id)
        if match is None or match["system"] != self.system:
            raise ValueError(f"the id {self.id!r} must be {self.system}.<what it measures>, in lower case")
        if not (self.question and self.query and self.runbook):
            raise ValueError(f"{self.id} needs a question, a query to repeat it, and a runbook")
        if not self.profiles or set(self.profiles) - set(PROFILES):
            raise ValueError(f"{self.id}: profiles must be some of {', '.join(PROFILES)}")
        if self.cost not in COSTS:
            raise ValueError(f"{self.id}: cost must be one of {', '.join(COSTS)}")

    def limits(self, variant: str = "") -> Threshold | None:
        """The threshold that counts for findings of ``variant``: its own, else the usual one."""
        return self.variants.get(variant, self.threshold)


@dataclass(frozen=True, kw_only=True)
class Check(About, Generic[Client]):
    """A check of one endpoint. ``run`` returns or yields what it found; what was fine is a finding too, and no findings at all mean that nothing was measured.

    It raises what it cannot handle: NoData, NotApplicable, AccessDenied, Unreachable or anything else; none of it stops other checks, and what it
    has yielded before is kept. ``timeout`` is in seconds, ``grants`` are the rights it needs in words of the system (``GRANT pg_monitor TO …``),
    ``writes`` says that it leaves traces while it runs.
    """

    run: Callable[[Session[Client]], Iterable[Finding]]
    timeout: float = 5.0
    grants: Sequence[str] = ()
    writes: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.timeout <= 0:
            raise ValueError(f"{self.id}: timeout must be above 0 s")


@dataclass(frozen=True)
class Side:
    """What one endpoint published under the comparison's ``fact``."""

    region: str
    fact: Any


@dataclass(frozen=True, kw_only=True)
class Comparison(About):
    """A check across the endpoints of ``system``, on the controller. ``compare`` gets all sides, at least two, in the order of the regions.

    ``told_by`` is the check that publishes the ``fact``: a run that is only about the comparison needs it, too.
    """

    fact: str
    told_by: str
    compare: Callable[[Sequence[Side]], Iterable[Finding]]
