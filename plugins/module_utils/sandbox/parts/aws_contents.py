# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guides describe of the platform in AWS, made in a moto server.

Sources: Enterprise Operations Guide (regions, RDS primary and read replica, ElastiCache, EKS, KMS) and Production Deployment
and Operations Guide (names, versions, sizes). Nothing in the sandbox's own systems hangs on these objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...common.lazy import LazyModule
from ..settings import REGIONS

if TYPE_CHECKING:
    import boto3
    from botocore import config as botocore_config
    from botocore import exceptions as botocore_errors
else:
    boto3 = LazyModule("boto3")
    botocore_config = LazyModule("botocore.config")
    botocore_errors = LazyModule("botocore.exceptions")

PRIMARY, STANDBY = REGIONS
ACCOUNT = "123456789012"
DATABASE = "leanvibe-production"
DOMAIN = "leanvibe.ai."
API_NAME = "api.leanvibe.ai."
KEYS = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
KEY_ALIAS = "alias/leanvibe-production"


class _Seed:
    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.done: list[str] = []

    def client(self, service: str, region: str) -> Any:
        config = botocore_config.Config(connect_timeout=5, read_timeout=20, retries={"max_attempts": 2})
        # moto checks neither keys nor signatures.
        factory: Any = boto3.client
        return factory(service, region_name=region, endpoint_url=self.endpoint, config=config, **KEYS)

    def missing(self, call: Callable[[], Any], *codes: str) -> bool:
        """Whether AWS answers that the thing is not there."""
        try:
            call()
            return False
        except botocore_errors.ClientError as error:
            if error.response["Error"]["Code"] in codes:
                return True
            raise

    def say(self, what: str) -> None:
        self.done.append(what)


def seed(endpoint: str) -> list[str]:
    """Make what is missing; returns what was made."""
    work = _Seed(endpoint)
    for region in REGIONS:
        _key(work, region)
        _cluster(work, region)
        _cache(work, region)
        _secret(work, region)
    _databases(work)
    _names(work)
    return work.done


def _key(work: _Seed, region: str) -> None:
    kms = work.client("kms", region)
    if any(alias["AliasName"] == KEY_ALIAS for alias in kms.list_aliases()["Aliases"]):
        return
    key = kms.create_key(Description="LeanVibe production data", Tags=[{"TagKey": "Environment", "TagValue": "sandbox"}])["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=KEY_ALIAS, TargetKeyId=key)
    kms.enable_key_rotation(KeyId=key)
    work.say(f"KMS key {KEY_ALIAS} in {region}")


def _cluster(work: _Seed, region: str) -> None:
    eks = work.client("eks", region)
    name = "leanvibe-production"
    if not work.missing(lambda: eks.describe_cluster(name=name), "ResourceNotFoundException"):
        return
    role = f"arn:aws:iam::{ACCOUNT}:role/leanvibe-eks"
    eks.create_cluster(name=name, version="1.36", roleArn=role, resourcesVpcConfig={"subnetIds": ["subnet-1", "subnet-2", "subnet-3"]})
    eks.create_nodegroup(
        clusterName=name, nodegroupName="application", nodeRole=role, subnets=["subnet-1"], scalingConfig={"minSize": 3, "maxSize": 10, "desiredSize": 3}
    )
    work.say(f"EKS cluster {name} in {region}")


def _cache(work: _Seed, region: str) -> None:
    elasticache = work.client("elasticache", region)
    name = "leanvibe-redis"
    if not work.missing(lambda: elasticache.describe_replication_groups(ReplicationGroupId=name), "ReplicationGroupNotFoundFault"):
        return
    elasticache.create_replication_group(
        ReplicationGroupId=name,
        ReplicationGroupDescription=f"LeanVibe cache in {region}",
        Engine="redis",
        EngineVersion="7.0",
        CacheNodeType="cache.r6g.large",
        NumNodeGroups=1,
        ReplicasPerNodeGroup=1,
        AutomaticFailoverEnabled=True,
        MultiAZEnabled=True,
        TransitEncryptionEnabled=True,
        AtRestEncryptionEnabled=True,
    )
    work.say(f"ElastiCache replication group {name} in {region}")


def _secret(work: _Seed, region: str) -> None:
    manager = work.client("secretsmanager", region)
    name = "leanvibe/production/database"
    if not work.missing(lambda: manager.describe_secret(SecretId=name), "ResourceNotFoundException"):
        return
    manager.create_secret(Name=name, KmsKeyId=KEY_ALIAS, SecretString='{"username": "leanvibe_operations", "password": "seeded by the sandbox, opens nothing"}')
    work.say(f"secret {name} in {region}")


def _databases(work: _Seed) -> None:
    primary = work.client("rds", PRIMARY)
    standby = work.client("rds", STANDBY)
    if work.missing(lambda: primary.describe_db_instances(DBInstanceIdentifier=DATABASE), "DBInstanceNotFound", "DBInstanceNotFoundFault"):
        primary.create_db_instance(
            DBInstanceIdentifier=DATABASE,
            DBName="leanvibe",
            Engine="postgres",
            EngineVersion="15.4",
            DBInstanceClass="db.r6g.xlarge",
            AllocatedStorage=500,
            MasterUsername="leanvibe_master",
            ManageMasterUserPassword=True,
            MultiAZ=True,
            StorageEncrypted=True,
            BackupRetentionPeriod=30,
            DeletionProtection=True,
        )
        work.say(f"RDS instance {DATABASE} in {PRIMARY}")
    replica = f"{DATABASE}-dr"
    if work.missing(lambda: standby.describe_db_instances(DBInstanceIdentifier=replica), "DBInstanceNotFound", "DBInstanceNotFoundFault"):
        source = f"arn:aws:rds:{PRIMARY}:{ACCOUNT}:db:{DATABASE}"
        standby.create_db_instance_read_replica(DBInstanceIdentifier=replica, SourceDBInstanceIdentifier=source, SourceRegion=PRIMARY)
        work.say(f"RDS read replica {replica} in {STANDBY}")


def _names(work: _Seed) -> None:
    route53 = work.client("route53", PRIMARY)
    if route53.list_hosted_zones_by_name(DNSName=DOMAIN)["HostedZones"]:
        return
    zone = route53.create_hosted_zone(Name=DOMAIN, CallerReference="leanvibe-sandbox")["HostedZone"]["Id"]
    changes = []
    for region, role in ((PRIMARY, "PRIMARY"), (STANDBY, "SECONDARY")):
        target = f"{region}.api.leanvibe.ai"
        check = route53.create_health_check(
            CallerReference=f"leanvibe-sandbox-{region}",
            HealthCheckConfig={
                "Type": "HTTPS", "FullyQualifiedDomainName": target, "Port": 443, "ResourcePath": "/health", "RequestInterval": 10, "FailureThreshold": 3
            },
        )["HealthCheck"]["Id"]  # fmt: skip
        record = {"Name": API_NAME, "Type": "CNAME", "SetIdentifier": region, "Failover": role, "TTL": 60, "HealthCheckId": check}
        changes.append({"Action": "UPSERT", "ResourceRecordSet": {**record, "ResourceRecords": [{"Value": target}]}})
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Comment": "failover of the API", "Changes": changes})
    work.say(f"Route 53 zone {DOMAIN} with failover records")
