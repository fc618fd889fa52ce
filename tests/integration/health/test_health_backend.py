# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_backend on the sandbox's application: nothing on a healthy one, and for each fault the findings that were written down before, and no others."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.backend import CHECKS
from backend_faults import Region, eventually, killed, paused, process_of
from health_cluster import told, verdicts

pytestmark = pytest.mark.sandbox
WEST = "us-west-2"
ALL = {check.id.partition(".")[2] for check in CHECKS}
# The sandbox's users come in without TLS, nobody counts its earnings, and the first run has none before it.
NOT_HERE = {"certificate", "revenue"}
FIRST = NOT_HERE | {"failed_jobs", "response_baseline", "latency", "errors", "tenant_errors", "active_tenants"}


@pytest.fixture
def region(sandbox: dict[str, Any], credentials: dict[str, Any]) -> Iterator[Region]:
    made = Region(sandbox, credentials, WEST)
    made.make()
    eventually(made.well, "a healthy application")
    yield made
    made.clean()


def found(run: dict[str, Any]) -> dict[str, str]:
    """What is neither ok nor skipped: check and name -> verdict."""
    place = f"{WEST}/backend"
    return {check + subject.removeprefix(place): verdict for (check, subject), verdict in verdicts(run).items() if verdict != "skipped"}


def skipped(run: dict[str, Any]) -> set[str]:
    return {check for (check, _subject), verdict in verdicts(run).items() if verdict == "skipped"}


def test_a_healthy_application_has_no_findings_and_nothing_is_left(region: Region) -> None:
    first = region.look()
    assert found(first) == {}, told(first)
    assert skipped(first) == FIRST
    second = region.look(options={"counters_before": first["facts"]["counters"]})
    assert found(second) == {}, told(second)
    assert skipped(second) <= NOT_HERE | {"response_baseline", "latency", "errors", "tenant_errors"}, told(second)
    assert region.left() == (0, 0)
    active = next(one for one in second["items"] if one["id"] == "backend.active_tenants")
    assert active["observed"] >= 1  # the journey's own; others may be at work here


@dataclass(frozen=True)
class Fault:
    """What is broken while we look, and all that may be told of it, and must be. ``within``: seconds that the run may take."""

    broken: Callable[[Region], contextlib.AbstractContextManager[Any]]
    may: dict[str, str]
    parameters: dict[str, Any] = field(default_factory=dict)
    within: float = 20.0


@contextlib.contextmanager
def idle_worker(region: Region) -> Iterator[None]:
    """The worker holds still until its last job is half a minute old."""
    with paused(region.process("worker")):
        eventually(lambda: region.worker_state().get("age_seconds", 0) > 31, "an old job")
        yield


@contextlib.contextmanager
def queue(region: Region) -> Iterator[None]:
    """A hundred jobs and some, and nobody who does them; the one that the worker was waiting for is not in the queue any more."""
    user = region.user()
    with paused(region.process("worker")):
        for _ in range(110):
            assert region.api.post(f"/api/v1/tenants/{region.tenant}/jobs", headers=user).status_code == 202
        yield
    eventually(lambda: region.worker_state().get("waiting", 1) == 0, "an empty queue")


@contextlib.contextmanager
def suspended(region: Region) -> Iterator[None]:
    region.rows("UPDATE leanvibe.tenants SET state = 'suspended' WHERE tenant_id = %s", region.tenant)
    yield


@contextlib.contextmanager
def no_stripe(region: Region) -> Iterator[None]:
    with paused(process_of(region.data, "stripe-mock", "-http-addr")):
        yield


@contextlib.contextmanager
def nothing(_region: Region) -> Iterator[None]:
    yield


WRONG = {"account": "probe", "password": "hc-recognisable-and-wrong"}
FAULTS = {
    "died": Fault(lambda region: killed(region.data, f"backend-{WEST}", region.process("api")), dict.fromkeys(ALL, "unknown"), within=6),
    "worker died": Fault(lambda region: killed(region.data, f"worker-{WEST}", region.process("worker")), {"worker": "unknown", "journey": "critical"}),
    "paused": Fault(lambda region: paused(region.process("api")), dict.fromkeys(ALL, "unknown"), within=6),
    "cut off": Fault(lambda region: region.cut("backend_front"), dict.fromkeys(ALL, "unknown"), within=6),
    "slow": Fault(
        lambda region: region.slow("backend_front", 500),
        {"response/enterprise": "critical", "websocket": "degraded", "journey": "degraded"},
        {"thresholds": {"backend.journey": {"degraded": 5, "critical": 20}, "backend.up": {"degraded": 2.5}}},
        within=40,
    ),
    "worker paused": Fault(lambda region: paused(region.process("worker")), {"worker": "unknown", "journey": "critical"}),
    "worker paused for long": Fault(idle_worker, {"worker": "unknown", "jobs": "degraded", "journey": "critical"}),
    "queue": Fault(queue, {"worker": "unknown", "backlog": "degraded", "journey": "critical"}),
    "no cache": Fault(lambda region: region.cut("redis_front"), {"cache": "critical"}),
    "no graph": Fault(lambda region: region.cut("neo4j_front"), {"graph": "critical"}),
    "no database": Fault(lambda region: region.cut("pgbouncer_front"), {"database": "critical", "database_response": "unknown", "journey": "unknown"}),
    "the cache hangs": Fault(lambda region: region.hangs("redis_front"), {"cache": "critical"}),
    "the graph hangs": Fault(lambda region: region.hangs("neo4j_front"), {"graph": "critical"}),
    # The application waits for longer than we do for it.
    "the database hangs": Fault(
        lambda region: region.hangs("pgbouncer_front"), dict.fromkeys(("database", "database_response", "journey"), "unknown"), within=10
    ),
    "payments hang": Fault(no_stripe, {"billing": "critical"}),
    "wrong password": Fault(nothing, dict.fromkeys(("sign_in", "authorization", "websocket"), "unknown"), {"connection": {"probe": WRONG}}),
    "wrong provisioner": Fault(nothing, {"journey": "unknown"}, {"connection": {"provisioner": {**WRONG, "account": "provisioner"}}}),
    "no such tenant": Fault(nothing, {"journey": "unknown"}, {"options": {"journey_tenant": "hc-nobody"}}),
    "tenant suspended": Fault(suspended, {"journey": "unknown"}),
    "page gone": Fault(nothing, {"pages/nowhere": "critical"}, {"options": {"pages": ["/", "/nowhere"]}}),
    "metrics of the wrong process": Fault(
        nothing, dict.fromkeys(("latency", "errors", "tenant_errors", "active_tenants"), "unknown"), {"connection": {"direct_url": "prometheus"}}
    ),
}


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_nothing_else(region: Region, name: str, catalogue: Any) -> None:
    fault = FAULTS[name]
    parameters = dict(fault.parameters)
    change = parameters.pop("connection", {})
    if change.get("direct_url"):
        change = {"direct_url": region.parts["prometheus"]["url"]}
    with fault.broken(region):
        began = time.monotonic()
        run = region.look(connection=region.connection(**change), **parameters)
        took = time.monotonic() - began
    eventually(region.well, "a healthy application")
    catalogue.judge(f"backend: {name}", fault.may.items(), found(run).items(), told(run))
    assert took < fault.within
    assert "hc-recognisable-and-wrong" not in str(run)
    if name != "queue":
        assert region.left() == (0, 0)


def test_failures_since_the_last_run_are_told_with_whom_they_touch(region: Region) -> None:
    user, before = region.user(), region.look(writes=False)
    with region.cut("pgbouncer_front"):
        for _ in range(10):
            assert region.api.get(f"/api/v1/tenants/{region.tenant}/projects", headers=user).status_code == 503
    eventually(region.well, "a healthy application")
    run = region.look(writes=False, options={"counters_before": before["facts"]["counters"]})
    assert found(run) == {"errors": "critical", f"tenant_errors/{region.tenant}": "critical"}, told(run)
    touched = next(one for one in run["items"] if one["id"] == "backend.tenant_errors")
    assert (touched["tenants"], touched["observed"]) == ([region.tenant], 100)


def test_a_run_that_may_only_read_leaves_nothing_in_the_database(region: Region) -> None:
    counted = "SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE schemaname = 'leanvibe' AND relname = 'users'"
    before = region.rows(counted)
    run = region.look(writes=False)
    assert found(run) == {}, told(run)
    assert skipped(run) == FIRST | {"journey"}
    assert region.rows(counted) == before
