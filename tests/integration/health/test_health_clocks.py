# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine that looks has a wrong clock: one finding, and not one for each system. And servers written in Go whose clock is wrong."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from health_cluster import look, told, verdicts
from platform_looks import BAD, MADE_BY_TESTS
from wrong_clocks import Proxy, clock_of_python

pytestmark = pytest.mark.sandbox
EAST = "us-east-1"
Look = Callable[[], dict[str, Any]]


def looked(checkout: Path, environment: dict[str, str], folder: Path) -> tuple[int, dict[str, Any]]:
    """playbooks/health.yml, and its report."""
    given = json.dumps({"report_dir": str(folder), "health_connect_timeout": 20})
    command = ["ansible-playbook", "-i", "inventories/sandbox", "playbooks/health.yml", "-e", given]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL)
    report = folder / "health" / "latest.json"
    assert report.is_file(), done.stdout[-3000:] + done.stderr[-2000:]
    return done.returncode, dict(json.loads(report.read_text(encoding="utf-8")))


def bad(report: dict[str, Any]) -> dict[tuple[str, str], str]:
    wrong = [item for item in report["items"] if item["verdict"] in BAD and item["id"] not in MADE_BY_TESTS]
    return {(item["id"], item["subject"]): item["verdict"] for item in wrong}


@pytest.mark.usefixtures("provisioned")
@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("seconds", [120, -120])
def test_our_own_clock_is_one_finding_and_the_run_is_not_of_the_future(
    checkout: Path, ansible_env: dict[str, str], tmp_path: Path, catalogue: Any, seconds: float
) -> None:
    customized = tmp_path / "customized"
    customized.mkdir()
    status, found = looked(checkout, {**ansible_env, **clock_of_python(customized, seconds)}, tmp_path)
    catalogue.judge(f"controller: clock {seconds:+g} s", [("health.clock", "control/clock")], bad(found), bad(found))
    assert status != 0
    (ours,) = (item for item in found["items"] if item["id"] == "health.clock")
    assert (ours["verdict"], round(ours["observed"] / 10)) == ("critical", 12)
    clocks = [item for item in found["items"] if item["id"].endswith("clock") and item is not ours]
    assert len(clocks) >= 14
    assert {item["verdict"] for item in clocks} == {"ok"}
    # By a clock that is right again: the finding is resolved, and the history is whole.
    status, after = looked(checkout, ansible_env, tmp_path)
    assert (status, bad(after)) == (0, {})
    assert [one["id"] for one in after["health"]["resolved"]] == ["health.clock"]
    assert after["health"]["compared_with"] == found["started"]
    assert found["started"] < after["started"]


@pytest.fixture
def proxied() -> Iterator[list[Proxy]]:
    made: list[Proxy] = []
    yield made
    for proxy in made:
        proxy.end()


def of_kubernetes(sandbox: dict[str, Any], _credentials: dict[str, Any], folder: Path, proxied: list[Proxy]) -> Look:
    """Over a proxy that shows our certificate to the API server, as a load balancer in front of it would."""
    parts = sandbox["regions"][EAST]["kubernetes"]
    config = yaml.safe_load(Path(parts["health_kubeconfig"]).read_text(encoding="utf-8"))
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    files = {"ca_certs": cluster["certificate-authority-data"], "cert_file": user["client-certificate-data"], "key_file": user["client-key-data"]}
    for name, data in files.items():
        (folder / name).write_bytes(base64.b64decode(data))
    proxied.append(Proxy(cluster["server"], 0, **{name: str(folder / name) for name in files}))
    config["clusters"][0]["cluster"] = {"server": proxied[-1].url}
    (folder / "kubeconfig").write_text(yaml.safe_dump(config), encoding="utf-8")
    connection = {"kubeconfig": str(folder / "kubeconfig"), "context": parts["context"]}
    return lambda: look("kubernetes", region=EAST, connection=connection, options={"controllers": parts.get("controllers", {})})


def of_object_store(sandbox: dict[str, Any], credentials: dict[str, Any], _folder: Path, proxied: list[Proxy]) -> Look:
    """Over a proxy with the store's own certificate."""
    parts, keys = sandbox["regions"][EAST]["object_store"], credentials["object_store"][EAST]["operations"]
    home = Path(sandbox["data"]) / EAST / "object_store"
    (certificate,), (key,) = list(home.glob("**/*.crt")), list(home.glob("**/*.key"))
    proxied.append(Proxy(parts["endpoint"], 0, (str(certificate), str(key)), ca_certs=sandbox["ca_file"]))
    connection = {"endpoint": proxied[-1].url, "region": EAST, "access_key": keys["access_key_id"], "secret_key": keys["secret_access_key"]}
    connection["ca_file"] = sandbox["ca_file"]
    options = {"backup_buckets": [parts["backup_bucket"]], "backup_retention_days": 1}
    return lambda: look("object_store", region=EAST, connection=connection, options=options)


# By what it is reached, how far its clock is ahead, and what is found besides what is found without it.
IN_GO = {
    # The controllers' leases are compared with the API server's clock where controllers elect a leader; the sandbox's do not.
    "kubernetes": (of_kubernetes, 120.0, {"kubernetes.clock": "critical", "kubernetes.nodes_ready": "degraded"}),
    "object_store": (of_object_store, 120.0, {"object_store.clock": "degraded"}),
    "object_store, S3 would refuse": (of_object_store, -1000.0, {"object_store.clock": "critical"}),
}


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("name", IN_GO)
def test_a_server_in_go_whose_clock_is_wrong_is_found_and_nothing_else(
    sandbox: dict[str, Any], credentials: dict[str, Any], tmp_path: Path, proxied: list[Proxy], catalogue: Any, name: str
) -> None:
    make, seconds, expected = IN_GO[name]
    looking = make(sandbox, credentials, tmp_path, proxied)
    before = looking()
    proxied[-1].ahead = seconds
    after = looking()
    more = {(f"{before['system']}.{check}", verdict) for (check, _subject), verdict in verdicts(after).items() - verdicts(before).items()}
    assert more, told(after)
    catalogue.judge(f"{name}: clock {seconds:+g} s", expected.items(), more, told(after))
