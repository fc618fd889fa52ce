# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers written in Go whose clock is wrong. What is told when ours is the wrong one: tests/unit, majority."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from health_cluster import look, told, verdicts
from wrong_clocks import Proxy

pytestmark = pytest.mark.sandbox
EAST = "us-east-1"
Look = Callable[[], dict[str, Any]]


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
