# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's parts get what they need and no more; traffic is a part only while it is wanted; Prometheus watches what is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox import credentials, settings
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.catalogue import all_parts
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.context import Context
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.parts import monitoring, monitoring_rules
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.parts.backend import ACCOUNTS, Backend, Traffic, Worker
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.parts.redis import Redis

SOURCES = Path(__file__).resolve().parents[5] / "roles/sandbox/files/backend"


@pytest.fixture
def context(tmp_path: Path) -> Context:
    made = Context(settings.Settings(tmp_path / ".sandbox", tmp_path / "data", 23000), {"backend": str(SOURCES)})
    made.__dict__["secrets"] = credentials.complete({})
    return made


def leaves(value: object) -> set[str]:
    if isinstance(value, dict):
        return {leaf for inner in value.values() for leaf in leaves(inner)}
    if isinstance(value, list | tuple):
        return {leaf for inner in value for leaf in leaves(inner)}
    return {str(value)}


def test_the_api_keeps_no_password_of_an_account_and_the_worker_no_key(context: Context) -> None:
    secrets = context.secrets["backend"]
    api, worker = leaves(Backend(context, "us-east-1").configuration()), leaves(Worker(context, "us-east-1").configuration())
    assert secrets["signing_key"] in api
    assert not {secrets[name] for name in ACCOUNTS} & api
    assert not set(secrets.values()) & worker
    assert context.secrets["postgresql"]["leanvibe_heartbeat"] in worker
    assert context.secrets["postgresql"]["leanvibe_heartbeat"] not in api
    for role, password in context.secrets["postgresql"].items():
        if role not in ("leanvibe_app", "leanvibe_heartbeat"):
            assert password not in api | worker


def test_the_application_comes_in_through_its_fronts(context: Context) -> None:
    found = Backend(context, "us-west-2").configuration()
    assert found["database"]["port"] == context.port("front_pgbouncer", "us-west-2")
    assert [port for _host, port in found["cache"]["endpoints"]] == [context.port("front_redis", "us-west-2"), context.port("link_redis", "us-west-2")]


def test_no_secret_stands_on_a_command_line_or_in_the_supervisors_file(context: Context) -> None:
    context.binaries = {**context.binaries, **{kind.binary: f"/usr/bin/{kind.binary}" for kind in KINDS}, "stripe-mock": "/usr/bin/stripe-mock"}
    secrets = {leaf for leaf in leaves(context.secrets) if len(leaf) >= 40}
    for part in all_parts(context):
        if part.system in ("backend", "monitoring", "stripe"):
            program = part.program()
            assert program is not None
            shown = " ".join((*program.argv, *program.environment.values()))
            assert not [secret for secret in secrets if secret in shown], part.id


def test_traffic_is_a_part_only_while_it_is_wanted(context: Context) -> None:
    assert not [part for part in all_parts(context) if part.component == "traffic"]
    context.traffic = ("acme",)
    assert [part.id for part in all_parts(context) if part.component == "traffic"] == ["traffic"]
    assert Traffic(context, None).configuration()["traffic"]["tenants"] == ["acme"]


def test_what_is_wanted_is_remembered_until_it_is_not(context: Context) -> None:
    context.data.mkdir(parents=True)
    context.traffic = ("acme", "globex")
    assert context._keep_traffic()
    assert not context._keep_traffic()
    assert Context(context.settings, context.binaries).traffic == ("acme", "globex")
    context.traffic = None
    assert context._keep_traffic()
    assert not context._keep_traffic()
    assert Context(context.settings, context.binaries).traffic is None


def test_changed_sources_restart_the_service(context: Context, tmp_path: Path) -> None:
    package = tmp_path / "sources/leanvibe_backend"
    package.mkdir(parents=True)
    (package / "a.py").write_text("A = 1\n")
    context.binaries = {"backend": str(package.parent)}
    before = Worker(context, "us-east-1")._sources()
    (package / "a.py").write_text("A = 2\n")
    assert Worker(context, "us-east-1")._sources() != before
    context.binaries = {"etcd": "/bin/true"}
    with pytest.raises(OpsError, match="the folder of backend is not known"):
        Worker(context, "us-east-1")._sources()


KINDS = (monitoring.Prometheus, monitoring.Alertmanager, monitoring.NodeExporter, monitoring.PostgresExporter, monitoring.RedisExporter)


@pytest.mark.parametrize("region", settings.REGIONS)
def test_prometheus_scrapes_whatever_has_metrics_in_its_region(context: Context, region: str) -> None:
    written = yaml.safe_load(monitoring.Prometheus(context, region).contents()["prometheus.yml"])
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in written["scrape_configs"]}
    wanted = {kind.component: [f"localhost:{kind(context, region).ports[0]}"] for kind in (*KINDS, Backend, Worker)}
    assert jobs == wanted
    assert written["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == [f"localhost:{context.port('alertmanager', region)}"]


def test_rules_about_the_service_ask_for_metrics_that_it_has() -> None:
    source = (SOURCES / "leanvibe_backend/metrics.py").read_text()
    known = set(re.findall(r'"(leanvibe_\w+)"', source))
    asked = set(re.findall(r"leanvibe_\w+", json.dumps(monitoring_rules.RULES)))
    assert asked
    assert {name.removesuffix("_total") for name in asked} <= known


def test_every_alert_says_what_it_is_about() -> None:
    alerts = [rule for group in monitoring_rules.RULES["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in alerts}) == len(alerts)
    assert {rule["labels"]["severity"] for rule in alerts} == {"none", "warning", "critical"}
    assert all(rule["annotations"]["summary"] for rule in alerts)


def test_the_exporter_of_redis_cannot_read_settings_or_keys(context: Context) -> None:
    line = next(line for line in Redis(context, "us-east-1")._users().splitlines() if line.startswith("user monitoring "))
    assert "+config" not in line
    assert "~" not in line
    assert "-@all" in line
