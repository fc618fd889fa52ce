# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_object_store on a real store: nothing on a healthy one, and for each fault the findings that were written down before, and no others."""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import certifi
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from health_cluster import look, server_of, told, verdicts

EAST, WEST = "us-east-1", "us-west-2"


def _one_connection_each(request: Any, **_event: Any) -> None:
    request.headers["Connection"] = "close"


class Store:
    """One region's store, with a tenant's bucket and a bucket of backups of the test's own; boto3 as root breaks and mends it."""

    def __init__(self, sandbox: dict[str, Any], credentials: dict[str, Any], region: str) -> None:
        self.region = region
        self.parts = sandbox["regions"][region]["object_store"]
        self.keys = credentials["object_store"][region]
        self.ca_file = sandbox["ca_file"]
        run = secrets.token_hex(3)
        self.tenant_id = f"hc-{run}"
        self.bucket = f"tenant-{self.tenant_id}"
        self.backups = f"hc-backups-{run}"
        root = self.keys["root"]
        self.s3 = boto3.client(
            "s3",
            endpoint_url=self.parts["endpoint"],
            region_name=region,
            aws_access_key_id=root["access_key_id"],
            aws_secret_access_key=root["secret_access_key"],
            verify=self.ca_file,
            config=Config(connect_timeout=5, read_timeout=20, retries={"max_attempts": 4}, signature_version="s3v4", s3={"addressing_style": "path"}),
        )
        self.s3.meta.events.register("before-send.s3", _one_connection_each)  # the gateway mixes up what it refused with what follows

    def make(self) -> None:
        self.s3.create_bucket(Bucket=self.bucket)
        self.version(self.bucket, "Enabled")
        self.s3.create_bucket(Bucket=self.backups, ObjectLockEnabledForBucket=True)
        self.lock("COMPLIANCE", 1)

    def version(self, bucket: str, status: str) -> None:
        self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        assert self.s3.get_bucket_versioning(Bucket=bucket)["Status"] == status

    def lock(self, mode: str, days: int) -> None:
        rule = {"DefaultRetention": {"Mode": mode, "Days": days}}
        self.s3.put_object_lock_configuration(Bucket=self.backups, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule})
        found = self.s3.get_object_lock_configuration(Bucket=self.backups)["ObjectLockConfiguration"]
        assert found["Rule"]["DefaultRetention"]["Mode"] == mode

    def clean(self) -> None:
        there = {bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]}
        for bucket in there & {self.bucket, self.backups}:
            self.s3.delete_bucket(Bucket=bucket)

    def look(self, account: str = "operations", **change: Any) -> dict[str, Any]:
        keys = self.keys[account]
        connection = {
            "endpoint": self.parts["endpoint"],
            "region": self.region,
            "access_key": keys["access_key_id"],
            "secret_key": change.pop("secret_key", keys["secret_access_key"]),
            "ca_file": change.pop("ca_file", self.ca_file),
        }
        options = {"backup_buckets": [self.parts["backup_bucket"], self.backups], "backup_retention_days": 1, **change.pop("options", {})}
        tenants = [{"id": self.tenant_id, "region": self.region}]
        return look("object_store", region=self.region, connection=connection, options=options, tenants=tenants, **change)


@pytest.fixture
def store(sandbox: dict[str, Any], credentials: dict[str, Any]) -> Iterator[Store]:
    made = Store(sandbox, credentials, EAST)
    made.make()
    yield made
    made.clean()


@dataclass(frozen=True)
class Fault:
    """``may``: check and end of the subject of all that may be told, and must be."""

    do: Callable[[Store], Any]
    may: Callable[[Store], set[tuple[str, str, str]]]
    options: dict[str, Any]


def gone(store: Store) -> None:
    store.s3.delete_bucket(Bucket=store.bucket)
    with pytest.raises(ClientError, match="404"):
        store.s3.head_bucket(Bucket=store.bucket)


def open_to_all(store: Store) -> None:
    """Whoever asks may list: the bucket is empty, and goes with the test."""
    allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{store.backups}"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    store.s3.put_bucket_policy(Bucket=store.backups, Policy=policy)
    assert '"*"' in store.s3.get_bucket_policy(Bucket=store.backups)["Policy"]


FAULTS = {
    # It was the only tenant's, so that there is none left whose versions could be asked for.
    "bucket gone": Fault(gone, lambda store: {("tenant_buckets", store.bucket, "critical"), ("tenant_versioning", "", "skipped")}, {}),
    "versions off": Fault(lambda store: store.version(store.bucket, "Suspended"), lambda store: {("tenant_versioning", store.bucket, "degraded")}, {}),
    "lock that can be lifted": Fault(lambda store: store.lock("GOVERNANCE", 1), lambda store: {("backup_buckets", f"{store.backups}/lock", "degraded")}, {}),
    "no backups": Fault(lambda store: store.s3.delete_bucket(Bucket=store.backups), lambda store: {("backup_buckets", store.backups, "critical")}, {}),
    "open": Fault(open_to_all, lambda store: {("closed", store.backups, "critical")}, {}),
    "short lock": Fault(
        lambda store: store.lock("COMPLIANCE", 2),
        lambda store: {("backup_buckets", f"{name}/lock", "degraded") for name in (store.backups, store.parts["backup_bucket"])},
        {"backup_retention_days": 30},
    ),
}


def test_a_healthy_store_has_no_findings(store: Store) -> None:
    run = store.look()
    assert verdicts(run) == {}, told(run)
    assert {done["outcome"] for done in run["checks"]} == {"executed"}
    assert run["seconds"] < 3


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_nothing_else(store: Store, name: str, catalogue: Any) -> None:
    fault = FAULTS[name]
    fault.do(store)
    run = store.look(options=fault.options)
    place = f"{EAST}/object_store/"
    found = {(check, subject.removeprefix(place.rstrip("/")).lstrip("/"), verdict) for (check, subject), verdict in verdicts(run).items()}
    catalogue.judge(f"object store: {name}", fault.may(store), found, told(run))
    assert all(one["tenants"] == ([store.tenant_id] if "tenant" in one["id"] else []) for one in run["items"] if one["verdict"] not in ("ok", "skipped"))


def test_an_account_with_few_rights_is_told_which_are_missing(store: Store) -> None:
    """The account of backups owns its bucket and sees no other: unknown, and never taken for missing."""
    run = store.look("backups", options={"backup_buckets": [store.parts["backup_bucket"]]})
    assert {check: verdict for (check, _subject), verdict in verdicts(run).items()} == {"tenant_buckets": "unknown", "tenant_versioning": "unknown"}, told(run)
    assert all("a right is missing" in done["reason"] and "s3:" in done["reason"] for done in run["checks"] if done["outcome"] == "could_not_run")


def test_a_wrong_key_is_unknown_everywhere_and_shown_nowhere(store: Store) -> None:
    run = store.look(secret_key="hc-recognisable-and-wrong")
    own = {"certificate", "closed"}  # they ask as strangers
    assert {check for check, _subject in verdicts(run)} == {done["id"].partition(".")[2] for done in run["checks"]} - own, told(run)
    assert set(verdicts(run).values()) == {"unknown"}
    assert "hc-recognisable-and-wrong" not in str(run)


def test_a_certificate_that_is_not_accepted_is_critical_and_says_so(store: Store, sandbox_dir: Any, tmp_path: Any) -> None:
    other = tmp_path / "other.pem"
    other.write_text(certifi.contents(), encoding="utf-8")
    run = store.look(ca_file=str(other))
    found = {check: verdict for (check, _subject), verdict in verdicts(run).items()}
    assert found.pop("certificate") == "critical", told(run)
    assert set(found.values()) == {"unknown"}
    assert "not accepted" in next(one["message"] for one in run["items"] if one["id"] == "object_store.certificate")


def test_a_paused_store_costs_its_time_out_once(sandbox: dict[str, Any], credentials: dict[str, Any]) -> None:
    store = Store(sandbox, credentials, WEST)
    gateway = server_of(str(sandbox["data"]), WEST, "versitygw")
    os.kill(gateway.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        run = store.look()
        took = time.monotonic() - began
    finally:
        os.kill(gateway.pid, signal.SIGCONT)
    assert took < 10
    assert set(verdicts(run).values()) == {"unknown"}
    assert len(verdicts(run)) == len(run["checks"])
    assert store.s3.list_buckets()["ResponseMetadata"]["HTTPStatusCode"] == 200
