# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bring-up does with what it finds, what status calls it, and what a fault is aimed at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import InvalidInput, OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox import faults, lifecycle, operations, outputs, settings, status
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.catalogue import all_parts
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.context import Context
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.lifecycle import Observed
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.parts import kwok_stages
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.parts.postgresql_contents import matches


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(settings.Settings(tmp_path / ".sandbox", tmp_path / "data", 23000))


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (Observed(alive=True, paused=False, supervised=True), None),
        (Observed(alive=False, paused=False, supervised=False), "start"),
        (Observed(alive=True, paused=True, supervised=True), "resume"),
        (Observed(alive=True, paused=False, supervised=False), "replace"),
        (Observed(alive=True, paused=True, supervised=False), "replace"),
    ],
)
def test_each_finding_has_one_action(state: Observed, action: str | None) -> None:
    assert lifecycle.plan({"x": state}) == ({"x": action} if action else {})


@pytest.mark.parametrize(
    ("alive", "paused", "answers", "age", "expected"),
    [
        (False, False, False, 0, "dead"),
        (True, True, False, 900, "paused"),
        (True, True, True, 900, "paused"),
        (True, False, True, 1, "running"),
        (True, False, False, 3, "starting"),
        (True, False, False, 900, "unreachable"),
    ],
)
def test_silence_is_never_running(alive: bool, paused: bool, answers: bool, age: float, expected: str) -> None:
    assert status.state_of(alive=alive, paused=paused, answers=answers, age=age, grace=15) == expected


def test_requirements_name_parts_that_exist(context: Context) -> None:
    parts = {part.id: part for part in all_parts(context)}
    assert all(need in parts for part in parts.values() for need in (*part.requires(), *part.outlives()))


def test_an_api_server_goes_before_its_etcd_and_postgresql_before_its_archive(context: Context) -> None:
    parts = {part.id: part for part in all_parts(context)}
    for region in settings.REGIONS:
        assert f"etcd-{region}" in parts[f"kube-apiserver-{region}"].requires()
        assert f"postgresql-{region}" in parts[f"object_store-{region}"].outlives()


@pytest.mark.parametrize(
    ("component", "region", "expected"),
    [
        ("redis", "us-east-1", ["redis-us-east-1"]),
        ("kube_apiserver", "us-west-2", ["kube-apiserver-us-west-2"]),
        ("KUBE-APISERVER", "us-west-2", ["kube-apiserver-us-west-2"]),
        ("aws", None, ["aws"]),
        ("backend", "us-east-1", ["backend-us-east-1"]),
        ("worker", "us-west-2", ["worker-us-west-2"]),
        ("alertmanager", "us-west-2", ["alertmanager-us-west-2"]),
        ("stripe-mock", None, ["stripe_mock"]),
        ("kubernetes", "us-east-1", [f"{name}-us-east-1" for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")]),
    ],
)
def test_a_fault_is_aimed_at_the_servers_named(context: Context, component: str, region: str | None, expected: list[str]) -> None:
    assert [part.id for part in faults.servers(context, component, region)] == expected


@pytest.mark.parametrize(
    ("component", "region", "said"),
    [
        ("mysql", "us-east-1", "there are: alertmanager, aws, backend, etcd"),
        ("redis", None, "say in which"),
        ("redis", "eu-west-1", "no region of the sandbox"),
        ("archive", "us-east-1", "no component"),
    ],
)
def test_a_fault_on_nothing_is_refused_with_what_there_is(context: Context, component: str, region: str | None, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        faults.servers(context, component, region)


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        ("redis", {("us-east-1", "redis_front"), ("us-west-2", "redis_link")}),
        ("postgresql", {("us-west-2", "postgresql_link")}),
        ("pgbouncer", {("us-east-1", "pgbouncer_front")}),
        ("backend", {("us-east-1", "backend_front")}),
        ("redis-link", {("us-west-2", "redis_link")}),
    ],
)
def test_a_cut_takes_every_way_that_leads_to_the_component(context: Context, component: str, expected: set[tuple[str, str]]) -> None:
    assert {(proxy.region, proxy.name) for _part, proxy in faults.ways(context, component, "us-east-1")} == expected


@pytest.mark.parametrize("component", ["etcd", "kube-apiserver", "aws", "toxiproxy", "kubernetes"])
def test_what_no_proxy_leads_to_cannot_be_cut(context: Context, component: str) -> None:
    with pytest.raises(InvalidInput, match="cut, heal and slow are for: backend, backend_front, neo4j, neo4j_front"):
        faults.ways(context, component, "us-east-1")


def test_operations_on_a_sandbox_that_is_not_there_say_so(tmp_path: Path) -> None:
    parameters: dict[str, Any] = {"directory": str(tmp_path / "s"), "data_dir": str(tmp_path / "d"), "component": "redis", "fault": "kill", "latency_ms": 1}
    for call in (lambda: operations.info(parameters), lambda: operations.inject(parameters, False)):
        with pytest.raises(OpsError, match="there is no sandbox in"):
            call()


def test_a_folder_without_our_marker_is_never_purged(tmp_path: Path) -> None:
    precious = tmp_path / "d" / "precious"
    precious.parent.mkdir()
    precious.write_text("keep")
    with pytest.raises(OpsError, match="does not hold a sandbox's data: nothing in it is removed"):
        operations.stop({"directory": str(tmp_path / "s"), "data_dir": str(tmp_path / "d"), "purge": True}, False)
    assert precious.read_text() == "keep"


def test_down_on_nothing_changes_nothing(tmp_path: Path) -> None:
    parameters = {"directory": str(tmp_path / "s"), "data_dir": str(tmp_path / "d"), "purge": True}
    assert operations.stop(parameters, False)["changed"] is False


def test_a_dry_run_on_nothing_names_every_server_and_makes_nothing(tmp_path: Path) -> None:
    result = operations.start({"directory": str(tmp_path / "s"), "data_dir": str(tmp_path / "d")}, True)
    assert len(result["done"]) == 38
    assert list(tmp_path.iterdir()) == []


def test_addresses_hold_no_secret(context: Context) -> None:
    found = outputs.addresses(context)
    assert set(found["regions"]) == set(settings.REGIONS)
    assert not {"password", "secret"} & {word for name in _names(found) for word in name.split("_")}


def _names(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return []
    return [str(name) for name in value] + [name for inner in value.values() for name in _names(inner)]


def test_a_long_path_gets_its_sockets_elsewhere(tmp_path: Path) -> None:
    short = Context(settings.Settings(tmp_path, Path("/srv/d"), 23000))
    long = Context(settings.Settings(tmp_path, Path("/srv") / ("d" * 90), 23000))
    assert short.run == Path("/srv/d/run")
    assert len(str(long.run / ".s.PGSQL.23010")) < 100


def test_a_verifier_is_recognised_and_another_is_not() -> None:
    # RFC 7677, section 3: user "user", password "pencil", 4096 iterations.
    verifier = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    assert matches("pencil", verifier) is True
    assert matches("pencils", verifier) is False
    assert matches("pencil", None) is False
    assert matches("pencil", "md5abc") is False


def test_broken_pods_have_their_own_stage() -> None:
    text = kwok_stages.configuration()
    assert text.count("kind: Stage") == 6
    assert kwok_stages.BROKEN in text
