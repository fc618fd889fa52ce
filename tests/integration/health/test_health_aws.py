# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_aws on the sandbox's stand-in for AWS: silent while all is well; for each fault exactly the checks that it may raise."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from module_runs import EAST, WEST, look, wrong

KEYS = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
REPLICA = "leanvibe-production-dr"
# What the tests break is theirs: nothing that the sandbox has seeded is changed.
NAME = f"hc-{secrets.token_hex(3)}"
DECLARED: dict[str, Any] = {
    "account_id": "123456789012",
    "cloudwatch": False,
    "rds_instances": {NAME: {"multi_az": True, "backup_retention_days": 30}, REPLICA: {"replica_of": "leanvibe-production"}},
    "elasticache_groups": {NAME: {"tls": True, "members": 2}},
    "eks_clusters": {"leanvibe-production": {"version": "1.36"}},
    "route53_health_checks": [f"{NAME}.example.com", f"{EAST}.api.leanvibe.ai"],
    "kms_keys": [f"alias/{NAME}", "alias/leanvibe-production"],
}


class Cloud:
    """The region us-west-2 through clients of the test's own."""

    def __init__(self, endpoint: str) -> None:
        self.connection = {"region": WEST, "endpoint_url": endpoint, "access_key": "sandbox", "secret_key": "sandbox"}
        self.key = self.check = ""

    def client(self, service: str) -> Any:
        factory: Any = boto3.client
        return factory(service, region_name=WEST, endpoint_url=self.connection.get("endpoint_url"), **KEYS)

    def make(self) -> None:
        self.client("rds").create_db_instance(
            DBInstanceIdentifier=NAME,
            Engine="postgres",
            EngineVersion="15.4",
            DBInstanceClass="db.r6g.large",
            AllocatedStorage=100,
            MasterUsername="hc",
            ManageMasterUserPassword=True,
            MultiAZ=True,
            BackupRetentionPeriod=30,
        )
        self.client("elasticache").create_replication_group(
            ReplicationGroupId=NAME,
            ReplicationGroupDescription="hc",
            Engine="redis",
            CacheNodeType="cache.r6g.large",
            NumNodeGroups=1,
            ReplicasPerNodeGroup=1,
            AutomaticFailoverEnabled=True,
            TransitEncryptionEnabled=True,
        )
        kms = self.client("kms")
        self.key = kms.create_key(Description="hc")["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=f"alias/{NAME}", TargetKeyId=self.key)
        kms.enable_key_rotation(KeyId=self.key)
        configuration = {"Type": "HTTPS", "FullyQualifiedDomainName": f"{NAME}.example.com", "Port": 443, "ResourcePath": "/health"}
        self.check = self.client("route53").create_health_check(CallerReference=NAME, HealthCheckConfig=configuration)["HealthCheck"]["Id"]

    def remove(self) -> None:
        self.client("rds").delete_db_instance(DBInstanceIdentifier=NAME, SkipFinalSnapshot=True)
        self.client("elasticache").delete_replication_group(ReplicationGroupId=NAME)
        self.client("kms").delete_alias(AliasName=f"alias/{NAME}")
        self.client("kms").schedule_key_deletion(KeyId=self.key, PendingWindowInDays=7)
        self.client("route53").delete_health_check(HealthCheckId=self.check)

    def look(self, **options: Any) -> list[dict[str, Any]]:
        return look("aws", WEST, self.connection, options={**DECLARED, **options}).items


@pytest.fixture(scope="module")
def cloud(sandbox: dict[str, Any]) -> Iterator[Cloud]:
    made = Cloud(sandbox["aws"]["endpoint"])
    made.make()
    try:
        yield made
    finally:
        made.remove()


def test_what_is_declared_is_well(cloud: Cloud) -> None:
    for _time in range(3):
        items = cloud.look()
        assert wrong(items) == {}, items
        assert {item["id"] for item in items if item["verdict"] == "skipped"} == {"aws.rds_storage"}


def modified(**change: Any) -> Callable[[Cloud], Any]:
    """The instance with other settings."""

    @contextmanager
    def make(cloud: Cloud) -> Iterator[None]:
        rds = cloud.client("rds")
        try:
            rds.modify_db_instance(DBInstanceIdentifier=NAME, ApplyImmediately=True, **change)
            yield
        finally:
            rds.modify_db_instance(DBInstanceIdentifier=NAME, ApplyImmediately=True, MultiAZ=True, BackupRetentionPeriod=30)

    return make


@contextmanager
def stopped(cloud: Cloud) -> Iterator[None]:
    rds = cloud.client("rds")
    try:
        rds.modify_db_instance(DBInstanceIdentifier=NAME, ApplyImmediately=True, MultiAZ=True)
        rds.stop_db_instance(DBInstanceIdentifier=NAME)
        yield
    finally:
        rds.start_db_instance(DBInstanceIdentifier=NAME)


@contextmanager
def key_off(cloud: Cloud) -> Iterator[None]:
    kms = cloud.client("kms")
    try:
        kms.disable_key(KeyId=cloud.key)
        yield
    finally:
        kms.enable_key(KeyId=cloud.key)


@contextmanager
def key_deleted(cloud: Cloud) -> Iterator[None]:
    kms = cloud.client("kms")
    try:
        kms.schedule_key_deletion(KeyId=cloud.key, PendingWindowInDays=7)
        yield
    finally:
        kms.cancel_key_deletion(KeyId=cloud.key)
        kms.enable_key(KeyId=cloud.key)


@contextmanager
def key_not_renewed(cloud: Cloud) -> Iterator[None]:
    kms = cloud.client("kms")
    try:
        kms.disable_key_rotation(KeyId=cloud.key)
        yield
    finally:
        kms.enable_key_rotation(KeyId=cloud.key)


@contextmanager
def check_off(cloud: Cloud) -> Iterator[None]:
    route53 = cloud.client("route53")
    try:
        route53.update_health_check(HealthCheckId=cloud.check, Disabled=True)
        yield
    finally:
        route53.update_health_check(HealthCheckId=cloud.check, Disabled=False)


@contextmanager
def storage(cloud: Cloud) -> Iterator[dict[str, Any]]:
    """15 GiB of 100 are free."""
    names = [{"Name": "DBInstanceIdentifier", "Value": NAME}]
    data = {"MetricName": "FreeStorageSpace", "Dimensions": names, "Value": 15.0 * 1024**3, "Timestamp": datetime.now(UTC)}
    cloud.client("cloudwatch").put_metric_data(Namespace="AWS/RDS", MetricData=[data])
    yield {"cloudwatch": True, "rds_instances": [NAME]}


def declared(**options: Any) -> Callable[[Cloud], Any]:
    """Nothing is broken; what is declared is not what is there."""

    @contextmanager
    def make(_cloud: Cloud) -> Iterator[dict[str, Any]]:
        yield options

    return make


@dataclass(frozen=True)
class Fault:
    """``make`` breaks and mends, and may yield other declarations. ``may``: what must be raised, and nothing else."""

    name: str
    make: Callable[[Cloud], Any]
    may: Mapping[str, str]


FAULTS = (
    Fault("single zone", modified(MultiAZ=False), {"aws.rds_instances": "degraded"}),
    Fault("no backups", modified(BackupRetentionPeriod=0), {"aws.rds_instances": "degraded", "aws.rds_backups": "critical"}),
    Fault("instance stopped", stopped, {"aws.rds_instances": "critical"}),
    Fault("instance gone", declared(rds_instances=["hc-gone", NAME]), {"aws.rds_instances": "critical"}),
    Fault("storage fills", storage, {"aws.rds_storage": "degraded"}),
    Fault("storage not told", declared(cloudwatch=True, rds_instances=[REPLICA]), {"aws.rds_storage": "unknown"}),
    Fault("cache lost a member", declared(elasticache_groups={NAME: {"members": 3}}), {"aws.elasticache_groups": "degraded"}),
    Fault("cache gone", declared(elasticache_groups=["hc-gone"]), {"aws.elasticache_groups": "critical"}),
    Fault("cluster gone", declared(eks_clusters=["hc-gone"]), {"aws.eks_clusters": "critical"}),
    Fault("cluster of another version", declared(eks_clusters={"leanvibe-production": {"version": "1.37"}}), {"aws.eks_clusters": "degraded"}),
    Fault("health check off", check_off, {"aws.route53_health_checks": "degraded"}),
    Fault("health check gone", declared(route53_health_checks=["hc-gone.example.com"]), {"aws.route53_health_checks": "critical"}),
    Fault("key off", key_off, {"aws.kms_keys": "critical"}),
    Fault("key to be deleted", key_deleted, {"aws.kms_keys": "critical"}),
    Fault("key never renewed", key_not_renewed, {"aws.kms_keys": "degraded"}),
    Fault("another account", declared(account_id="999999999999"), {"aws.account": "critical"}),
)


@pytest.mark.faults(sample=2)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_fault_is_found_and_nothing_else(cloud: Cloud, fault: Fault, catalogue: Any) -> None:
    with fault.make(cloud) as options:
        items = cloud.look(**(options or {}))
        catalogue.judge(f"aws: {fault.name}", fault.may.items(), {(name, verdict) for (name, _region), verdict in wrong(items).items()}, items)
    assert wrong(cloud.look()) == {}


def test_the_inventory_s_declarations_are_taken(checkout: Path, ansible_env: dict[str, str]) -> None:
    """The module through Ansible, with what the sandbox's inventory declares."""
    arguments = "region={{ leanvibe_ops_region }} connection={{ leanvibe_ops_aws }} options={{ health_options }}"
    command = ["ansible", "aws", "-i", "inventories/sandbox", "-m", "leanvibe.ops.health_aws", "-a", arguments]
    done = subprocess.run(command, cwd=checkout, env=ansible_env, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("verdict: ok") >= 12
    assert not any(f"verdict: {verdict}" in done.stdout for verdict in ("critical", "degraded", "unknown")), done.stdout
