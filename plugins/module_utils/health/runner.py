# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the checks of one endpoint on one connection. Whatever happens to a check or to the system, every check that was to run is told of.

Each check has its time-out, all together a budget. A system that does not answer costs its time-out once: the first check that finds out takes all
that follow with it, with that one reason. Whether it is the system or only a slow request is found out by asking for the smallest answer there is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..common.errors import AccessDenied, OpsError, Unreachable
from ..common.lazy import LazyModule
from ..common.redaction import redact_text
from ..reports.model import SKIPPED, UNKNOWN
from .model import PROFILES, Check, Client, NoData, NotApplicable, Session
from .profiles import belongs
from .results import COULD_NOT_RUN, Done, Run, item, outcome_of, whole
from .thresholds import nearest

Result = TypeVar("Result")


def _nothing(_client: Any, _seconds: float) -> None:
    """The client bounds its own requests."""


def _as_it_is(error: Exception) -> Exception:
    """The client raises OpsError itself."""
    return error


@dataclass(frozen=True)
class Link(Generic[Client]):
    """How to reach a system. All of it may raise OpsError (Unreachable, AccessDenied).

    ``connect(seconds)`` opens the connection. ``answers(client, seconds)`` makes the smallest request and raises if no answer comes. ``limit(client,
    seconds)`` bounds the requests that follow, on the server too where it can (``statement_timeout``). ``close(client)`` must not wait.
    ``explain(error)`` turns a driver's error into OpsError (AccessDenied, Unreachable …); errors that it does not know it returns as they are.
    ``loads`` names the packages that connecting needs: they are imported before the clock runs, for on a busy machine that takes longer than systems do.
    """

    connect: Callable[[float], Client]
    answers: Callable[[Client, float], object]
    close: Callable[[Client], object]
    limit: Callable[[Client, float], object] = _nothing
    explain: Callable[[Exception], Exception] = _as_it_is
    loads: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Seconds: for the connection, for finding out whether a silent system is alive, and for all checks of the endpoint together."""

    connect: float = 3.0
    probe: float = 1.0
    budget: float = 30.0


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which checks a run is about. ``without`` and writing checks that may not write are skipped and said; other profiles' are not part of the run."""

    profile: str = PROFILES[0]
    only: Sequence[str] = ()
    without: Sequence[str] = ()
    writes: bool = True

    def mistakes(self, known: Iterable[str]) -> list[str]:
        """What is wrong with it: a profile or ids that do not exist."""
        names = list(known)
        wrong = [f"{name} is no check{nearest(name, names)}" for name in (*self.only, *self.without) if name not in names]
        return wrong if self.profile in PROFILES else [f"{self.profile} is no profile; there are {', '.join(PROFILES)}", *wrong]

    def wanted(self, check: Any) -> bool:
        """Whether a check or comparison is part of the run at all."""
        return belongs(check, self.profile) and (not self.only or check.id in self.only)

    def why_not(self, check: Any) -> str | None:
        """Why one that is part of the run is skipped."""
        if check.id in self.without:
            return "left out of this run by its inputs (health_without)"
        if getattr(check, "writes", False) and not self.writes:
            return "it writes, and this run may only read (health_writes)"
        return None


class _TookTooLong(Exception):
    """The work did not end in its time, and goes on in its thread."""


def boxed(work: Callable[[], Result], seconds: float) -> Result:
    """The result of ``work``, or its error. Raises _TookTooLong after ``seconds``; the thread is left behind and does not keep the process alive."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            results.append(work())
        except BaseException as error:  # handed over to the caller's thread, whatever it is
            errors.append(error)

    thread = threading.Thread(target=body, name="health", daemon=True)
    thread.start()
    thread.join(max(0.0, seconds))
    if thread.is_alive():
        raise _TookTooLong
    if errors:
        raise errors[0]
    return results[0]


def reason_of(error: Exception, check: Check[Any] | None = None) -> str:
    """Why a check could not run, in words for an operator: rights are named, and what is our mistake is called that."""
    if isinstance(error, AccessDenied):
        needs = f" This check needs: {'; '.join(check.grants)}." if check is not None and check.grants else ""
        return redact_text(f"a right is missing: {error.message}{needs}")
    if isinstance(error, OpsError):
        return redact_text(error.message)
    first = (str(error).splitlines() or [""])[0]
    return redact_text(f"the check itself failed, not what it looks at: {type(error).__name__}: {first}")


@dataclass
class _Endpoint(Generic[Client]):
    """The state of a run over one endpoint's checks."""

    link: Link[Client]
    session: Session[Client]
    limits: Limits
    run: Run
    ends: float
    clock: Callable[[], float] = time.monotonic
    lost: str = ""

    def tell(self, check: Check[Client], verdict: str, reason: str, seconds: float = 0.0) -> None:
        self.run.items.append(whole(check, self.run.place, verdict, reason))
        self.run.checks.append(Done(check.id, self.run.place, SKIPPED if verdict == SKIPPED else COULD_NOT_RUN, round(seconds, 3), reason))

    def attend(self, check: Check[Client]) -> None:
        """Run one check and tell what it found, or why it could not."""
        if self.lost:
            self.tell(check, UNKNOWN, self.lost)
            return
        began = self.clock()
        seconds = min(check.timeout, self.ends - began)
        if seconds <= 0:
            self.tell(check, UNKNOWN, f"not run: the {self.limits.budget:g} s for all checks of {self.run.place} were used up (health_budget)")
            return
        found: list[dict[str, Any]] = []
        error = self._look(check, seconds, found)
        took = self.clock() - began
        found = found.copy()  # a thread that was left behind may still add to its own list
        if isinstance(error, NotApplicable) and not found:
            self.tell(check, SKIPPED, reason_of(error), took)
            return
        if error is None and not found:
            error = NoData("the check found nothing at all, good or bad: nothing was measured")
        reason = reason_of(error, check) if error is not None else ""
        if error is not None:
            found.append(whole(check, self.run.place, UNKNOWN, reason))
        self.run.items += found
        self.run.checks.append(Done(check.id, self.run.place, outcome_of(found), round(took, 3), reason))

    def _look(self, check: Check[Client], seconds: float, found: list[dict[str, Any]]) -> Exception | None:
        """Collect findings into ``found``; return what ended the check early. Notes if the system is lost."""

        def work() -> None:
            self.link.limit(self.session.client, seconds)
            self.session.limits = check.limits
            for finding in check.run(self.session):
                found.append(item(check, finding, self.run.place))

        try:
            # The client's own time-out comes first and says more; the box is for clients that have none, or fail at it.
            boxed(work, seconds + min(0.5, seconds / 4))
        except _TookTooLong:
            self.lost = f"{self.run.place} stopped answering: {check.id} got no answer within {seconds:g} s, and the connection is given up"
            return Unreachable(self.lost)
        except Exception as error:
            told = self.link.explain(error)
            if isinstance(told, OSError):
                told = Unreachable(f"{self.run.place} did not answer {check.id}: {type(told).__name__}: {told}")
            if isinstance(told, Unreachable):
                self._still_there(told)
            return told
        return None

    def _still_there(self, error: Exception) -> None:
        try:
            boxed(lambda: self.link.answers(self.session.client, self.limits.probe), self.limits.probe + 0.5)
        except Exception:  # whatever the silence is called, what is said is what came first
            self.lost = reason_of(error)


def _open(link: Link[Client], place: str, seconds: float) -> tuple[list[Client], str]:
    """The client, or none and why."""
    try:
        for package in link.loads:
            LazyModule(package).load()
        return [boxed(lambda: link.connect(seconds), seconds + 0.5)], ""
    except _TookTooLong:
        return [], f"{place} did not answer within {seconds:g} s when it was connected to"
    except Exception as error:
        return [], reason_of(link.explain(error))


def run_checks(
    checks: Sequence[Check[Client]],
    link: Link[Client],
    *,
    system: str,
    region: str,
    selection: Selection | None = None,
    limits: Limits | None = None,
    options: Mapping[str, Any] | None = None,
    tenants: Sequence[Mapping[str, Any]] = (),
    clock: Callable[[], float] = time.monotonic,
) -> Run:
    """Run the selected checks of one endpoint, in their order, on one connection. Never raises for what happens to a check or to the system."""
    limits, selection = limits or Limits(), selection or Selection()
    began = clock()
    run = Run(system, region)
    due = []
    for check in checks:
        if not selection.wanted(check):
            continue
        reason = selection.why_not(check)
        if reason is None:
            due.append(check)
        else:
            run.items.append(whole(check, run.place, SKIPPED, reason))
            run.checks.append(Done(check.id, run.place, SKIPPED, 0.0, reason))
    clients, lost = _open(link, run.place, min(limits.connect, limits.budget)) if due else ([], "")
    if not clients:
        for check in due:
            run.items.append(whole(check, run.place, UNKNOWN, lost))
            run.checks.append(Done(check.id, run.place, COULD_NOT_RUN, 0.0, lost))
        run.seconds = clock() - began
        return run
    session: Session[Client] = Session(clients[0], system, region, options or {}, tenants)
    endpoint = _Endpoint(link, session, limits, run, began + limits.budget, clock)
    try:
        for check in due:
            endpoint.attend(check)
    finally:
        link.close(session.client)
    run.facts = session.facts.copy()
    run.seconds = clock() - began
    return run


def absent(checks: Sequence[Check[Any]], *, system: str, region: str, reason: str, selection: Selection | None = None) -> Run:
    """The run over an endpoint that is declared absent: all checks skipped, with the reason."""
    run = Run(system, region)
    for check in checks:
        if (selection or Selection()).wanted(check):
            run.items.append(whole(check, run.place, SKIPPED, reason))
            run.checks.append(Done(check.id, run.place, SKIPPED, 0.0, reason))
    return run
