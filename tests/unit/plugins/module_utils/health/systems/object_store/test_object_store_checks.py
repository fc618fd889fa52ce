# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of an object store: nothing wrong on a healthy one, exactly what is broken on a broken one, unknown for what cannot be seen."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.aws import connect as connect_aws
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.object_store import Answer, S3Error
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import AccessDenied, Unreachable
from ansible_collections.leanvibe.ops.plugins.module_utils.health import catalogue
from ansible_collections.leanvibe.ops.plugins.module_utils.health.model import NoData
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.runner import Link, run_checks
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.object_store import CHECKS
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.object_store.drivers import Amazon, Versitygw
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.object_store.link import run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.object_store.store import Lock, Names
from ansible_collections.leanvibe.ops.plugins.modules import health_object_store
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto import mock_aws

ROOT = Path(__file__).resolve().parents[7]
BACKUPS = "backups-east"
OPTIONS = {"backup_buckets": [BACKUPS], "backup_retention_days": 30}


@dataclass
class Memory:
    """A store in memory. ``refuses`` are methods that the account may not use; ``asked`` counts requests."""

    buckets: dict[str, str]
    locks: dict[str, Lock | None]
    open: dict[str, str] = field(default_factory=dict)
    listed: set[str] | None = None
    hidden: bool = False
    seconds: float = 0.01
    skew: tuple[float, float] | None = (-0.4, 0.4)
    refuses: set[str] = field(default_factory=set)
    silent: bool = False
    asked: dict[str, int] = field(default_factory=dict)
    where: str = "store"
    address: tuple[str, int] | None = None
    ca_file: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def _ask(self, what: str) -> None:
        with self._lock:
            self.asked[what] = self.asked.get(what, 0) + 1
        if self.silent:
            raise Unreachable("the store does not answer")
        if what in self.refuses:
            raise AccessDenied(f"store refuses {what}")

    def names(self) -> Names:
        self._ask("names")
        return Names(frozenset(self.buckets if self.listed is None else self.listed), self.seconds, self.skew)

    def exists(self, bucket: str) -> bool:
        self._ask("exists")
        return bucket in self.buckets

    def versioning(self, bucket: str) -> str:
        self._ask("versioning")
        if bucket not in self.buckets:
            raise S3Error(f"{bucket} does not exist", "NoSuchBucket", 404)
        return self.buckets[bucket]

    def lock(self, bucket: str) -> Lock | None:
        self._ask("lock")
        return self.locks.get(bucket)

    def open_for(self, bucket: str) -> str:
        self._ask("open_for")
        return self.open.get(bucket, "")

    def limit(self, _seconds: float) -> None:
        return

    def close(self) -> None:
        return


def healthy(tenants: int = 3) -> Memory:
    return Memory({BACKUPS: "Enabled", **{f"tenant-t{number}": "Enabled" for number in range(tenants)}}, {BACKUPS: Lock("COMPLIANCE", 30)})


def perform(driver: Any, tenants: int = 3, options: Any = None) -> Run:
    def answers(store: Any, _seconds: float) -> Any:
        return store.driver.names()

    link: Link[Any] = Link(connect=lambda _seconds: driver, answers=answers, close=lambda _store: None)
    declared = [{"id": f"t{number}", "region": "us-east-1" if number else "us-west-2"} for number in range(tenants)]
    return run_checks(CHECKS, link, system="object_store", region="us-east-1", options=OPTIONS if options is None else options, tenants=declared)


def wrong(made: Run) -> dict[str, str]:
    return {
        f"{one['id'].removeprefix('object_store.')}{one['subject'].removeprefix('us-east-1/object_store')}": one["verdict"]
        for one in made.items
        if one["verdict"] != "ok" and one["id"] != "object_store.certificate"  # the store in memory has none
    }


def test_nothing_is_wrong_with_a_healthy_store() -> None:
    made = perform(healthy())
    assert wrong(made) == {}
    assert {done.id: done.outcome for done in made.checks} == {**{one.id: "executed" for one in CHECKS}, "object_store.certificate": "skipped"}


def test_only_versioning_is_asked_for_each_tenant() -> None:
    few, many = healthy(3), healthy(300)
    assert wrong(perform(few)) == wrong(perform(many, 300)) == {}
    assert (few.asked.pop("versioning"), many.asked.pop("versioning")) == (4, 301)
    assert few.asked == many.asked == {"names": 1, "lock": 1, "open_for": 3}


Change = Callable[[Memory], Any]
CASES: list[tuple[str, Change, dict[str, str]]] = [
    ("slow", lambda store: setattr(store, "seconds", 2.0), {"up": "degraded"}),
    ("clock behind", lambda store: setattr(store, "skew", (-1000.0, -999.0)), {"clock": "critical"}),
    ("clock somewhat ahead", lambda store: setattr(store, "skew", (89.0, 90.0)), {"clock": "degraded"}),
    ("clock not said", lambda store: setattr(store, "skew", None), {"clock": "unknown"}),
    ("a tenant's bucket is gone", lambda store: store.buckets.pop("tenant-t1"), {"tenant_buckets/tenant-t1": "critical"}),
    ("versions suspended", lambda store: store.buckets.update({"tenant-t2": "Suspended"}), {"tenant_versioning/tenant-t2": "degraded"}),
    ("versions never on", lambda store: store.buckets.update({"tenant-t2": ""}), {"tenant_versioning/tenant-t2": "degraded"}),
    ("no place for backups", lambda store: store.buckets.pop(BACKUPS), {f"backup_buckets/{BACKUPS}": "critical"}),
    ("backups without versions", lambda store: store.buckets.update({BACKUPS: ""}), {f"backup_buckets/{BACKUPS}/versioning": "critical"}),
    ("backups without lock", lambda store: store.locks.clear(), {f"backup_buckets/{BACKUPS}/lock": "critical"}),
    ("a lock that locks nothing", lambda store: store.locks.update({BACKUPS: Lock("", 0)}), {f"backup_buckets/{BACKUPS}/lock": "critical"}),
    ("a lock that can be lifted", lambda store: store.locks.update({BACKUPS: Lock("GOVERNANCE", 90)}), {f"backup_buckets/{BACKUPS}/lock": "degraded"}),
    ("too short a lock", lambda store: store.locks.update({BACKUPS: Lock("COMPLIANCE", 7)}), {f"backup_buckets/{BACKUPS}/lock": "degraded"}),
    ("backups open to strangers", lambda store: store.open.update({BACKUPS: "x"}), {f"closed/{BACKUPS}": "critical"}),
    ("everything open to strangers", lambda store: store.open.update({"": "x"}), {"closed/all": "critical"}),
]


@pytest.mark.parametrize(("change", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_exactly_what_is_broken_is_found(change: Change, expected: dict[str, str]) -> None:
    store = healthy()
    change(store)
    made = perform(store)
    assert wrong(made) == expected
    touched = {tenant for one in made.items for tenant in one["tenants"]}
    assert touched == {name.partition("tenant-")[2] for name in expected if "tenant-" in name}


def test_what_is_not_declared_is_skipped_with_the_reason() -> None:
    made = perform(healthy(), 0, {})
    assert wrong(made) == {"tenant_buckets": "skipped", "tenant_versioning": "skipped", "backup_buckets": "skipped"}
    assert "not configured" in next(done.reason for done in made.checks if done.id == "object_store.backup_buckets")


def test_only_tenants_at_home_have_a_bucket_where_the_inventory_says_so() -> None:
    store = healthy()
    store.buckets.pop("tenant-t0")
    assert wrong(perform(store, options={**OPTIONS, "placement": "home"})) == {}
    assert wrong(perform(store)) == {"tenant_buckets/tenant-t0": "critical"}


def test_what_an_account_may_not_list_is_asked_for_and_not_called_missing() -> None:
    store = healthy()
    store.listed = set()
    assert wrong(perform(store)) == {}
    store.refuses = {"exists"}
    made = perform(store)
    assert wrong(made) == {"tenant_buckets": "unknown", "backup_buckets": "unknown"}
    assert all("a right is missing" in done.reason and "s3:" in done.reason for done in made.checks if done.outcome == "could_not_run")


@pytest.mark.parametrize(
    ("method", "unknown"),
    [
        ("names", {"up", "clock", "tenant_buckets", "tenant_versioning", "backup_buckets"}),
        ("versioning", {"tenant_versioning", "backup_buckets"}),
        ("lock", {"backup_buckets"}),
    ],
)
def test_a_missing_right_is_unknown_and_named(method: str, unknown: set[str]) -> None:
    store = healthy()
    store.refuses.add(method)
    made = perform(store)
    assert wrong(made) == dict.fromkeys(unknown, "unknown")
    assert all("s3:" in done.reason for done in made.checks if done.outcome == "could_not_run")


def test_silence_makes_everything_unknown_after_one_question() -> None:
    store = healthy()
    store.silent = True
    assert set(wrong(perform(store)).values()) == {"unknown"}
    assert sum(store.asked.values()) <= 2


def test_buckets_that_are_all_gone_are_told_of_once() -> None:
    store = healthy()
    for name in ("tenant-t0", "tenant-t1", "tenant-t2"):
        store.buckets.pop(name)
    made = wrong(perform(store))
    assert made == {"tenant_versioning": "skipped", **{f"tenant_buckets/tenant-t{number}": "critical" for number in range(3)}}


def test_a_wrong_option_is_named() -> None:
    made = perform(healthy(), options={"backup_buckets": "one"})
    assert any("backup_buckets" in done.reason and "must be a list" in done.reason for done in made.checks)


class Gateway:
    """What an S3Client is to the driver."""

    where = "object store x"
    timeout = 5.0

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.queries: list[dict[str, str]] = []

    def request(self, _method: str, _path: str, query: dict[str, str] | None = None, **_more: Any) -> Answer:
        self.queries.append(dict(query or {}))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def xml(body: str, **headers: str) -> Answer:
    return Answer(200, headers, body.encode())


def gateway(*answers: Answer | Exception) -> tuple[Versitygw, Gateway]:
    client = Gateway(*answers)
    return Versitygw(client, "https://localhost:1", None), client  # type: ignore[arg-type]


def test_a_long_list_of_buckets_is_read_to_its_end() -> None:
    now = datetime.datetime.now(datetime.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    page = "<ListAllMyBucketsResult><Buckets><Bucket><Name>{}</Name></Bucket></Buckets>{}</ListAllMyBucketsResult>"
    driver, client = gateway(xml(page.format("a", "<ContinuationToken>t</ContinuationToken>"), Date=now), xml(page.format("b", "")))
    names = driver.names()
    assert names.buckets == {"a", "b"}
    assert names.skew is not None
    assert -5 < names.skew[0] <= names.skew[1] < 5
    assert client.queries[1]["continuation-token"] == "t"
    with pytest.raises(NoData, match="no list of buckets"):
        gateway(xml("<html/>"))[0].names()


def test_what_the_gateway_says_of_a_bucket() -> None:
    lock = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{}</ObjectLockConfiguration>"
    rule = "<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Years>1</Years></DefaultRetention></Rule>"
    assert gateway(xml(lock.format(rule)))[0].lock("b") == Lock("COMPLIANCE", 365)
    assert gateway(xml(lock.format("")))[0].lock("b") == Lock("", 0)
    assert gateway(S3Error("none", "ObjectLockConfigurationNotFoundError", 404))[0].lock("b") is None
    assert gateway(xml("<VersioningConfiguration/>"))[0].versioning("b") == ""
    assert gateway(xml("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"))[0].versioning("b") == "Enabled"
    assert gateway(S3Error("gone", "404", 404))[0].exists("b") is False
    assert gateway(Answer(200, {}, b""))[0].exists("b") is True
    with pytest.raises(AccessDenied, match="see the bucket b"):
        gateway(S3Error("no", "403", 403))[0].exists("b")


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Amazon, Any]]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield Amazon(connect_aws("s3", {"region": "us-east-1"}, 5, 4), "Amazon S3"), boto3.client("s3", region_name="us-east-1")


def test_amazon_is_asked_the_same_on_moto(amazon: tuple[Amazon, Any]) -> None:
    driver, client = amazon
    for name in (BACKUPS, "tenant-t0", "tenant-t1", "tenant-t2"):
        client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=name == BACKUPS)
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        closed = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
        client.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=closed)
    retention = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}}}
    client.put_object_lock_configuration(Bucket=BACKUPS, ObjectLockConfiguration=retention)
    made = {name: verdict for name, verdict in wrong(perform(driver)).items() if name != "clock"}
    assert made == {}
    client.put_bucket_versioning(Bucket="tenant-t1", VersioningConfiguration={"Status": "Suspended"})
    client.delete_public_access_block(Bucket=BACKUPS)
    client.delete_bucket(Bucket="tenant-t2")
    made = {name: verdict for name, verdict in wrong(perform(driver)).items() if name != "clock"}
    assert made == {"tenant_versioning/tenant-t1": "degraded", "tenant_buckets/tenant-t2": "critical", f"closed/{BACKUPS}": "critical"}
    assert driver.lock("tenant-t1") is None
    assert driver.exists("nowhere") is False


def served(folder: Path, days: float) -> tuple[str, bytes]:
    """Files of a certificate for localhost that signs itself and expires in ``days``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(end - datetime.timedelta(days=365)).not_valid_after(end)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "pair.pem").write_bytes(certificate + private)
    (folder / "ca.pem").write_bytes(certificate)
    return str(folder / "ca.pem"), private


@pytest.mark.parametrize(("days", "verdict"), [(200, "ok"), (20, "degraded"), (3, "critical"), (-1, "critical")])
def test_the_certificate_is_judged_even_when_it_is_not_accepted(tmp_path: Path, days: float, verdict: str) -> None:
    ca_file, _private = served(tmp_path, days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair.pem")
    listener = socket.create_server(("localhost", 0))

    def serve() -> None:
        while True:
            try:
                accepted = listener.accept()[0]
            except OSError:
                return
            try:
                context.wrap_socket(accepted, server_side=True).close()
            except OSError:
                accepted.close()

    threading.Thread(target=serve, daemon=True).start()
    connection = {
        "driver": "versitygw",
        "endpoint": f"https://localhost:{listener.getsockname()[1]}",
        "region": "x",
        "access_key": "a",
        "secret_key": "s",
        "ca_file": ca_file,
    }
    usual = {"profile": "daily", "without": [], "writes": True, "thresholds": {}, "options": {}, "tenants": [], "absent": None, "budget": 20.0}
    made = run({**usual, "region": "us-east-1", "connect_timeout": 2.0, "connection": connection, "only": ["object_store.certificate"]})
    listener.close()
    assert [one["verdict"] for one in made["items"]] == [verdict]
    assert made["items"][0]["observed"] == pytest.approx(days, abs=0.2)
    assert ("not accepted" in made["items"][0]["message"]) is (days < 0)


def test_the_module_its_catalogue_and_its_runbook_agree() -> None:
    assert yaml.safe_load(health_object_store.DOCUMENTATION)["module"] == "health_object_store"
    known = {about.id for about in catalogue.everything()}
    text = (ROOT / "docs/runbooks/object_store.md").read_text(encoding="utf-8")
    for check in CHECKS:
        assert check.id in known
        assert f"\n## {check.runbook.partition('#')[2]}\n" in text
        named = " ".join(check.grants)
        assert all(action.rstrip(",") in text for action in named.split() if action.startswith("s3:"))
