# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS: each check on resources that are well, degraded, critical, absent, silent, and not ours to see."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.aws import AwsClient
from ansible_collections.leanvibe.ops.plugins.module_utils.health.results import Run
from ansible_collections.leanvibe.ops.plugins.module_utils.health.runner import Limits, Link, Selection, run_checks
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.aws import CHECKS
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.aws.account import Account
from botocore import exceptions

ROOT = Path(__file__).resolve().parents[7]
NOW = datetime.now(UTC)
OPTIONS: dict[str, Any] = {
    "rds_instances": {"main": {"multi_az": True, "backup_retention_days": 30}, "copy": {"replica_of": "main"}},
    "elasticache_groups": {"cache": {"tls": True, "members": 2}},
    "eks_clusters": {"cluster": {"version": "1.36"}},
    "route53_health_checks": ["api.example.com"],
    "kms_keys": ["alias/data"],
    "account_id": "123456789012",
}


def instance(name: str, **change: Any) -> dict[str, Any]:
    usual = {
        "DBInstanceIdentifier": name,
        "DBInstanceStatus": "available",
        "MultiAZ": True,
        "BackupRetentionPeriod": 30,
        "LatestRestorableTime": NOW - timedelta(minutes=4),
        "AllocatedStorage": 500,
        "EngineVersion": "15.4",
    }
    return {**usual, **change}


COPY = instance("copy", ReadReplicaSourceDBInstanceIdentifier="arn:aws:rds:us-east-1:1:db:main", BackupRetentionPeriod=0, MultiAZ=False)
GROUP = {
    "ReplicationGroupId": "cache",
    "Status": "available",
    "NodeGroups": [{"Status": "available"}],
    "MemberClusters": ["a", "b"],
    "TransitEncryptionEnabled": True,
    "MultiAZ": "enabled",
}
KEY = {"KeyId": "k1", "KeyState": "Enabled", "KeySpec": "SYMMETRIC_DEFAULT", "Origin": "AWS_KMS", "KeyManager": "CUSTOMER"}
CHECK = {"Id": "h1", "HealthCheckConfig": {"FullyQualifiedDomainName": "api.example.com", "Disabled": False, "Inverted": False}}


def observations(good: int, bad: int, age: int = 30) -> dict[str, Any]:
    reports = [{"StatusReport": {"Status": status, "CheckedTime": NOW - timedelta(seconds=age)}} for status in ["Success: 200"] * good + ["Failure: 503"] * bad]
    return {"HealthCheckObservations": reports}


def free(gibibytes: float | None, names: int = 2) -> dict[str, Any]:
    return {"MetricDataResults": [{"Id": f"i{number}", "Values": [] if gibibytes is None else [gibibytes * 1024**3]} for number in range(names)]}


def error(code: str) -> Exception:
    return exceptions.ClientError({"Error": {"Code": code, "Message": "told"}}, "Operation")


class Api:
    """All of AWS's services: operations answer from a table, or raise."""

    def __init__(self, **change: Any) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {
            "get_caller_identity": {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/health"},
            "describe_db_instances": {"DBInstances": [instance("main"), COPY]},
            "get_metric_data": free(400),
            "describe_replication_groups": {"ReplicationGroups": [GROUP]},
            "describe_cluster": {"cluster": {"status": "ACTIVE", "version": "1.36", "health": {"issues": []}}},
            "list_nodegroups": {"nodegroups": ["application"]},
            "describe_nodegroup": {"nodegroup": {"status": "ACTIVE", "version": "1.36", "health": {"issues": []}}},
            "list_health_checks": {"HealthChecks": [CHECK]},
            "get_health_check_status": observations(16, 0),
            "describe_key": {"KeyMetadata": KEY},
            "get_key_rotation_status": {"KeyRotationEnabled": True},
            **change,
        }

    def __getattr__(self, operation: str) -> Any:
        def call(**_arguments: Any) -> Any:
            self.asked.append(operation)
            answer = self.answers[operation]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


class FakeAccount(Account):
    """An account whose services are all one table."""

    def __init__(self, api: Api) -> None:
        super().__init__({"region": "us-east-1"}, 1)
        self.api = api

    def service(self, name: str) -> AwsClient:
        return AwsClient(self.api, f"AWS {name} test")


def look(api: Api, *only: str, **options: Any) -> Run:
    account = FakeAccount(api)
    link = Link(connect=lambda _seconds: account, answers=lambda _account, _seconds: None, close=lambda _account: None)
    return run_checks(CHECKS, link, system="aws", region="us-east-1", selection=Selection(only=only), limits=Limits(), options=options or OPTIONS)


def wrong(run: Run) -> dict[str, str]:
    return {item["id"]: item["verdict"] for item in run.items if item["verdict"] not in ("ok", "skipped")}


def test_what_is_well_is_well_and_is_all_looked_at() -> None:
    api = Api()
    run = look(api)
    assert wrong(run) == {}
    assert [done.outcome for done in run.checks] == ["executed"] * len(CHECKS)
    assert api.asked.count("describe_db_instances") == 1


def test_what_is_not_named_is_skipped_and_not_asked_for() -> None:
    api = Api()
    run = look(api, cloudwatch=True)
    assert {done.id for done in run.checks if done.outcome == "executed"} == {"aws.account"}
    assert api.asked == ["get_caller_identity"]
    assert all("names no" in item["message"] for item in run.items if item["verdict"] == "skipped")


FAULTS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "another account": ({"get_caller_identity": {"Account": "1", "Arn": "x"}}, {"aws.account": "critical"}),
    "rds stopped": ({"describe_db_instances": {"DBInstances": [instance("main", DBInstanceStatus="storage-full"), COPY]}}, {"aws.rds_instances": "critical"}),
    "rds modifying": ({"describe_db_instances": {"DBInstances": [instance("main", DBInstanceStatus="modifying"), COPY]}}, {"aws.rds_instances": "degraded"}),
    "rds replication": (
        {
            "describe_db_instances": {
                "DBInstances": [instance("main"), {**COPY, "StatusInfos": [{"StatusType": "read replication", "Normal": False, "Status": "error"}]}]
            }
        },
        {"aws.rds_instances": "critical"},
    ),
    "rds single zone": ({"describe_db_instances": {"DBInstances": [instance("main", MultiAZ=False), COPY]}}, {"aws.rds_instances": "degraded"}),
    "rds no backups": (
        {"describe_db_instances": {"DBInstances": [instance("main", BackupRetentionPeriod=0), COPY]}},
        {"aws.rds_instances": "degraded", "aws.rds_backups": "critical"},
    ),
    "rds never backed up": ({"describe_db_instances": {"DBInstances": [instance("main", LatestRestorableTime=None), COPY]}}, {"aws.rds_backups": "critical"}),
    "rds backups stuck": (
        {"describe_db_instances": {"DBInstances": [instance("main", LatestRestorableTime=NOW - timedelta(hours=1)), COPY]}},
        {"aws.rds_backups": "degraded"},
    ),
    "rds storage": ({"get_metric_data": free(90)}, {"aws.rds_storage": "degraded"}),
    "rds storage full": ({"get_metric_data": free(5)}, {"aws.rds_storage": "critical"}),
    "rds storage not told": ({"get_metric_data": free(None)}, {"aws.rds_storage": "unknown"}),
    "cache gone": ({"describe_replication_groups": {"ReplicationGroups": []}}, {"aws.elasticache_groups": "critical"}),
    "cache failed": ({"describe_replication_groups": {"ReplicationGroups": [{**GROUP, "Status": "create-failed"}]}}, {"aws.elasticache_groups": "critical"}),
    "cache busy": ({"describe_replication_groups": {"ReplicationGroups": [{**GROUP, "Status": "snapshotting"}]}}, {"aws.elasticache_groups": "degraded"}),
    "cache lost a member": (
        {"describe_replication_groups": {"ReplicationGroups": [{**GROUP, "MemberClusters": ["a"]}]}},
        {"aws.elasticache_groups": "degraded"},
    ),
    "cluster gone": ({"describe_cluster": error("ResourceNotFoundException")}, {"aws.eks_clusters": "critical"}),
    "cluster failed": ({"describe_cluster": {"cluster": {"status": "FAILED", "version": "1.36"}}}, {"aws.eks_clusters": "critical"}),
    "node group has issues": (
        {"describe_nodegroup": {"nodegroup": {"status": "ACTIVE", "health": {"issues": [{"code": "AsgInstanceLaunchFailures", "message": "no"}]}}}},
        {"aws.eks_clusters": "degraded"},
    ),
    "node group degraded": ({"describe_nodegroup": {"nodegroup": {"status": "DEGRADED"}}}, {"aws.eks_clusters": "critical"}),
    "half of the checkers": ({"get_health_check_status": observations(8, 8)}, {"aws.route53_health_checks": "degraded"}),
    "endpoint down": ({"get_health_check_status": observations(1, 15)}, {"aws.route53_health_checks": "critical"}),
    "old observations": ({"get_health_check_status": observations(16, 0, age=3600)}, {"aws.route53_health_checks": "unknown"}),
    "health check gone": ({"list_health_checks": {"HealthChecks": []}}, {"aws.route53_health_checks": "critical"}),
    "health check off": (
        {"list_health_checks": {"HealthChecks": [{**CHECK, "HealthCheckConfig": {**CHECK["HealthCheckConfig"], "Disabled": True}}]}},  # type: ignore[dict-item]
        {"aws.route53_health_checks": "degraded"},
    ),
    "key to be deleted": (
        {"describe_key": {"KeyMetadata": {**KEY, "KeyState": "PendingDeletion", "DeletionDate": NOW + timedelta(days=7)}}},
        {"aws.kms_keys": "critical"},
    ),
    "key off": ({"describe_key": {"KeyMetadata": {**KEY, "KeyState": "Disabled"}}}, {"aws.kms_keys": "critical"}),
    "key gone": ({"describe_key": error("NotFoundException")}, {"aws.kms_keys": "critical"}),
    "key never renewed": ({"get_key_rotation_status": {"KeyRotationEnabled": False}}, {"aws.kms_keys": "degraded"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_nothing_else(name: str) -> None:
    change, expected = FAULTS[name]
    assert wrong(look(Api(**change))) == expected


def test_a_key_that_aws_cannot_renew_needs_no_rotation() -> None:
    for change in ({"KeySpec": "RSA_2048"}, {"Origin": "EXTERNAL"}):
        api = Api(describe_key={"KeyMetadata": {**KEY, **change}}, get_key_rotation_status=error("UnsupportedOperationException"))
        assert wrong(look(api)) == {}
    assert wrong(look(Api(get_key_rotation_status={"KeyRotationEnabled": False}), kms_keys={"alias/data": {"rotation": False}})) == {}


def test_where_storage_grows_by_itself_its_limit_counts() -> None:
    api = Api(describe_db_instances={"DBInstances": [instance("main", MaxAllocatedStorage=1000), COPY]}, get_metric_data=free(10))
    run = look(api, "aws.rds_storage", rds_instances=["main"])
    assert wrong(run) == {}
    assert run.items[0]["observed"] == 49.0


def test_a_declaration_that_nobody_knows_is_told() -> None:
    run = look(Api(), "aws.rds_instances", rds_instances={"main": {"multiaz": True}})
    assert wrong(run) == {"aws.rds_instances": "unknown"}
    assert "multiaz" in run.items[0]["message"]


def test_where_there_is_no_cloudwatch_storage_is_skipped() -> None:
    run = look(Api(get_metric_data=error("InternalError")), "aws.rds_storage", rds_instances=["main"], cloudwatch=False)
    assert [item["verdict"] for item in run.items] == ["skipped"]


@pytest.mark.parametrize("check", [check for check in CHECKS if check.grants], ids=lambda check: check.id)
def test_a_missing_right_is_named(check: Any) -> None:
    api = Api(**{name: error("AccessDeniedException") for name in Api().answers if name != "get_caller_identity"})
    run = look(api, check.id)
    assert [item["verdict"] for item in run.items] == ["unknown"]
    assert "a right is missing" in run.items[0]["message"]
    assert all(grant in run.items[0]["message"] for grant in check.grants)


def test_the_runbook_s_policy_has_exactly_the_rights_that_checks_name() -> None:
    text = (ROOT / "docs/runbooks/aws.md").read_text(encoding="utf-8")
    match = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert match is not None
    (statement,) = json.loads(match[1])["Statement"]
    assert set(statement["Action"]) == {grant for check in CHECKS for grant in check.grants}


def test_every_check_has_its_chapter_in_the_runbook() -> None:
    chapters = set(re.findall(r"^## (\S+)$", (ROOT / "docs/runbooks/aws.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert {check.runbook for check in CHECKS} <= {f"runbooks/aws.md#{chapter}" for chapter in chapters}
