# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend service on the real systems: tenants apart, faults survived, the heartbeat replicated; monitoring sees it; traffic comes and goes."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
from websockets.sync.client import connect

pytestmark = pytest.mark.sandbox
REGIONS = ("us-east-1", "us-west-2")
TENANTS = ("backend-test-one", "backend-test-two")
PASSWORD = "correct horse"
CHECKS = ("db", "cache", "graph", "worker", "billing")


def until(question: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


@pytest.fixture
def superuser(sandbox: dict[str, Any], credentials: dict[str, Any]) -> Callable[[str], psycopg.Connection[Any]]:
    """``superuser(region)``: a connection to that region's server that sees everything."""

    def open_one(region: str) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="localhost", port=sandbox["regions"][region]["postgresql"]["port"], dbname="leanvibe", user="postgres",
            password=credentials["postgresql"]["postgres"], sslmode="verify-full", sslrootcert=sandbox["ca_file"], autocommit=True,
        )  # fmt: skip

    return open_one


@pytest.fixture
def tenants(superuser: Callable[[str], psycopg.Connection[Any]]) -> Iterator[tuple[str, ...]]:
    """Two tenants of the shared tables and nothing else, gone afterwards."""

    def remove(connection: psycopg.Connection[Any]) -> None:
        for table in ("projects", "users", "tenants"):
            connection.execute(psycopg.sql.SQL("DELETE FROM leanvibe.{} WHERE tenant_id = ANY(%s)").format(psycopg.sql.Identifier(table)), (list(TENANTS),))

    with superuser("us-east-1") as connection:
        remove(connection)
        for tenant in TENANTS:
            connection.execute(
                "INSERT INTO leanvibe.tenants (tenant_id, name, tier, region, state) VALUES (%s, %s, 'team', 'us-east-1', 'active')", (tenant,) * 2
            )
        yield TENANTS
        remove(connection)


class Api:
    """A region's API as its users see it."""

    def __init__(self, sandbox: dict[str, Any], credentials: dict[str, Any], region: str) -> None:
        self.url = sandbox["regions"][region]["backend"]["url"]
        self.secrets = credentials["backend"]
        self.client = httpx.Client(base_url=self.url, timeout=15, trust_env=False)

    def sign_in(self, **body: str) -> dict[str, str]:
        answer = self.client.post("/api/v1/sign-in", json=body)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['token']}"}

    def platform(self, account: str) -> dict[str, str]:
        return self.sign_in(account=account, password=self.secrets[account])

    def user(self, tenant: str) -> dict[str, str]:
        body = {"display_name": "Tester", "password": PASSWORD}
        made = self.client.put(f"/api/v1/tenants/{tenant}/accounts/t@example.com", headers=self.platform("provisioner"), json=body)
        assert made.status_code == 200, made.text
        return self.sign_in(tenant=tenant, email="t@example.com", password=PASSWORD)


@pytest.fixture
def api(sandbox: dict[str, Any], credentials: dict[str, Any]) -> Callable[[str], Api]:
    return lambda region: Api(sandbox, credentials, region)


@pytest.mark.parametrize("region", REGIONS)
def test_everything_that_the_service_needs_answers_it(box: Any, api: Callable[[str], Api], region: str) -> None:
    found = api(region)
    assert found.client.get("/health").json()["region"] == region
    for name in CHECKS:
        assert until(lambda name=name: found.client.get(f"/health/{name}").status_code == 200), found.client.get(f"/health/{name}").text
    assert found.client.get("/health/db").json()["role"] == "leanvibe_app"


@pytest.mark.parametrize("region", REGIONS)
def test_two_tenants_at_once_never_see_each_other(box: Any, api: Callable[[str], Api], tenants: tuple[str, ...], region: str) -> None:
    found = api(region)
    tokens = {tenant: found.user(tenant) for tenant in tenants}
    for tenant in tenants:
        for number in range(3):
            made = found.client.post(f"/api/v1/tenants/{tenant}/projects", headers=tokens[tenant], json={"name": f"{tenant} {number}"})
            assert made.status_code == 201, made.text

    def read(number: int) -> tuple[str, set[str]]:
        tenant = tenants[number % 2]
        answer = found.client.get(f"/api/v1/tenants/{tenant}/projects", headers=tokens[tenant])
        assert answer.status_code == 200, answer.text
        return tenant, {project["name"] for project in answer.json()["projects"]}

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(read, range(80)))
    assert all(names == {f"{tenant} {number}" for number in range(3)} for tenant, names in answers)
    one, two = tenants
    assert found.client.get(f"/api/v1/tenants/{two}/projects", headers=tokens[one]).status_code == 403
    assert found.client.get(f"/api/v1/tenants/{two}/projects", headers=tokens[one] | {"X-Tenant-ID": two}).status_code == 403
    assert found.client.get(f"/api/v1/tenants/{two}/projects").status_code == 401
    assert found.client.get(f"/api/v1/tenants/{two}/projects", headers=found.platform("probe")).status_code == 403
    project = found.client.get(f"/api/v1/tenants/{two}/projects", headers=tokens[two]).json()["projects"][0]["project_id"]
    # Under its own tenant another's project is not there, whatever its number.
    assert found.client.get(f"/api/v1/tenants/{one}/projects/{project}", headers=tokens[one]).status_code == 404
    assert found.client.delete(f"/api/v1/tenants/{one}/projects/{project}", headers=tokens[one]).status_code == 404


@pytest.mark.parametrize("region", REGIONS)
def test_a_job_is_done_for_its_tenant_and_told(box: Any, api: Callable[[str], Api], tenants: tuple[str, ...], region: str) -> None:
    found = api(region)
    token = found.user(tenants[0])
    path = f"/api/v1/tenants/{tenants[0]}"
    found.client.post(f"{path}/projects", headers=token, json={"name": "counted"})
    job = found.client.post(f"{path}/jobs", headers=token).json()["id"]
    assert until(lambda: found.client.get(f"{path}/jobs/{job}", headers=token).json()["state"] != "waiting")
    done = found.client.get(f"{path}/jobs/{job}", headers=token).json()
    assert (done["state"], done["result"]) == ("done", {"projects": 1})
    assert found.client.get(f"{path}/jobs/{uuid.uuid4()}", headers=token).status_code == 404


def test_the_websocket_answers_who_has_a_token(box: Any, api: Callable[[str], Api], tenants: tuple[str, ...]) -> None:
    found = api("us-east-1")
    token = found.user(tenants[0])["Authorization"].split()[1]
    with connect(found.url.replace("http", "ws") + "/ws", open_timeout=10) as opened:
        opened.send(json.dumps({"token": token}))
        assert json.loads(opened.recv(timeout=10)) == {"type": "ready", "tenant": tenants[0]}
        opened.send(json.dumps({"type": "ping"}))
        assert json.loads(opened.recv(timeout=10))["type"] == "pong"


def test_the_heartbeat_of_both_regions_reaches_the_standby(box: Any, superuser: Callable[[str], psycopg.Connection[Any]]) -> None:
    def beats(region: str) -> dict[str, int]:
        with superuser(region) as connection:
            return dict(connection.execute("SELECT region, sequence FROM leanvibe_private.heartbeat").fetchall())

    assert until(lambda: set(beats("us-west-2")) == set(REGIONS))
    before = beats("us-east-1")
    assert until(lambda: all(beats("us-west-2")[region] > before[region] for region in REGIONS))


@pytest.mark.faults(sample=2)
@pytest.mark.parametrize(("component", "fault", "check"), [
    ("pgbouncer_front", "cut", "db"), ("pgbouncer", "pause", "db"), ("redis_front", "cut", "cache"), ("redis", "pause", "cache"),
    ("neo4j_front", "cut", "graph"), ("neo4j", "pause", "graph"), ("postgresql", "pause", "db"),
])  # fmt: skip
def test_what_is_away_is_told_in_time_and_the_rest_goes_on(box: Any, api: Callable[[str], Api], component: str, fault: str, check: str) -> None:
    found = api("us-east-1")
    pid = box.component("backend", "us-east-1")["pid"]
    assert until(lambda: found.client.get(f"/health/{check}").status_code == 200)
    box.fault(component, "us-east-1", fault)
    try:
        began = time.monotonic()
        assert found.client.get(f"/health/{check}").status_code == 503
        assert time.monotonic() - began < 9
        assert found.client.get("/health").status_code == 200
        assert box.component("backend", "us-east-1")["state"] == "running"
    finally:
        box.fault(component, "us-east-1", "heal" if fault == "cut" else "resume")
    assert until(lambda: found.client.get(f"/health/{check}").status_code == 200)
    assert box.component("backend", "us-east-1")["pid"] == pid


def test_a_slow_front_makes_the_api_slow(box: Any, api: Callable[[str], Api]) -> None:
    found = api("us-west-2")
    found.client.get("/health")
    box.fault("backend", "us-west-2", "slow", latency_ms=600)
    began = time.monotonic()
    assert found.client.get("/health").status_code == 200
    assert time.monotonic() - began >= 0.6
    box.fault("backend", "us-west-2", "heal")


def query(sandbox: dict[str, Any], region: str, expression: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{sandbox['regions'][region]['prometheus']['url']}/api/v1/query", params={"query": expression}, timeout=10, trust_env=False)
    return list(answer.json()["data"]["result"])


@pytest.mark.parametrize("region", REGIONS)
def test_prometheus_reaches_all_its_targets_and_alertmanager_hears_it(box: Any, sandbox: dict[str, Any], region: str) -> None:
    assert until(lambda: {sample["value"][1] for sample in query(sandbox, region, "up")} == {"1"}), query(sandbox, region, "up == 0")
    assert len(query(sandbox, region, "up")) == 7
    for name in ("pg_up", "redis_up"):
        assert until(lambda name=name: [sample["value"][1] for sample in query(sandbox, region, name)] == ["1"]), name
    assert until(lambda: bool(query(sandbox, region, "node_load1")))

    def heard() -> set[str]:
        answer = httpx.get(f"{sandbox['regions'][region]['alertmanager']['url']}/api/v2/alerts", timeout=10, trust_env=False)
        return {alert["labels"]["alertname"] for alert in answer.json()}

    assert until(lambda: "Watchdog" in heard(), 30)
    assert until(lambda: heard() == {"Watchdog"}, 60), heard()


def test_a_dead_target_raises_its_alert(box: Any, sandbox: dict[str, Any]) -> None:
    box.fault("redis_exporter", "us-west-2", "kill")
    expression = 'ALERTS{alertname="TargetDown",alertstate="firing",job="redis_exporter"}'
    assert until(lambda: bool(query(sandbox, "us-west-2", expression)), 60)


def test_traffic_comes_and_goes(box: Any, sandbox: dict[str, Any], tenants: tuple[str, ...], superuser: Callable[[str], psycopg.Connection[Any]]) -> None:
    from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox import operations

    def users() -> set[str]:
        with superuser("us-east-1") as connection:
            return {row[0] for row in connection.execute("SELECT tenant_id FROM leanvibe.users WHERE email = 'traffic@sandbox.invalid'").fetchall()}

    done = operations.start({**box.parameters, "traffic": True, "traffic_tenants": [*tenants, "nobody-there"]}, False)["done"]
    assert "traffic: started" in done
    assert box.component("traffic", None)["state"] == "running"
    assert operations.start({**box.parameters, "traffic": True, "traffic_tenants": [*tenants, "nobody-there"]}, False)["done"] == []
    address = box.component("traffic", None)["address"]

    def steps(outcome: str) -> dict[str, float]:
        lines = httpx.get(f"{address}/metrics", timeout=10, trust_env=False).text.splitlines()
        wanted = [line for line in lines if line.startswith("leanvibe_traffic_steps_total{") and f'outcome="{outcome}"' in line]
        return {line.partition("}")[0]: float(line.rpartition(" ")[2]) for line in wanted}

    assert until(lambda: sum(steps("ok").values()) > 40, 60), steps("ok")
    assert steps("failed") == {}
    assert users() == set(tenants)
    done = box.up()["done"]
    assert any(line.startswith("traffic: stopped") for line in done), done
    assert "traffic" not in box.processes()
    assert users() == set()
    assert [item for item in box.status()["components"] if item["component"] == "traffic"] == []
