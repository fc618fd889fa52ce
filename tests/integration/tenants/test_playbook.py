# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/tenants.yml and tenant_status.yml on the whole sandbox, read back by clients of each system. The tests tell one story, in order."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from readers import CONTACTS, EAST, WEST, Platform, declare

CHECKOUT = Path(__file__).resolve().parents[3]
PREFIX = "rpp-"
WRITTEN = {(system, region) for system in ("kubernetes", "redis", "neo4j", "object_store") for region in (EAST, WEST)} | {("postgresql", EAST)}
SCHEMA = Draft202012Validator(json.loads((CHECKOUT / "docs/schemas/report-v1.json").read_text(encoding="utf-8")))


class Story:
    """The declaration as it goes on, and the runs on it."""

    def __init__(self, run: Callable[..., subprocess.CompletedProcess[str]], folder: Path) -> None:
        self._run = run
        self.reports = folder
        self.tenants = declare(PREFIX, 6)

    def run(self, name: str = "tenants", *arguments: str, tenants: Any = None, **extra: Any) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
        """Run a playbook; return the process and the report that it wrote."""
        before = set(self.reports.glob("*/*.json"))
        declared = self.tenants if tenants is None else tenants
        done = self._run(name, *arguments, extra_vars={"tenants": declared, "report_dir": str(self.reports), **extra}, timeout=600)
        written = [path for path in self.reports.glob("*/*.json") if path not in before and path.stem != "latest"]
        assert len(written) == 1, done.stdout[-4000:] + done.stderr[-2000:]
        report = json.loads(written[0].read_text(encoding="utf-8"))
        SCHEMA.validate(report)
        assert written[0].with_suffix(".html").is_file()
        return done, report


def cells(report: dict[str, Any]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Items about one tenant in one system and region."""
    found = {}
    for item in report["items"]:
        parts = item["subject"].split("/")
        if len(parts) == 3 and parts[0] in (EAST, WEST):
            found[(parts[2], parts[1], parts[0])] = item
    return found


def changed(report: dict[str, Any]) -> list[str]:
    return [item["subject"] for item in report["items"] if item["changed"]]


@pytest.fixture(scope="module")
def platform(sandbox: dict[str, Any], credentials: dict[str, Any], sandbox_dir: Path) -> Iterator[Platform]:
    found = Platform(sandbox, credentials, sandbox_dir)
    found.remove(PREFIX)
    yield found
    found.remove(PREFIX)


@pytest.fixture(scope="module")
def story(run_playbook: Callable[..., subprocess.CompletedProcess[str]], tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(run_playbook, tmp_path_factory.mktemp("reports"))


def test_a_check_writes_nothing_and_shows_what_would_change_in_each_system(platform: Platform, story: Story) -> None:
    rows = platform.registry(PREFIX)
    done, report = story.run("tenants", "--check", "--diff")
    assert done.returncode == 0, done.stdout[-4000:]
    assert platform.snapshot(PREFIX) == {}
    assert platform.registry(PREFIX) == rows
    assert not rows or rows["leases"] == 0
    assert report["check_mode"] is True
    assert not list(story.reports.glob("*/latest.*"))
    for system, region in WRITTEN:
        assert f"--- before: {system} {region}" in done.stdout, (system, region)
    for tenant in story.tenants:
        for system, region in WRITTEN:
            assert cells(report)[(tenant["id"], system, region)]["changed"], (tenant["id"], system, region)


def test_the_first_run_provisions_every_tenant_everywhere(platform: Platform, story: Story) -> None:
    done, report = story.run()
    assert done.returncode == 0, done.stdout[-4000:]
    assert report["verdict"] == "succeeded"
    ids = {tenant["id"] for tenant in story.tenants}
    assert {cell for cell, item in cells(report).items() if item["changed"]} >= {(tenant, *place) for tenant in ids for place in WRITTEN}
    for tenant in story.tenants:
        assert platform.credentials_work(tenant["id"], tenant["region"]) == []
    rows = platform.registry(PREFIX)
    assert (rows["tenants"], rows["tenant_systems"], rows["leases"]) == (6, 6 * len(WRITTEN), 0)
    state = platform.snapshot(PREFIX)
    for region in (EAST, WEST):
        for kind in ("redis", "bucket", "account", "node"):
            assert len([key for key in state if key.startswith(f"{region} {kind} ")]) == 6, (region, kind)
    assert [item["id"] for item in report["items"] if item["verdict"] == "skipped" and item["subject"] == "control/monitoring"] == ["tenants.dashboard"]


def test_the_second_run_changes_nothing_and_tells_no_secret(platform: Platform, story: Story) -> None:
    before = platform.snapshot(PREFIX)
    done, report = story.run("tenants", "--diff", "-vvv")
    assert (done.returncode, report["verdict"], changed(report)) == (0, "succeeded", [])
    assert not re.search(r"changed=[1-9]", done.stdout)
    assert platform.snapshot(PREFIX) == before
    texts = [done.stdout, done.stderr, *(path.read_text(encoding="utf-8") for path in story.reports.glob("*/*"))]
    texts += [json.dumps(row, default=str) for row in platform.rows("SELECT observed, message FROM tenant_systems WHERE tenant LIKE %s", f"{PREFIX}%")]
    known = [value for tenant in story.tenants for key, value in platform.secret(tenant["id"], tenant["region"]).items() if "SECRET" in key or "_URL" in key]
    passwords = [re.sub(r"^[a-z]+://[^:]*:([^@]*)@.*$", r"\1", value) for value in known]
    assert len(passwords) == 3 * len(story.tenants)
    for text in texts:
        assert not [password for password in passwords if password in text]
        assert platform.credentials["postgresql"]["leanvibe_registry"] not in text


def test_status_calls_them_as_declared(story: Story) -> None:
    done, report = story.run("tenant_status")
    assert done.returncode == 0, done.stdout[-4000:]
    seen = cells(report)
    assert {(tenant["id"], *place) for tenant in story.tenants for place in WRITTEN} == {cell for cell, item in seen.items() if item["verdict"] == "ok"}
    assert all(item["evidence"].startswith("registry: succeeded, last seen 20") for item in seen.values())


def test_drift_is_seen_shown_and_mended(platform: Platform, story: Story) -> None:
    victim = story.tenants[0]["id"]
    platform.redis(WEST).acl_deluser(f"tenant-{victim}")
    platform.kubectl(EAST, "delete", "networkpolicy", "--all", "-n", f"tenant-{victim}")
    done, report = story.run("tenant_status")
    assert done.returncode == 0
    drifted = {cell for cell, item in cells(report).items() if item["verdict"] == "degraded"}
    assert drifted == {(victim, "redis", WEST), (victim, "kubernetes", EAST)}
    done, report = story.run()
    assert (done.returncode, sorted(changed(report))) == (0, sorted([f"{WEST}/redis/{victim}", f"{EAST}/kubernetes/{victim}"]))
    assert platform.credentials_work(victim, story.tenants[0]["region"]) == []


def test_hostile_declarations_are_refused_as_a_whole_and_all_are_named(platform: Platform, story: Story) -> None:
    before, rows = platform.snapshot(PREFIX), platform.registry(PREFIX)
    hostile = ["a'; DROP TABLE tenants; --", "../../etc", "$(reboot)", "{{ 7*7 }}", "\u0430cme", "x" * 64, "postgres", "kube-system", "a_b", "a-b", False, None]
    tenants = [*story.tenants, *({**story.tenants[0], "id": tenant_id} for tenant_id in hostile), {**story.tenants[0], "name": "x\u202ey"}]
    done, report = story.run(tenants=tenants)
    assert done.returncode != 0
    assert report["verdict"] == "refused"
    [item] = report["items"]
    for position in range(7, 7 + len(hostile)):
        if hostile[position - 7] not in ("a-b",):
            assert f"tenant number {position} " in item["message"], position
    for part in ("CYRILLIC SMALL LETTER A", "'a-b' and 'a_b'", "declared 2 times", "RIGHT-TO-LEFT OVERRIDE"):
        assert part in item["message"]
    assert platform.snapshot(PREFIX) == before
    assert platform.registry(PREFIX) == rows


def test_a_selection_works_on_nobody_else(platform: Platform, story: Story) -> None:
    one = story.tenants[1]["id"]
    _done, report = story.run(tenant_selection=[one])
    assert report["verdict"] == "succeeded"
    assert {tenant for tenant, _system, _region in cells(report)} == {one}
    mine = [item for item in report["items"] if item["id"] == "tenants.undeclared" and any(name.startswith(PREFIX) for name in item["tenants"])]
    assert mine == []
    done, report = story.run(tenant_selection=["tier:team", "ghost"])
    assert (done.returncode != 0, report["verdict"]) == (True, "refused")
    assert "'ghost'" in report["items"][0]["message"]


def test_a_changed_home_region_is_refused_and_the_others_go_on(platform: Platform, story: Story) -> None:
    tenants = deepcopy(story.tenants)
    tenants[0]["region"] = WEST
    tenants[1]["tier"] = "enterprise"
    before = {key: value for key, value in platform.snapshot(PREFIX).items() if tenants[0]["id"] in key}
    done, report = story.run(tenants=tenants)
    assert (done.returncode != 0, report["verdict"]) == (True, "partial")
    [refused] = [item for item in report["items"] if item["verdict"] == "refused"]
    assert refused["subject"] == f"control/registry/{tenants[0]['id']}"
    assert "home is not moved" in refused["message"]
    assert {tenants[1]["id"]} == {subject.split("/")[2] for subject in changed(report)}
    assert {key: value for key, value in platform.snapshot(PREFIX).items() if tenants[0]["id"] in key} == before
    story.tenants[1]["tier"] = "enterprise"


def test_residency_that_replication_would_break_is_refused(platform: Platform, story: Story) -> None:
    kept = {**story.tenants[0], "id": f"{PREFIX}kept", "overrides": {"data_residency": EAST}}
    done, report = story.run(tenants=[*story.tenants, kept], tenant_selection=[kept["id"]])
    assert (done.returncode != 0, report["verdict"]) == (True, "refused")
    assert "postgresql copies what is in us-east-1 to us-west-2" in report["items"][0]["message"]
    assert not [key for key in platform.snapshot(PREFIX) if "kept" in key]


def test_who_is_not_declared_any_more_is_reported_and_left_alone(platform: Platform, story: Story) -> None:
    gone = story.tenants[-1]["id"]
    before = {key: value for key, value in platform.snapshot(PREFIX).items() if gone in key}
    done, report = story.run(tenants=story.tenants[:-1])
    assert (done.returncode, report["verdict"]) == (0, "succeeded")
    places = {item["subject"] for item in report["items"] if item["id"] == "tenants.undeclared" and gone in item["tenants"]}
    assert places == {"control/registry", *(f"{region}/{system}" for system, region in WRITTEN)}
    assert {key: value for key, value in platform.snapshot(PREFIX).items() if gone in key} == before


def test_suspension_takes_access_away_and_keeps_everything(platform: Platform, story: Story) -> None:
    tenants = deepcopy(story.tenants)
    tenants[0]["state"] = "suspended"
    victim = tenants[0]["id"]
    objects = platform.s3(EAST)
    objects.put_object(Bucket=f"tenant-{victim}", Key="kept", Body=b"data")
    done, report = story.run(tenants=tenants)
    assert (done.returncode, report["verdict"]) == (0, "succeeded")
    assert {subject.split("/")[2] for subject in changed(report)} == {victim}
    assert platform.rows("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", "tenant_" + victim.replace("-", "_")) == [(False,)]
    for region in (EAST, WEST):
        assert "off" in platform.redis(region).acl_getuser(f"tenant-{victim}")["flags"]
    assert objects.get_object(Bucket=f"tenant-{victim}", Key="kept")["Body"].read() == b"data"
    done, report = story.run()
    assert (done.returncode, report["verdict"]) == (0, "succeeded")
    assert platform.credentials_work(victim, tenants[0]["region"]) == []


def test_of_two_operators_at_once_one_is_told_about_the_other(story: Story, platform: Platform) -> None:
    before = platform.snapshot(PREFIX)
    folders = [story.reports / "one", story.reports / "two"]
    stories = [Story(story._run, folder) for folder in folders]
    for one in stories:
        one.tenants = story.tenants
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda one: one.run(), stories))
    verdicts = sorted(report["verdict"] for _done, report in runs)
    assert verdicts in (["refused", "succeeded"], ["succeeded", "succeeded"]), [done.stdout[-2000:] for done, _report in runs]
    if verdicts[0] == "refused":
        [message] = [report["items"][0]["message"] for _done, report in runs if report["verdict"] == "refused"]
        assert re.search(r"held by .+@.+ \(operation tenants, run \w+\) since 20\S+Z, until 20\S+Z", message)
        assert f"tenant/{PREFIX}000" in message
    assert platform.snapshot(PREFIX) == before


@pytest.mark.parametrize("port", ["closed", "silent"])
def test_without_the_registry_nothing_is_written(platform: Platform, story: Story, port: str) -> None:
    import socket

    before, rows = platform.snapshot(PREFIX), platform.registry(PREFIX)
    new = {**story.tenants[0], "id": f"{PREFIX}new", "contacts": CONTACTS}
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if port == "silent":
            listener.listen()
        registry = {**platform.registry_params(), "host": "127.0.0.1", "port": listener.getsockname()[1]}
        done, report = story.run(tenants=[*story.tenants, new], leanvibe_ops_registry=registry, tenants_timeout=2, registry_timeout=2)
    assert (done.returncode != 0, report["verdict"]) == (True, "refused")
    assert "without it nothing is changed" in report["items"][0]["message"]
    assert platform.snapshot(PREFIX) == before
    assert platform.registry(PREFIX) == rows
