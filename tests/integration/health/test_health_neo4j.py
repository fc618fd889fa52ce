# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_neo4j on the sandbox: silent while all is well; for each fault exactly the checks that it may raise."""

from __future__ import annotations

import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import neo4j
import pytest
from module_runs import EAST, WEST, compared, eventually, look, wrong

ENTERPRISE_ONLY = {"neo4j.cluster", "neo4j.replication_lag", "neo4j.failed_transactions", "neo4j.page_cache", "neo4j.checkpoints"}
NAME = f"hc_{secrets.token_hex(3)}"


class Graph:
    """The graph of one region, through a session of the test's own."""

    def __init__(self, uri: str, password: str) -> None:
        self.connection = {"uri": uri, "username": "neo4j", "password": password}
        self.driver = neo4j.GraphDatabase.driver(uri, auth=("neo4j", password), telemetry_disabled=True, notifications_min_severity="OFF")

    def ask(self, statement: Any, **values: Any) -> list[dict[str, Any]]:
        with self.driver.session() as session:
            return [dict(record) for record in session.run(statement, values)]

    def state(self, index: str) -> str:
        return "".join(str(row["state"]) for row in self.ask("SHOW INDEXES YIELD name, state WHERE name = $name RETURN state", name=index))


@pytest.fixture(scope="module")
def graphs(sandbox: dict[str, Any], credentials: dict[str, Any]) -> Iterator[dict[str, Graph]]:
    made = {region: Graph(sandbox["regions"][region]["neo4j"]["uri"], credentials["neo4j"][region]) for region in (EAST, WEST)}
    yield made
    for graph in made.values():
        graph.driver.close()


def seen(graphs: Mapping[str, Graph], *regions: str, **arguments: Any) -> list[dict[str, Any]]:
    runs = [look("neo4j", region, graphs[region].connection, **arguments) for region in regions or (EAST, WEST)]
    return [*(item for run in runs for item in run.items), *(compared(runs) if len(runs) > 1 else [])]


def test_a_healthy_sandbox_has_no_finding_that_is_not_ok(graphs: dict[str, Graph]) -> None:
    for _time in range(3):
        items = seen(graphs)
        assert wrong(items) == {}
        assert {item["id"] for item in items if item["verdict"] == "skipped"} == ENTERPRISE_ONLY | {"neo4j.certificate"}


def test_looking_is_quick(graphs: dict[str, Graph]) -> None:
    seen(graphs, WEST)
    run = look("neo4j", WEST, graphs[WEST].connection)
    assert run.seconds < 3, run.checks


@dataclass(frozen=True)
class Fault:
    """``make`` breaks the graph of us-west-2 and mends it; ``may``: what must be raised there, and nothing else."""

    name: str
    make: Callable[[Graph], Any]
    may: set[str]
    arguments: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def transaction(graph: Graph) -> Iterator[None]:
    """One that does nothing and does not end."""
    with graph.driver.session() as session, session.begin_transaction() as open_:
        open_.run("RETURN 1").consume()
        time.sleep(1.2)
        yield
        open_.rollback()


@contextmanager
def blocked(graph: Graph) -> Iterator[None]:
    """One waits for what another has locked."""
    graph.ask("CREATE (:HcNode {id: $name})", name=NAME)

    def wait() -> None:
        graph.ask("MATCH (n:HcNode {id: $name}) SET n.value = 2", name=NAME)

    thread = threading.Thread(target=wait)
    try:
        with graph.driver.session() as session, session.begin_transaction() as open_:
            open_.run("MATCH (n:HcNode {id: $name}) SET n.value = 1", name=NAME).consume()
            thread.start()
            time.sleep(1.5)
            yield
            open_.rollback()
        thread.join(10)
    finally:
        graph.ask("MATCH (n:HcNode {id: $name}) DELETE n", name=NAME)


@contextmanager
def failed_index(graph: Graph) -> Iterator[None]:
    """A value is too long for the index that is made."""
    graph.ask("CREATE (:HcLong {id: $name, value: $value})", name=NAME, value="x" * 40000)
    try:
        graph.ask("CREATE INDEX hc_long IF NOT EXISTS FOR (n:HcLong) ON (n.value)")
        eventually(lambda: graph.state("hc_long") == "FAILED", "the failure of the index", 60)
        yield
    finally:
        graph.ask("DROP INDEX hc_long IF EXISTS")
        graph.ask("MATCH (n:HcLong {id: $name}) DELETE n", name=NAME)


@contextmanager
def constraint_gone(graph: Graph) -> Iterator[None]:
    """A tenant's node is there, and what keeps it from being there twice is not."""
    before = graph.ask("SHOW CONSTRAINTS YIELD name WHERE name = 'leanvibe_tenant_id'")
    others = graph.ask("SHOW INDEXES YIELD name WHERE name IN ['leanvibe_user_tenant', 'leanvibe_project_tenant']")
    graph.ask("CREATE INDEX leanvibe_user_tenant IF NOT EXISTS FOR (n:User) ON (n.tenant_id)")
    graph.ask("CREATE INDEX leanvibe_project_tenant IF NOT EXISTS FOR (n:Project) ON (n.tenant_id)")
    try:
        graph.ask("DROP CONSTRAINT leanvibe_tenant_id IF EXISTS")
        graph.ask("CREATE (:Tenant {id: $name})", name=NAME)
        yield
    finally:
        graph.ask("MATCH (t:Tenant {id: $name}) DELETE t", name=NAME)
        if before:
            graph.ask("CREATE CONSTRAINT leanvibe_tenant_id IF NOT EXISTS FOR (n:Tenant) REQUIRE n.id IS UNIQUE")
        if not others:
            graph.ask("DROP INDEX leanvibe_user_tenant IF EXISTS")
            graph.ask("DROP INDEX leanvibe_project_tenant IF EXISTS")


@contextmanager
def nothing(_graph: Graph) -> Iterator[None]:
    """Nothing is broken; what is declared is missing."""
    yield


FAULTS = (
    Fault("a long transaction", transaction, {"neo4j.transactions"}, {"thresholds": {"neo4j.transactions": {"degraded": 1}}}),
    Fault("a blocked transaction", blocked, {"neo4j.blocked_transactions"}, {"thresholds": {"neo4j.blocked_transactions": {"degraded": 1}}}),
    Fault("an index that failed", failed_index, {"neo4j.indexes"}),
    Fault("tenants without their constraint", constraint_gone, {"neo4j.constraints"}),
    Fault("a constraint that is missing", nothing, {"neo4j.constraints"}, {"options": {"constraints": ["hc_missing"]}}),
    Fault("an index that is missing", nothing, {"neo4j.constraints"}, {"options": {"indexes": ["hc_missing"]}}),
    Fault("more files than a lowered limit", nothing, {"neo4j.open_files"}, {"thresholds": {"neo4j.open_files": {"degraded": 0}}}),
)


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_fault_is_found_and_nothing_else(graphs: dict[str, Graph], fault: Fault, catalogue: Any) -> None:
    with fault.make(graphs[WEST]):
        items = seen(graphs, WEST, **fault.arguments)
        bad = [item for item in items if item["verdict"] not in ("ok", "skipped")]
        catalogue.judge(f"neo4j: {fault.name}", fault.may, {name for name, _region in wrong(items)}, bad)
        assert set(wrong(items).values()) <= {"degraded", "critical"}
        assert "xxxx" not in str(items)
    assert wrong(seen(graphs, WEST)) == {}
    assert graphs[WEST].ask("MATCH (n) WHERE n:HcNode OR n:HcLong RETURN n") == []


def test_a_wrong_password_is_unknown(graphs: dict[str, Graph]) -> None:
    run = look("neo4j", WEST, {**graphs[WEST].connection, "password": "wrong-and-nowhere-else"})
    assert {item["verdict"] for item in run.items} == {"unknown"}
    assert "refuses our name and password" in run.items[0]["message"]


def test_a_paused_graph_costs_its_time_out_once(graphs: dict[str, Graph], run_playbook: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    fault = {"component": "neo4j", "region": WEST}
    try:
        assert run_playbook("sandbox_fault", extra_vars={**fault, "fault": "pause"}).returncode == 0
        began = time.monotonic()
        run = look("neo4j", WEST, graphs[WEST].connection)
        assert {item["verdict"] for item in run.items} == {"unknown"}
        assert time.monotonic() - began < 6
    finally:
        assert run_playbook("sandbox_fault", extra_vars={**fault, "fault": "resume"}).returncode == 0
    eventually(lambda: wrong(seen(graphs, WEST)) == {}, "health after the pause", 60)


def test_the_inventory_s_declarations_are_taken(checkout: Path, ansible_env: dict[str, str]) -> None:
    """The module through Ansible, with the inventory's connection."""
    arguments = "region={{ leanvibe_ops_region }} connection={{ leanvibe_ops_neo4j }} only=neo4j.up,neo4j.databases"
    command = ["ansible", "neo4j", "-i", "inventories/sandbox", "-m", "leanvibe.ops.health_neo4j", "-a", arguments]
    done = subprocess.run(command, cwd=checkout, env=ansible_env, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("verdict: ok") == 4
