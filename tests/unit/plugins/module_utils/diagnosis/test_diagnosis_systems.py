# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis makes of the answers of Redis, Prometheus, Kubernetes and the object store, and how shares are told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients import object_store as client
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.web import Answer
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.diagnosis import kubernetes, monitoring, network, object_store, redis
from ansible_collections.leanvibe.ops.plugins.module_utils.diagnosis.shares import HALF, selected, shares
from ansible_collections.leanvibe.ops.plugins.module_utils.health.model import Check, Finding, NoData, NotApplicable, Session
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import item
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.kubernetes.cluster import Space
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.monitoring.server import Server
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.object_store import drivers
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.redis.node import Info

ABOUT: Check[Any] = Check(id="redis.x", question="?", system="redis", query="q", runbook="r", threshold=HALF, run=lambda _session: [])


def told(findings: Sequence[Finding]) -> list[tuple[str, str, Any]]:
    """As the report has it: what, verdict, value."""
    made = [item(ABOUT, finding, "here/redis") for finding in findings]
    return [(one["subject"].removeprefix("here/redis").strip("/"), one["verdict"], one["observed"]) for one in made]


def of(check: Check[Any], client: Any, **options: Any) -> tuple[list[tuple[str, str, Any]], Session[Any]]:
    """What a check finds with a client, judged by its own threshold."""
    session: Session[Any] = Session(client, check.system, "here", options)
    found = [item(check, finding, "here") for finding in check.run(session)]
    return [(one["subject"].removeprefix("here").strip("/"), one["verdict"], one["observed"]) for one in found], session


def named(checks: Sequence[Check[Any]], name: str) -> Check[Any]:
    return next(check for check in checks if check.id == name)


# Shares


def share(taken: Mapping[str, float], whole: float, tenant: str = "", judged_from: float = 10) -> list[Finding]:
    return shares(taken, whole, tenant=tenant, judged_from=judged_from, words=lambda value: f"{value:g}", what="of it")


def test_the_biggest_tenants_are_told_first_and_no_more_than_five() -> None:
    taken = {f"t{number}": float(number) for number in range(1, 8)}
    assert told(share(taken, 28)) == [(f"tenant/t{number}", "ok", round(100 * number / 28, 2)) for number in (7, 6, 5, 4, 3)]


@pytest.mark.parametrize(("value", "verdict"), [(49.9, "ok"), (50.0, "degraded"), (100.0, "degraded")])
def test_half_of_what_all_share_is_too_much(value: float, verdict: str) -> None:
    assert told(share({"a": value}, 100)) == [("tenant/a", verdict, value)]


def test_a_big_share_of_little_is_fine() -> None:
    assert told(share({"a": 9.0}, 9.0)) == [("tenant/a", "ok", 100)]


def test_the_diagnosed_tenant_alone_is_told_even_if_it_takes_nothing() -> None:
    (found,) = share({"a": 60.0, "b": 30.0}, 100, tenant="b")
    assert (found.observed, found.tenants, found.message) == (30.0, ("b",), "b: 30 of 100 of it; number 2 of 2 tenants that take any")
    (found,) = share({"a": 60.0, "b": 30.0}, 100, tenant="c")
    assert (found.observed, found.message) == (0.0, "c: 0 of 100 of it; none; 2 other tenants take some")


def test_nothing_taken_and_nobody_taking_are_said() -> None:
    assert [one.message for one in share({}, 0)] == ["nothing at all is taken of it"]
    assert [one.message for one in share({}, 5)] == ["no tenant takes any of 5 of it"]
    assert told(share({}, 0)) == told(share({}, 5)) == [("", "ok", 0)]


# Redis

STATS = "# Commandstats\r\ncmdstat_get:calls=100,usec=2000000,usec_per_call=1\r\ncmdstat_config|get:calls=2,usec=500,usec_per_call=1\r\n"
REDIS_NOW = {"at": 10_000.0, "run_id": "r1", "uptime": 7200.0, "commands": {"get": [100.0, 720.0], "set": [10.0, 7.2]}}


def test_commandstats_are_read() -> None:
    assert redis.commands(STATS) == {"get": (100.0, 2.0), "config|get": (2.0, 0.0005)}
    with pytest.raises(NoData, match="no command"):
        redis.commands("# Commandstats\r\n")


def redis_before(**change: Any) -> dict[str, Any]:
    return {"at": 10_000.0 - 600, "run_id": "r1", "commands": {"get": [50.0, 700.0]}, **change}


def test_commands_are_measured_since_the_last_run() -> None:
    assert redis.spending(REDIS_NOW, redis_before()) == ({"get": (50.0, 20.0), "set": (10.0, 7.2)}, 600.0, "since the last run 10 min ago")


@pytest.mark.parametrize("before", [None, {}, redis_before(run_id="r2"), redis_before(at=9_999.0), redis_before(commands={"get": [200.0, 1.0]})])
def test_commands_of_another_life_are_not_compared(before: Any) -> None:
    up, seconds, since = redis.spending(REDIS_NOW, before)
    assert (up["get"], seconds, since) == ((100.0, 720.0), 7200.0, "since its start 2.0 h ago")


class FakeNode:
    """Keys of one size each, in two pages."""

    def __init__(self, keys: Mapping[str, int | None], slow: Sequence[Any] = (), role: str = "master", stats: str = STATS) -> None:
        self.keys, self.slow, self.role, self.stats = dict(keys), slow, role, stats

    def info(self) -> Info:
        return Info(f"role:{self.role}\r\nserver_time_usec:10000000000\r\nrun_id:r1\r\nuptime_in_seconds:7200\r\n")

    def call(self, *command: str | int) -> Any:
        if command[0] == "SCAN":
            names = list(self.keys)
            return ["1", names[:2]] if command[1] == "0" else ["0", names[2:]]
        return self.stats if command[0] == "INFO" else self.slow

    def calls(self, commands: Sequence[Sequence[str | int]]) -> list[Any]:
        return [self.keys[str(command[2])] for command in commands]


def test_commands_that_take_a_tenth_of_the_thread_are_found_and_counters_left() -> None:
    stats = "cmdstat_get:calls=10,usec=720000000\r\ncmdstat_keys:calls=1,usec=72000000\r\ncmdstat_set:calls=1,usec=7\r\n"
    found, session = of(named(redis.IN_DEPTH, "redis.commands"), FakeNode({}, stats=stats))
    assert found == [("get", "degraded", 360.0), ("keys", "ok", 36.0)]
    assert session.facts["counters"]["commandstats"]["commands"]["keys"] == [1.0, 72.0]


def test_tenants_memory_is_added_up_over_all_pages() -> None:
    big = 100 * 2**20
    keys = {"tenant:a:1": big, "tenant:b:1": big // 4, "tenant:a:2": big, "leanvibe:x": big // 4, "tenant:c:gone": None, "tenant:Odd:1": 0}
    check = named(redis.IN_DEPTH, "redis.tenant_memory")
    assert of(check, FakeNode(keys))[0] == [("tenant/a", "degraded", 80.0), ("tenant/b", "ok", 10.0)]
    assert of(check, FakeNode(keys), diagnosed_tenant="b")[0] == [("tenant/b", "ok", 10.0)]
    with pytest.raises(NotApplicable, match="replica"):
        of(check, FakeNode(keys, role="slave"))


def test_a_scan_ends_in_time_and_says_that_it_is_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis, "MOST_KEYS", 2)
    session: Session[Any] = Session(FakeNode({"tenant:a:1": 1, "tenant:a:2": 1, "tenant:a:3": 1}), "redis", "here")
    (found,) = named(redis.IN_DEPTH, "redis.tenant_memory").run(session)
    assert found.message == "a: 2 B of 2 B in a sample of 2 keys; number 1 of 1 tenants that take any"


def test_slow_commands_are_added_up_by_name() -> None:
    slow = [[3, 9_990, 4_000_000, ["KEYS", "*"]], [2, 9_980, 8_000_000, ["keys", "x"]], [1, 9_970, 9_000_000, ["GET", "x"]], [0, 100, 10**9, ["KEYS", "*"]]]
    check = named(redis.IN_DEPTH, "redis.slow_commands")
    assert of(check, FakeNode({}, slow))[0] == [("GET", "ok", 9.0), ("KEYS", "degraded", 12.0)]
    assert of(check, FakeNode({}, slow[3:]))[0] == [("", "ok", 0)]


# Prometheus


class FakeWeb:
    """Answers every query with the same series."""

    def __init__(self, *series: tuple[Mapping[str, str], float], body: bytes = b"", content_type: str = "application/json") -> None:
        result = [{"metric": dict(labels), "value": [0, str(value)]} for labels, value in series]
        self.body = body or json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()
        self.content_type = content_type
        self.asked: list[tuple[str, str]] = []

    def request(self, method: str, path: str, body: object = None, token: str = "", login: object = None) -> Answer:
        self.asked.append((path, token))
        return Answer(f"{method} {path}", 200, self.body, {"content-type": self.content_type})


def server(web: FakeWeb) -> Server:
    return Server(web, "t0ken")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "limit"),
    [("cpu", 85), ("cpu_waiting", 20), ("memory", 90), ("disk_time", 80), ("disk_space", 90)],
)
def test_machines_are_judged_at_their_limits(name: str, limit: float) -> None:
    web = FakeWeb(({"instance": "a"}, limit - 0.1), ({"instance": "b"}, limit))
    found, _session = of(named(monitoring.IN_DEPTH, f"monitoring.{name}"), server(web))
    assert found == [("a", "ok", limit - 0.1), ("b", "degraded", limit)]
    assert [token for _path, token in web.asked] == ["t0ken"]


@pytest.mark.parametrize(
    ("web", "reason"),
    [(FakeWeb(), "no series"), (FakeWeb(body=b"<html>", content_type="text/html"), "text/html"), (FakeWeb(body=b'{"status":"error","error":"boom"}'), "boom")],
)
def test_no_answer_is_no_zero(web: FakeWeb, reason: str) -> None:
    with pytest.raises(NoData, match=reason):
        of(named(monitoring.IN_DEPTH, "monitoring.cpu"), server(web))


def test_routes_are_told_and_not_judged() -> None:
    web = FakeWeb(*(({"method": "GET", "route": f"/{number}"}, float(number)) for number in range(12)))
    found, _session = of(named(monitoring.IN_DEPTH, "monitoring.routes"), server(web))
    assert found == [(f"GET /{number}", "ok", float(number)) for number in range(11, 1, -1)]


def test_requests_of_tenants_are_shares() -> None:
    web = FakeWeb(({"tenant": "a"}, 9000.0), ({"tenant": "b"}, 1000.0))
    assert of(named(monitoring.IN_DEPTH, "monitoring.tenant_requests"), server(web))[0] == [("tenant/a", "degraded", 90.0), ("tenant/b", "ok", 10.0)]


def test_no_tenant_is_a_zero_only_where_the_application_is_heard_of() -> None:
    class Heard(FakeWeb):
        def request(self, method: str, path: str, body: object = None, token: str = "", login: object = None) -> Answer:
            return (FakeWeb(({}, 7.0)) if "count" in path else FakeWeb()).request(method, path)

    check = named(monitoring.IN_DEPTH, "monitoring.tenant_requests")
    assert of(check, server(Heard()))[0] == [("", "ok", 0)]
    with pytest.raises(NoData, match="no series"):
        of(check, server(FakeWeb()))


def test_the_way_is_the_median_of_what_was_measured() -> None:
    ticks = iter([0, 0.001, 1, 1.9, 2, 2.002, 3, 3.002, 4, 4.002, 5, 5.001, 6, 6.3])
    asked: list[str] = []
    check = network.round_trip("redis", lambda client: asked.append(client), "PING", clock=lambda: next(ticks))
    assert of(check, "node")[0] == [("", "ok", 2.0)]
    assert asked == ["node"] * 7
    slow = iter([number * 0.2 for number in range(14)])
    assert of(network.round_trip("redis", lambda _client: None, "PING", clock=lambda: next(slow)), "node")[0] == [("", "degraded", 200.0)]


# Kubernetes


def quota(namespace: str, **used: tuple[str, str]) -> dict[str, Any]:
    resources = {name.replace("_", "."): value for name, value in used.items()}
    status = {"hard": {name: hard for name, (_used, hard) in resources.items()}, "used": {name: used for name, (used, _hard) in resources.items()}}
    return {"metadata": {"namespace": namespace, "name": "q"}, "status": status}


class FakeCluster:
    """One list of quotas."""

    def __init__(self, *quotas: dict[str, Any]) -> None:
        self.quotas = quotas
        self.api = self

    def listed(self, resource: Any, shape: Any, **_more: Any) -> list[Any]:
        if resource.plural == "namespaces":
            return [Space(f"tenant-{name}", name) for name in "abc"] + [Space("kube-system")]
        return [shape(one) for one in self.quotas]


QUOTAS = FakeCluster(
    quota("tenant-a", requests_cpu=("9", "10"), pods=("5", "50")),
    quota("tenant-b", requests_cpu=("500m", "10"), pods=("0", "0")),
    quota("kube-system", requests_cpu=("90", "100")),
)


def test_tenants_reservations_are_shares_of_all_tenants() -> None:
    check = named(kubernetes.IN_DEPTH, "kubernetes.tenant_share")
    assert of(check, QUOTAS)[0] == [("tenant/a", "degraded", 94.74), ("tenant/b", "ok", 5.26)]
    idle = FakeCluster(quota("tenant-a", requests_cpu=("0", "10")))
    assert of(check, idle)[0] == [("", "ok", 0)]  # measured: nobody has reserved anything
    for nothing in (FakeCluster(), FakeCluster(quota("tenant-a", pods=("1", "5")))):
        with pytest.raises(NotApplicable, match=r"no tenant has a quota of requests\.cpu here"):
            of(check, nothing)


def test_a_tenants_own_quota_is_told_fullest_first_in_the_clusters_words() -> None:
    check = named(kubernetes.IN_DEPTH, "kubernetes.tenant_quota")
    assert of(check, QUOTAS)[0] == [("tenant/a/requests.cpu", "ok", 90.0), ("tenant/a/pods", "ok", 10.0), ("tenant/b/requests.cpu", "ok", 5.0)]
    assert of(check, QUOTAS, diagnosed_tenant="b")[0] == [("tenant/b/requests.cpu", "ok", 5.0)]
    with pytest.raises(NotApplicable, match="c has no quota here"):
        of(check, QUOTAS, diagnosed_tenant="c")
    with pytest.raises(NotApplicable, match="no tenant has a quota here"):
        of(check, FakeCluster())
    session: Session[Any] = Session(QUOTAS, "kubernetes", "here", {"diagnosed_tenant": "b"})
    assert [found.message for found in check.run(session)] == ["b: 500m of 10 requests.cpu"]


# Object store


class FakeStore:
    """Buckets of two pages; there are more of a big one."""

    def __init__(self) -> None:
        self.listed: list[str] = []

    def sizes(self, bucket: str) -> Any:
        self.listed.append(bucket)
        yield [1024] * 3, True
        yield [2048], bucket == "tenant-big"


def test_objects_are_counted_for_one_tenant_only() -> None:
    store = FakeStore()
    (check,) = object_store.IN_DEPTH
    with pytest.raises(NotApplicable, match="tenant_selection"):
        of(check, store)
    assert store.listed == []
    assert of(check, store, diagnosed_tenant="a")[0] == [("tenant/a", "ok", 5120)]
    session: Session[Any] = Session(store, "object_store", "here", {"diagnosed_tenant": "big"})
    (found,) = check.run(session)
    assert found.message == "big: at least 4 objects, at least 5.0 KiB, the biggest 2.0 KiB"


def listing(*sizes: int, following: str = "") -> bytes:
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{following}</NextContinuationToken>" if following else "<IsTruncated>false</IsTruncated>"
    contents = "".join(f"<Contents><Key>k</Key><Size>{size}</Size></Contents>" for size in sizes)
    return f"<ListBucketResult>{more}{contents}</ListBucketResult>".encode()


class FakeS3:
    """Answers one page after the other, on the connection that all checks share."""

    where, timeout = "the store", 5.0

    def __init__(self, *bodies: bytes) -> None:
        self.bodies, self.asked = list(bodies), list[dict[str, str]]()

    def request(self, _method: str, _path: str, query: Mapping[str, str]) -> Any:
        self.asked.append(dict(query))
        return client.Answer(200, {}, self.bodies.pop(0))


def test_all_pages_of_a_bucket_are_listed() -> None:
    s3 = FakeS3(listing(1, 2, following="next"), listing(3))
    store = drivers.Versitygw(s3, "https://store.example", None)  # type: ignore[arg-type]
    assert list(store.sizes("tenant-a")) == [([1, 2], True), ([3], False)]
    assert [query.get("continuation-token") for query in s3.asked] == [None, "next"]


def test_all_pages_of_amazons_bucket_are_listed() -> None:
    class Boto:
        def call(self, _operation: str, **arguments: Any) -> dict[str, Any]:
            if "ContinuationToken" in arguments:
                return {"Contents": [{"Size": 3}], "IsTruncated": False}
            return {"Contents": [{"Size": 1}, {"Size": 2}], "IsTruncated": True, "NextContinuationToken": "next"}

    assert list(drivers.Amazon(Boto(), "S3").sizes("tenant-a")) == [([1, 2], True), ([3], False)]  # type: ignore[arg-type]


def test_an_answer_that_is_no_list_is_no_empty_bucket() -> None:
    (check,) = object_store.IN_DEPTH
    with pytest.raises(OpsError, match="answered to a list of tenant-a with html"):
        of(check, drivers.Versitygw(FakeS3(b"<html/>"), "https://store.example", None), diagnosed_tenant="a")  # type: ignore[arg-type]


def test_nobody_is_diagnosed_unless_it_is_said() -> None:
    assert selected(Session(None, "redis", "here")) == ""
    assert selected(Session(None, "redis", "here", {"diagnosed_tenant": "a"})) == "a"
