# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of a tenant's user through the application: gets an account, signs in, makes a project, reads it, sees nobody else's, has a job done; then all of it
goes away again, whatever happened on the way.

It acts for one tenant that the inventory names (option ``journey_tenant``), so that no tenant is ever made for it. Its account has the same name each time, and
its projects begin with the same words: what a run that was killed has left behind, a later one takes away.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from ....clients.web import Answer
from ....common.errors import AccessDenied, OpsError
from ....reports.model import CRITICAL, DEGRADED
from ...model import Finding, NoData, NotApplicable, Threshold
from ..answers import json_answer, words
from .access import projects_of
from .service import SIGN_IN, Run, Service, check, health_of, token_of, well

NAME = "leanvibe-health"
TIMEOUT = 24.0
# What is kept back for cleaning up: three requests, each with its time-out.
CLEANING_SECONDS = 10.0
JOB_SECONDS = 8.0
# Younger projects may be another run's, which is under way.
LEFT_AFTER = timedelta(hours=1)


class Stopped(OpsError):
    """A step of the journey ended otherwise than it should."""


@dataclass
class Journey:
    """One journey. ``step`` is where it is, ``project`` the name of what it makes.

    ``entered``: there may be an account to take away; ``made``: there was one. ``robbed``: somebody else has taken it away, for all runs have the same
    account, and two operators may look at once.
    """

    service: Service
    tenant: str
    email: str
    ends: float
    now: datetime
    platform: str = ""
    token: str = ""
    entered: bool = False
    made: bool = False
    robbed: bool = False
    project: str = field(default_factory=lambda: f"{NAME}-{secrets.token_hex(6)}")
    step: str = ""
    steps: int = 0

    @property
    def account(self) -> str:
        return f"/api/v1/tenants/{self.tenant}/accounts/{quote(self.email)}"

    def password(self) -> str:
        """Always the same, so that two runs at a time do not lock each other out."""
        return hmac.new(self.service.accounts["provisioner"]["password"].encode(), f"{self.tenant}/{self.email}".encode(), hashlib.sha256).hexdigest()

    def ask(self, step: str, method: str, path: str, good: tuple[int, ...], *, body: object = None, token: str | None = None) -> Answer:
        """One request of the journey. Raises Stopped for any other status, or if the time is up."""
        self.step = step
        if time.monotonic() > self.ends:
            raise Stopped(f"{step}: not begun, the time for the journey is up")
        answer = self.service.users.request(method, path, body=body, token=self.token if token is None else token)
        if answer.status not in good:
            said = words(answer) if answer.status >= 400 else "something else"  # what went well may hold a token
            raise Stopped(f"{step}: {answer.where} answered {answer.status} where {' or '.join(map(str, good))} was expected: {said}")
        self.steps += 1
        return answer

    def object_of(self, answer: Answer, *names: str) -> dict[str, Any]:
        """A JSON object with these texts. Raises Stopped."""
        found = json_answer(answer)
        if not all(isinstance(found.get(name), str) for name in names):
            raise Stopped(f"{self.step}: {answer.where} answered without {', '.join(names)}, with {', '.join(sorted(found)) or 'nothing'}")
        return found

    def enter(self) -> None:
        """Get an account and sign in with it. Raises AccessDenied and NoData if there is no such tenant to act for."""
        account = {"display_name": "Health check", "password": self.password()}
        self.entered = True
        answer = self.ask("make an account", "PUT", self.account, (200, 403, 404), body=account, token=self.platform)
        self.entered = self.made = answer.status == 200
        if answer.status == 403:
            raise AccessDenied(f"the provisioner may not make an account for tenant {self.tenant}: {words(answer)}")
        if answer.status == 404:
            raise NoData(f"the application knows no tenant {self.tenant}: playbooks/tenants.yml makes it, option journey_tenant names another")
        answer = self.ask("sign in", "POST", SIGN_IN, (200,), body={"tenant": self.tenant, "email": self.email, "password": self.password()}, token="")
        self.token = self.object_of(answer, "token")["token"]

    def projects(self, wanted: Callable[[dict[str, Any]], bool]) -> list[str]:
        """Ids of the tenant's projects that are wanted."""
        found = json_answer(self.ask("list projects", "GET", projects_of(self.tenant), (200,))).get("projects")
        if not isinstance(found, list):
            raise Stopped("list projects: the answer is no list")
        return [str(one["project_id"]) for one in found if wanted(one)]

    def left_behind(self, project: dict[str, Any]) -> bool:
        """Whether a project is one that an earlier journey could not take away."""
        return str(project["name"]).startswith(f"{NAME}-") and datetime.fromisoformat(project["created_at"]) < self.now - LEFT_AFTER

    def work(self) -> None:
        """Make a project, read it, find it among the others, remove it, miss it."""
        for left in self.projects(self.left_behind):
            self.ask("remove what an earlier run has left", "DELETE", f"{projects_of(self.tenant)}/{left}", (204, 404))
        answer = self.ask("make a project", "POST", projects_of(self.tenant), (201,), body={"name": self.project, "description": "made by the health check"})
        path = f"{projects_of(self.tenant)}/{self.object_of(answer, 'project_id')['project_id']}"
        read = self.object_of(self.ask("read the project", "GET", path, (200,)), "name")
        if read["name"] != self.project:
            raise Stopped(f"read the project: its name is {read['name']}, and it was made as {self.project}")
        if len(self.projects(self.mine)) != 1:
            raise Stopped("list projects: the one that was made is not among them")
        self.ask("remove the project", "DELETE", path, (204,))
        self.ask("miss the project", "GET", path, (404,))

    def mine(self, project: dict[str, Any]) -> bool:
        """Whether a project is this journey's."""
        return bool(project["name"] == self.project)

    def others(self, tenants: list[str]) -> None:
        """Another tenant's data are not for this user."""
        for other in tenants:
            self.ask("be refused another tenant's data", "GET", projects_of(other), (403, 404))

    def job(self) -> None:
        """Have the worker do something, and wait for it."""
        answer = self.ask("give the worker a job", "POST", f"/api/v1/tenants/{self.tenant}/jobs", (202,))
        number = self.object_of(answer, "id")["id"]
        patience = time.monotonic() + JOB_SECONDS
        while True:
            answer = self.ask("wait for the job", "GET", f"/api/v1/tenants/{self.tenant}/jobs/{number}", (200,))
            state = self.object_of(answer, "state")["state"]
            if state == "done":
                return
            if state == "failed" or time.monotonic() > patience:
                raise Stopped(f"wait for the job: it is {state}" + ("" if state == "failed" else f" after {JOB_SECONDS:g} s"))
            time.sleep(0.1)

    def clean(self) -> str:
        """Take away what may be left of the project, and the account. Returns what could not be taken away."""
        self.ends = time.monotonic() + CLEANING_SECONDS
        left = []
        try:
            for project in self.projects(self.mine) if self.token else ():
                self.ask("remove the project", "DELETE", f"{projects_of(self.tenant)}/{project}", (204, 404))
        except OpsError as error:
            left.append(f"perhaps a project {self.project} of tenant {self.tenant} ({error.message})")
        try:
            if self.entered:
                answer = self.ask("remove the account", "DELETE", self.account, (204, 404), token=self.platform)
                self.robbed = self.made and answer.status == 404
        except OpsError as error:
            left.append(f"the account {self.email} of tenant {self.tenant} ({error.message})")
        return "; ".join(left)


def _begin(session: Run) -> Journey:
    tenant = session.options.get("journey_tenant")
    if not tenant:
        raise NotApplicable("not configured: the inventory names no tenant for it (option journey_tenant)")
    if well(health_of(session, "db")) is None:
        raise NoData("not begun: the application does not reach its database, so nothing could be taken away again (backend.database tells of it)")
    seconds = session.client.left() - CLEANING_SECONDS
    if seconds < 2 * session.client.users.seconds:
        raise NoData(f"not begun: there would be no time to clean up afterwards ({session.client.left():.0f} s left)")
    platform = token_of(session.client, "provisioner")
    return Journey(session.client, str(tenant), f"health-{session.region}@journey.invalid", time.monotonic() + seconds, session.now, platform)


def _journey(session: Run) -> Iterator[Finding]:
    journey = _begin(session)
    others = sorted(str(one["id"]) for one in session.tenants if one["id"] != journey.tenant)[:1]
    stages: tuple[Callable[[], None], ...] = (journey.enter, journey.work, lambda: journey.others(others), journey.job)
    began = time.monotonic()
    problem: OpsError | None = None
    try:
        for stage in stages:
            stage()
    except OpsError as error:
        problem = error
    finally:
        took, step = time.monotonic() - began, journey.step
        left = journey.clean()
    if isinstance(problem, Stopped) and journey.robbed:
        more = f" What may be left behind, a later run takes away: {left}." if left else ""
        raise NoData(f"{step}: not known, for another health run took the account {journey.email} away meanwhile; run it again when that one has ended.{more}")
    if problem is None:
        yield Finding(observed=round(took, 3), message=f"{journey.steps} steps as tenant {journey.tenant} in {took:.2f} s, all of it taken away again")
    elif isinstance(problem, Stopped):
        yield Finding(verdict=CRITICAL, message=f"a user of tenant {journey.tenant} gets no further than: {problem.message}", tenants=(journey.tenant,))
    if left:
        message = f"left behind: {left}. A later run takes it away"
        yield Finding(verdict=DEGRADED, name="left_behind", message=message, tenants=(journey.tenant,))
    if problem is not None and not isinstance(problem, Stopped):
        raise type(problem)(f"{step}: {problem.message}")


CHECKS = (
    check("journey", "Can a tenant's user work: get in, make something, read it, have a job done, and be kept from others' data?", _journey,
          "docs/runbooks/backend.md#journey",
          Threshold(degraded=5, critical=10, unit="s", source="ours: a dozen requests and a job, for a person who waits"),
          timeout=TIMEOUT, cost="high", writes=True,
          grants=("an account of the application that makes and removes tenants' users (leanvibe_ops_backend.provisioner)",)),
)  # fmt: skip
