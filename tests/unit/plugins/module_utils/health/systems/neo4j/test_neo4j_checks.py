# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Neo4j: each check on a graph that is well, degraded, critical, says nothing, and refuses; and what Community does not tell."""

from __future__ import annotations

import datetime as dt
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.neo4j import Neo4jClient, connect
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import AccessDenied, Unreachable
from ansible_collections.leanvibe.ops.plugins.module_utils.health.comparisons import compare
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.runner import Limits, Link, Selection, run_checks
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.neo4j import CHECKS, COMPARISONS
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.neo4j.certificate import address, shown
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.systems.neo4j_community import RULES
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).resolve().parents[7]
MIB = 1024 * 1024
ENTERPRISE_ONLY = {"neo4j.cluster", "neo4j.replication_lag", "neo4j.failed_transactions", "neo4j.page_cache", "neo4j.checkpoints"}


def attribute(value: Any) -> dict[str, Any]:
    return {"description": "", "value": value}


def composite(**values: Any) -> dict[str, Any]:
    return attribute({"description": "", "properties": values})


def pool(used: float, after: float, limit: float = 400 * MIB, committed: float = 300 * MIB) -> dict[str, Any]:
    return {
        "name": "java.lang:type=MemoryPool,name=Tenured Gen",
        "attributes": {
            "Usage": composite(used=used, max=limit, committed=committed),
            "CollectionUsage": composite(used=after, max=limit, committed=committed),
        },
    }


def process(files: float = 300) -> dict[str, Any]:
    attributes = {"OpenFileDescriptorCount": attribute(files), "MaxFileDescriptorCount": attribute(1000), "Name": attribute("Linux")}
    return {"name": "java.lang:type=OperatingSystem", "attributes": attributes}


def database(name: str, **change: Any) -> dict[str, Any]:
    usual = {"name": name, "address": "localhost:7687", "requestedStatus": "online", "currentStatus": "online", "statusMessage": "", "access": "read-write"}
    return {**usual, "replicationLag": 0, **change}


def index(name: str, **change: Any) -> dict[str, Any]:
    return {"name": name, "state": "ONLINE", "populationPercent": 100.0, "type": "RANGE", "failureMessage": "", "owningConstraint": None, **change}


def transaction(took: float, status: str = "Running", ours: bool = False) -> dict[str, Any]:
    return {"id": "neo4j-transaction-7", "database": "neo4j", "username": "app", "status": status, "took": took * 1000, "ours": ours}


def metric(name: str, value: float, kind: str = "Value") -> dict[str, Any]:
    return {"name": f"neo4j.metrics:name={name}", "attributes": {kind: attribute(value)}}


METRICS = [
    metric("neo4j.dbms.page_cache.hit_ratio", 0.999),
    metric("neo4j.database.neo4j.check_point.duration", 1500),
    metric("neo4j.database.neo4j.transaction.committed_write", 1000, "Count"),
    metric("neo4j.database.neo4j.transaction.rollbacks_write", 10, "Count"),
]


class Graph(Neo4jClient):
    """Answers by the beginning of a statement."""

    def __init__(self, edition: str = "community", **change: Any) -> None:
        self.where, self.database, self.tls = "Neo4j test", "neo4j", None
        self.requests = 0
        self.off = 0.0
        self.refused = self.broken = False
        self.answers = {
            "CALL dbms.components": [{"name": "Neo4j Kernel", "version": "5.26.12", "edition": edition}],
            "SHOW SETTINGS": [{"value": "true"}],
            "RETURN 1": [{"one": 1}],
            "SHOW DATABASES": [database("neo4j"), database("system")],
            "SHOW SERVERS": [{"name": "a", "address": "a:7687", "state": "Enabled", "health": "Available"}],
            "SHOW TRANSACTIONS": [transaction(0, ours=True)],
            "SHOW INDEXES": [index("token"), *(index(rule.name) for rule in RULES)],
            "MATCH (t:Tenant)": [{"tenants": 2}],
            "SHOW CONSTRAINTS": [{"name": rule.name} for rule in RULES if rule.kind == "UNIQUENESS"],
            "CALL dbms.queryJmx('java": [pool(200 * MIB, 100 * MIB), process()],
            "CALL dbms.queryJmx('neo4j": METRICS if edition == "enterprise" else [],
            **change,
        }

    def rows(self, statement: str, database: str | None = None, /, **parameters: Any) -> list[dict[str, Any]]:  # type: ignore[override]
        self.requests += 1
        if self.refused:
            raise AccessDenied(f"Neo4j test refuses `{statement[:20]}`")
        if self.broken:
            return []
        if statement.startswith("RETURN datetime"):
            return [{"now": int((time.time() + self.off) * 1000)}]
        return next(answer for begin, answer in self.answers.items() if statement.startswith(begin))


def look(graph: Graph, *only: str, **options: Any) -> Run:
    link = Link(connect=lambda _seconds: graph, answers=lambda _client, _seconds: None, close=lambda _client: None)
    return run_checks(CHECKS, link, system="neo4j", region="us-east-1", selection=Selection(only=only), limits=Limits(), options=options)


def wrong(run: Run) -> dict[str, str]:
    return {item["id"]: item["verdict"] for item in run.items if item["verdict"] not in ("ok", "skipped")}


def item_of(run: Run, name: str) -> dict[str, Any]:
    found = [item for item in run.items if item["id"] == name]
    assert len(found) == 1, found
    return found[0]


def test_community_that_is_well_is_well_and_what_it_does_not_tell_is_skipped() -> None:
    run = look(Graph())
    assert wrong(run) == {}
    skipped = {item["id"]: item["message"] for item in run.items if item["verdict"] == "skipped"}
    assert set(skipped) == ENTERPRISE_ONLY | {"neo4j.certificate"}
    assert all("Community" in skipped[name] for name in ENTERPRISE_ONLY)


def test_enterprise_that_is_well_is_well() -> None:
    run = look(Graph("enterprise"), counters_before={"committed_write": 0, "rollbacks_write": 0})
    assert wrong(run) == {}
    assert {item["id"] for item in run.items if item["verdict"] == "skipped"} == {"neo4j.certificate"}


FAULTS: dict[str, tuple[Graph, dict[str, str]]] = {
    "authentication off": (Graph(**{"SHOW SETTINGS": [{"value": "false"}]}), {"neo4j.authentication": "critical"}),
    "database offline": (
        Graph(**{"SHOW DATABASES": [database("neo4j", currentStatus="offline", statusMessage="disk full"), database("system")]}),
        {"neo4j.databases": "critical"},
    ),
    "database read-only": (Graph(**{"SHOW DATABASES": [database("neo4j", access="read-only"), database("system")]}), {"neo4j.databases": "degraded"}),
    "database gone": (Graph(**{"SHOW DATABASES": [database("system")]}), {"neo4j.databases": "critical"}),
    "long transaction": (Graph(**{"SHOW TRANSACTIONS": [transaction(90)]}), {"neo4j.transactions": "degraded"}),
    "very long transaction": (Graph(**{"SHOW TRANSACTIONS": [transaction(5), transaction(700)]}), {"neo4j.transactions": "critical"}),
    "blocked": (Graph(**{"SHOW TRANSACTIONS": [transaction(20, "Blocked by: [x]")]}), {"neo4j.blocked_transactions": "degraded"}),
    "index failed": (
        Graph(**{"SHOW INDEXES": [index("hc", state="FAILED", failureMessage="too long\n\tat org.neo4j"), *(index(rule.name) for rule in RULES)]}),
        {"neo4j.indexes": "critical"},
    ),
    "index being filled": (
        Graph(**{"SHOW INDEXES": [index("hc", state="POPULATING", populationPercent=40), *(index(rule.name) for rule in RULES)]}),
        {"neo4j.indexes": "degraded"},
    ),
    "constraint missing": (Graph(**{"SHOW CONSTRAINTS": []}), {"neo4j.constraints": "critical"}),
    "index missing": (Graph(**{"SHOW INDEXES": [index(RULES[0].name)]}), {"neo4j.constraints": "degraded"}),
    "heap": (Graph(**{"CALL dbms.queryJmx('java": [pool(390 * MIB, 330 * MIB), process()]}), {"neo4j.heap": "degraded"}),
    "heap full": (Graph(**{"CALL dbms.queryJmx('java": [pool(399 * MIB, 390 * MIB), process()]}), {"neo4j.heap": "critical"}),
    "files": (Graph(**{"CALL dbms.queryJmx('java": [pool(1, 1), process(850)]}), {"neo4j.open_files": "degraded"}),
    "no files left": (Graph(**{"CALL dbms.queryJmx('java": [pool(1, 1), process(990)]}), {"neo4j.open_files": "critical"}),
    "server gone": (
        Graph("enterprise", **{"SHOW SERVERS": [{"name": "a", "address": "a:1", "state": "Enabled", "health": "Unavailable"}]}),
        {"neo4j.cluster": "critical"},
    ),
    "server cordoned": (
        Graph("enterprise", **{"SHOW SERVERS": [{"name": "a", "address": "a:1", "state": "Cordoned", "health": "Available"}]}),
        {"neo4j.cluster": "degraded"},
    ),
    "copy behind": (
        Graph("enterprise", **{"SHOW DATABASES": [database("neo4j", replicationLag=-2000), database("system")]}),
        {"neo4j.replication_lag": "degraded"},
    ),
    "page cache": (
        Graph("enterprise", **{"CALL dbms.queryJmx('neo4j": [metric("x.page_cache.hit_ratio", 0.95), *METRICS[1:]]}),
        {"neo4j.page_cache": "degraded"},
    ),
    "slow checkpoints": (
        Graph("enterprise", **{"CALL dbms.queryJmx('neo4j": [METRICS[0], metric("x.check_point.duration", 1e6), *METRICS[2:]]}),
        {"neo4j.checkpoints": "critical"},
    ),
    "metrics off": (
        Graph("enterprise", **{"CALL dbms.queryJmx('neo4j": []}),
        {"neo4j.page_cache": "unknown", "neo4j.checkpoints": "unknown", "neo4j.failed_transactions": "unknown"},
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_nothing_else(name: str) -> None:
    graph, expected = FAULTS[name]
    assert wrong(look(graph)) == expected


def test_memory_that_waits_to_be_collected_is_not_taken_for_used() -> None:
    assert item_of(look(Graph(**{"CALL dbms.queryJmx('java": [pool(399 * MIB, 50 * MIB), process()]})), "neo4j.heap")["observed"] == 12.5
    young = item_of(look(Graph(**{"CALL dbms.queryJmx('java": [pool(100 * MIB, 0, committed=0), process()]})), "neo4j.heap")
    assert (young["verdict"], young["observed"]) == ("ok", None)
    assert "not been collected yet" in young["message"]
    assert wrong(look(Graph(**{"CALL dbms.queryJmx('java": [process()]}), "neo4j.heap")) == {"neo4j.heap": "unknown"}


def test_the_failure_of_an_index_shows_no_values_but_its_first_line() -> None:
    run = look(
        Graph(**{"SHOW INDEXES": [index("hc", state="FAILED", failureMessage="Property value is too large. Note that secret-value\nat x")]}), "neo4j.indexes"
    )
    assert item_of(run, "neo4j.indexes")["subject"] == "us-east-1/neo4j/hc"
    assert "secret-value" not in str(run.items)


def test_more_names_may_be_declared_and_ours_are_wanted_where_there_are_tenants() -> None:
    assert wrong(look(Graph(), "neo4j.constraints", constraints=["hc_more"])) == {"neo4j.constraints": "critical"}
    nobody = {"MATCH (t:Tenant)": [{"tenants": 0}], "SHOW CONSTRAINTS": [], "SHOW INDEXES": []}
    assert wrong(look(Graph(**nobody), "neo4j.constraints")) == {}
    assert wrong(look(Graph("enterprise", **nobody), "neo4j.constraints")) == {}


def test_failed_transactions_are_a_share_between_two_readings() -> None:
    first = look(Graph("enterprise"))
    assert item_of(first, "neo4j.failed_transactions")["verdict"] == "skipped"
    assert first.facts["counters"] == {"committed_write": 1000, "rollbacks_write": 10}
    few = item_of(
        look(Graph("enterprise"), "neo4j.failed_transactions", counters_before={"committed_write": 990, "rollbacks_write": 9}), "neo4j.failed_transactions"
    )
    assert (few["verdict"], few["observed"], "1 of 11" in few["message"]) == ("skipped", None, True)
    for before, expected in (
        ({"committed_write": 960, "rollbacks_write": 0}, {"neo4j.failed_transactions": "degraded"}),
        ({"committed_write": 995, "rollbacks_write": -15}, {"neo4j.failed_transactions": "critical"}),
        ({"committed_write": 2000, "rollbacks_write": 0}, {}),
    ):
        assert wrong(look(Graph("enterprise"), counters_before=before)) == expected


def test_a_clock_that_is_off() -> None:
    for off, verdict in ((0.0, "ok"), (-2.5, "degraded"), (40.0, "critical")):
        graph = Graph()
        graph.off = off
        assert item_of(look(graph, "neo4j.clock"), "neo4j.clock")["verdict"] == verdict


NO_ROWS_ARE_AN_ANSWER = {"neo4j.transactions", "neo4j.blocked_transactions", "neo4j.indexes", "neo4j.certificate"}


@pytest.mark.parametrize("check", [check for check in CHECKS if check.id not in NO_ROWS_ARE_AN_ANSWER], ids=lambda check: check.id)
def test_nothing_in_the_answers_is_never_ok(check: Any) -> None:
    graph = Graph()
    graph.broken = True
    assert "ok" not in {item["verdict"] for item in look(graph, check.id).items}


@pytest.mark.parametrize("check", [check for check in CHECKS if check.id != "neo4j.certificate"], ids=lambda check: check.id)
def test_a_missing_right_is_named(check: Any) -> None:
    graph = Graph()
    graph.refused = True
    run = look(graph, check.id)
    assert [item["verdict"] for item in run.items] == ["unknown"]
    assert "a right is missing" in run.items[0]["message"]
    assert all(grant in run.items[0]["message"] for grant in check.grants)


def test_all_rights_that_checks_name_are_in_the_runbook_s_role() -> None:
    role = (ROOT / "docs/runbooks/neo4j.md").read_text(encoding="utf-8").partition("## rights")[2].partition("## options")[0].replace("TO health", "TO <role>")
    granted = {line.strip().rstrip(";") for line in role.splitlines() if line.startswith("GRANT")}
    assert {grant for check in CHECKS for grant in check.grants} == granted - {"GRANT ACCESS ON DATABASE * TO <role>"}


def test_every_check_has_its_chapter_in_the_runbook() -> None:
    chapters = set(re.findall(r"^## (\S+)$", (ROOT / "docs/runbooks/neo4j.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert {about.runbook for about in (*CHECKS, *COMPARISONS)} <= {f"runbooks/neo4j.md#{chapter}" for chapter in chapters}


def test_versions_are_compared() -> None:
    runs = []
    for region, version in (("us-east-1", "5.26.12"), ("us-west-2", "5.26.1")):
        run = look(Graph(**{"CALL dbms.components": [{"name": "Neo4j Kernel", "version": version, "edition": "community"}]}))
        runs.append(Run("neo4j", region, run.items, run.checks, run.facts))
    for sides, verdict in ((runs, "degraded"), ([runs[0], Run("neo4j", "us-west-2", facts=runs[0].facts)], "ok")):
        items, _done = compare(COMPARISONS, sides, {"neo4j": ["us-east-1", "us-west-2"]})
        assert [(item["subject"], item["verdict"]) for item in items] == [("us-west-2/neo4j", verdict)]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("neo4j+s://graph.example.com", ("graph.example.com", 7687)),
        ("bolt+s://graph:1234/?x=1", ("graph", 1234)),
        ("bolt://[::1]:99", ("::1", 99)),
        ("bolt://[::1]", ("::1", 7687)),
    ],
)
def test_addresses(uri: str, expected: tuple[str, int]) -> None:
    assert address(uri) == expected


def certificate_for(folder: Path, days: float) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=90))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "pair.pem").write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return folder / "pair.pem"


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A TLS server whose certificate holds for so many days: its address, and the file that accepts it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_for(tmp_path, request.param))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            plain, _address = listener.accept()
            try:
                with context.wrap_socket(plain, server_side=True) as stream:
                    stream.recv(1)
            except OSError:
                plain.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"bolt+s://localhost:{listener.getsockname()[1]}", str(tmp_path / "ca.pem")
        thread.join(5)


@pytest.mark.parametrize(("server", "verdict"), [(60, "ok"), (20, "degraded"), (3, "critical"), (-1, "critical")], indirect=["server"])
def test_days_to_the_end_of_a_certificate(server: tuple[str, str], verdict: str) -> None:
    graph = Graph()
    graph.tls = server
    item = item_of(look(graph, "neo4j.certificate"), "neo4j.certificate")
    assert item["verdict"] == verdict, item


def test_a_server_without_tls_is_unreachable_for_its_certificate() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        uri = f"bolt+s://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(Unreachable, match="did not show its certificate"):
            shown(uri, None, 0.2)


def test_a_client_knows_whether_it_uses_tls(tmp_path: Path) -> None:
    certificate_for(tmp_path, 10)
    assert connect({"uri": "bolt://localhost:1", "password": "x"}, 1).tls is None
    assert connect({"uri": "bolt+s://localhost:1", "password": "x"}, 1).tls == ("bolt+s://localhost:1", None)
    ca_file = str(tmp_path / "ca.pem")
    assert connect({"uri": "neo4j+s://localhost:1", "password": "x", "ca_file": ca_file}, 1).tls == ("neo4j://localhost:1", ca_file)
