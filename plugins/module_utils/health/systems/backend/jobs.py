# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Background jobs: whether the worker lives and works, what waits for it, what fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ....reports.model import OK
from ...model import Finding, NotApplicable, Threshold
from .increases import since
from .service import Run, check, fine, health_finding, health_of, number

NAME = "worker"


def _worker(session: Run) -> Iterator[Finding]:
    worker = session.client.worker
    if worker is None:
        raise NotApplicable("not configured: the inventory names no address of the worker (leanvibe_ops_backend.worker_url)")
    answer = worker.request("GET", "/health")
    yield health_finding(answer, lambda found: Finding(verdict=OK, message=f"version {found.get('version', 'unknown')}, answered in {answer.seconds:.3f} s"))


def _jobs(session: Run) -> Iterator[Finding]:
    answer = health_of(session, NAME)
    yield health_finding(answer, lambda found: Finding(observed=number(found, "age_seconds", answer.where), message="since the worker ended its last job"))


def _backlog(session: Run) -> Iterator[Finding]:
    answer = health_of(session, NAME)
    if answer.status >= 500:
        raise NotApplicable("the worker's state is not known to the application: backend.jobs tells of it")
    yield health_finding(answer, lambda found: Finding(observed=number(found, "waiting", answer.where), message="jobs wait for the worker"))


def _failed(session: Run) -> Iterator[Finding]:
    answer = health_of(session, NAME)
    if answer.status >= 500:
        raise NotApplicable("the worker's state is not known to the application: backend.jobs tells of it")

    def said(found: Mapping[str, Any]) -> Finding:
        grown = since(session, jobs_done=number(found, "done", answer.where), jobs_failed=number(found, "failed", answer.where))
        done, failed = grown["jobs_done"], grown["jobs_failed"]
        if not done + failed:
            return fine(0, "no job has ended since the last run")
        return Finding(observed=round(100 * failed / (done + failed), 3), message=f"{failed:.0f} of {done + failed:.0f} jobs since the last run failed")

    yield health_finding(answer, said)


QUERY = "curl -sS URL/health/worker"
CHECKS = (
    check("worker", "Does the process of the background jobs answer?", _worker, "curl -sS -i WORKER_URL/health", timeout=4.0),
    check("jobs", "When did the worker last end a job?", _jobs, QUERY,
          Threshold(degraded=30, critical=60, unit="s", source="it gives itself a job every ten seconds: three missed, six missed"), timeout=8.0),
    check("backlog", "How many jobs wait for the worker?", _backlog, QUERY,
          Threshold(degraded=100, critical=1000, unit="jobs", source="ours: a worker ends some tens of jobs in a second, so 100 is seconds behind")),
    check("failed_jobs", "What share of the jobs since the last run failed?", _failed, f"{QUERY}, twice",
          Threshold(degraded=5, critical=50, unit="%", source="ours: a job that fails now and then is tried again, half of them is an outage")),
)  # fmt: skip
