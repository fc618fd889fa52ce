# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Independent readers of the whole platform (kubectl, psycopg, redis-py, boto3, files of the gateway), and removal of what tests made.

Nothing here uses the collection: what it says about a run is not what the run says about itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import neo4j
import psycopg
import redis
from botocore.config import Config
from psycopg import sql

EAST, WEST = "us-east-1", "us-west-2"
CONTACTS = {kind: f"Ada Byron <{kind}@tests.example.com>" for kind in ("primary", "technical", "billing")}
TIERS = ("developer", "team", "enterprise")
OBJECTS = "namespaces,networkpolicies,configmaps,limitranges,resourcequotas,serviceaccounts,roles,rolebindings,secrets"


def declare(prefix: str, number: int, **changes: Any) -> list[dict[str, Any]]:
    """``number`` tenants ``<prefix>000`` … of all tiers and both homes."""
    return [
        {"id": f"{prefix}{index:03}", "name": f"Tenant {index}", "tier": TIERS[index % 3], "region": (EAST, WEST)[index % 2], "contacts": CONTACTS, **changes}
        for index in range(number)
    ]


class Platform:
    """The sandbox as an administrator of each system sees it."""

    def __init__(self, sandbox: dict[str, Any], credentials: dict[str, Any], folder: Path) -> None:
        self.regions: dict[str, Any] = sandbox["regions"]
        self.credentials = credentials
        self.ca_file = sandbox["ca_file"]
        self.data = Path(sandbox["data"])
        self.kubectl_path = str(folder / "bin" / "kubectl")

    def registry_params(self) -> dict[str, Any]:
        """Connection of the registry, as the collection takes it."""
        password = self.credentials["postgresql"]["leanvibe_registry"]
        return {
            **{key: self.regions[EAST]["postgresql"][key] for key in ("host", "port")},
            "database": "leanvibe_ops",
            "username": "leanvibe_registry",
            "password": password,
            "sslmode": "verify-full",
            "sslrootcert": self.ca_file,
        }

    @contextmanager
    def sql(self, database: str = "leanvibe", user: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
        address = self.regions[EAST]["postgresql"]
        with psycopg.connect(
            host=address["host"],
            port=address["port"],
            dbname=database,
            user=user,
            password=self.credentials["postgresql"][user],
            sslmode="verify-full",
            sslrootcert=self.ca_file,
            connect_timeout=10,
            autocommit=True,
        ) as connection:
            yield connection

    def rows(self, query: Any, *parameters: Any, database: str = "leanvibe_ops") -> list[Any]:
        with self.sql(database) as connection:
            return connection.execute(query, parameters).fetchall()

    def redis(self, region: str) -> redis.Redis:
        address = self.regions[region]["redis"]
        return redis.Redis(
            host=address["host"],
            port=address["port"],
            username="operations",
            password=self.credentials["redis"]["operations"],
            socket_timeout=10,
            decode_responses=True,
        )

    def s3(self, region: str, account: str = "root") -> Any:
        keys = self.credentials["object_store"][region][account]
        return boto3.client(
            "s3",
            endpoint_url=self.regions[region]["object_store"]["endpoint"],
            region_name=region,
            aws_access_key_id=keys["access_key_id"],
            aws_secret_access_key=keys["secret_access_key"],
            verify=self.ca_file,
            config=Config(connect_timeout=5, read_timeout=20, retries={"max_attempts": 2}, s3={"addressing_style": "path"}),
        )

    def kubectl(self, region: str, *arguments: str) -> str:
        connection = self.regions[region]["kubernetes"]
        access = ["--kubeconfig", connection["kubeconfig"], "--context", connection["context"], "--request-timeout=30s"]
        return subprocess.run([self.kubectl_path, *access, *arguments], capture_output=True, text=True, timeout=120, check=True).stdout

    def objects(self, region: str, prefix: str) -> list[dict[str, Any]]:
        """Every object of ours of tenants with this prefix, the Namespaces among them."""
        found = json.loads(self.kubectl(region, "get", OBJECTS, "-A", "-l", "leanvibe.ai/tenant-id", "-o", "json"))["items"]
        return [item for item in found if item["metadata"]["labels"]["leanvibe.ai/tenant-id"].startswith(prefix)]

    def accounts(self, region: str) -> dict[str, Any]:
        """Accounts of the object store's gateway, from its own file."""
        found = json.loads((self.data / region / "object_store" / "accounts" / "users.json").read_text(encoding="utf-8"))
        return dict(found["accessAccounts"])

    def nodes(self, region: str, prefix: str) -> list[str]:
        """Tenants' nodes in the graph."""
        with neo4j.GraphDatabase.driver(
            self.regions[region]["neo4j"]["uri"], auth=("neo4j", self.credentials["neo4j"][region]), connection_timeout=10
        ) as driver:
            query = "MATCH (n:Tenant) WHERE n.id STARTS WITH $prefix RETURN n.id AS id, properties(n) AS data ORDER BY id"
            return [json.dumps(record.data(), sort_keys=True, default=str) for record in driver.execute_query(query, prefix=prefix).records]

    def snapshot(self, prefix: str) -> dict[str, Any]:
        """Everything that belongs to tenants with this prefix, in a form in which any write shows."""
        name = "tenant\\_" + prefix.replace("-", "\\_") + "%"
        state: dict[str, Any] = {}
        for region in self.regions:
            for item in self.objects(region, prefix):
                meta = item["metadata"]
                version = json.dumps(item["spec"]) if item["kind"] == "ResourceQuota" else meta["resourceVersion"]
                state[f"{region} {item['kind']} {meta.get('namespace', '')}/{meta['name']}"] = version
            for line in self.redis(region).acl_list():
                if line.split()[1].startswith(f"tenant-{prefix}"):
                    state[f"{region} redis {line.split()[1]}"] = line
            for bucket in self.s3(region).list_buckets()["Buckets"]:
                if bucket["Name"].startswith(f"tenant-{prefix}"):
                    state[f"{region} bucket {bucket['Name']}"] = str(bucket["CreationDate"])
            for access, account in self.accounts(region).items():
                if access.startswith(f"tenant-{prefix}"):
                    state[f"{region} account {access}"] = json.dumps(account, sort_keys=True)
            for node in self.nodes(region, prefix):
                state[f"{region} node {json.loads(node)['id']}"] = node
        for row in self.rows("SELECT rolname, md5(rolpassword), rolcanlogin, rolconnlimit, xmin::text FROM pg_authid WHERE rolname LIKE %s", name):
            state[f"role {row[0]}"] = row[1:]
        for row in self.rows("SELECT nspname, nspacl::text, xmin::text FROM pg_namespace WHERE nspname LIKE %s", name, database="leanvibe"):
            state[f"schema {row[0]}"] = row[1:]
        return state

    def registry(self, prefix: str) -> dict[str, int]:
        """How many rows the registry has about tenants with this prefix, and in all about runs and leases."""
        if not self.rows("SELECT 1 FROM pg_tables WHERE tablename = 'tenant_history'"):
            return {}
        like = f"{prefix}%"
        return {
            "tenants": self.rows("SELECT count(*) FROM tenants WHERE id LIKE %s", like)[0][0],
            "tenant_systems": self.rows("SELECT count(*) FROM tenant_systems WHERE tenant LIKE %s", like)[0][0],
            "tenant_history": self.rows("SELECT count(*) FROM tenant_history WHERE tenant LIKE %s", like)[0][0],
            "leases": self.rows("SELECT count(*) FROM leases WHERE name LIKE %s", f"tenant/{like}")[0][0],
        }

    def secret(self, tenant_id: str, region: str) -> dict[str, str]:
        """The tenant's Secret, decoded."""
        data = json.loads(self.kubectl(region, "get", "secret", "tenant-credentials", "-n", f"tenant-{tenant_id}", "-o", "json"))["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def credentials_work(self, tenant_id: str, home: str) -> list[str]:
        """What of a tenant's Secret does not open what it should: PostgreSQL, Redis in both regions, the object store of its home."""
        secret = self.secret(tenant_id, home)
        broken = []
        url = urlsplit(secret["DATABASE_URL"])
        address = self.regions[EAST]["postgresql"]
        try:
            psycopg.connect(
                host=address["host"],
                port=address["port"],
                dbname="leanvibe",
                user=url.username,
                password=unquote(url.password or ""),
                sslmode="verify-full",
                sslrootcert=self.ca_file,
                connect_timeout=10,
            ).close()
        except psycopg.Error as error:
            broken.append(f"{tenant_id} postgresql: {error}")
        hashed = hashlib.sha256(unquote(urlsplit(secret["REDIS_URL"]).password or "").encode()).hexdigest()
        for region in self.regions:
            user = self.redis(region).acl_getuser(f"tenant-{tenant_id}")
            if not user or user["passwords"] != [hashed]:
                broken.append(f"{tenant_id} redis {region}")
            account = self.accounts(region).get(secret["S3_ACCESS_KEY_ID"])
            if account is None or account["secret"] != secret["S3_SECRET_ACCESS_KEY"]:
                broken.append(f"{tenant_id} object store {region}")
        return broken

    def remove(self, prefix: str) -> None:
        """Take everything with this prefix away again."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda region: self._remove_namespaces(region, prefix), self.regions))
        for region in self.regions:
            client = self.redis(region)
            users = [user for user in client.acl_users() if user.startswith(f"tenant-{prefix}")]
            if users:
                client.acl_deluser(*users)
                client.acl_save()
            self._remove_buckets(region, prefix)
            with neo4j.GraphDatabase.driver(self.regions[region]["neo4j"]["uri"], auth=("neo4j", self.credentials["neo4j"][region])) as driver:
                driver.execute_query("MATCH (n:Tenant) WHERE n.id STARTS WITH $prefix DETACH DELETE n", prefix=prefix)
        self._remove_roles(prefix)
        self.forget(prefix)

    def forget(self, prefix: str) -> None:
        """Take everything with this prefix out of the registry."""
        if self.registry(prefix):
            with self.sql("leanvibe_ops") as connection:
                connection.execute("DELETE FROM tenants WHERE id LIKE %s", (f"{prefix}%",))
                connection.execute("DELETE FROM tenant_history WHERE tenant LIKE %s", (f"{prefix}%",))
                connection.execute("DELETE FROM lease_holders WHERE token IN (SELECT token FROM leases WHERE name LIKE %s)", (f"tenant/{prefix}%",))

    def _remove_namespaces(self, region: str, prefix: str) -> None:
        names = [item["metadata"]["name"] for item in self.objects(region, prefix) if item["kind"] == "Namespace"]
        if names:
            self.kubectl(region, "delete", "namespace", "--ignore-not-found", "--wait=false", *names)

    def _remove_buckets(self, region: str, prefix: str) -> None:
        client = self.s3(region)
        for bucket in client.list_buckets()["Buckets"]:
            if bucket["Name"].startswith(f"tenant-{prefix}"):
                versions = client.list_object_versions(Bucket=bucket["Name"])
                for entry in (*versions.get("Versions", ()), *versions.get("DeleteMarkers", ())):
                    client.delete_object(Bucket=bucket["Name"], Key=entry["Key"], VersionId=entry["VersionId"])
                client.delete_bucket(Bucket=bucket["Name"])
        # Not at the top: the collection becomes importable after this file is read. Only removal goes through it; the gateway has no other way.
        from ansible_collections.leanvibe.ops.plugins.module_utils.clients.object_store import S3Client
        from ansible_collections.leanvibe.ops.plugins.module_utils.clients.versitygw import VersitygwAdmin

        keys = self.credentials["object_store"][region]["root"]
        endpoint = self.regions[region]["object_store"]["endpoint"]
        with S3Client(endpoint, region, keys["access_key_id"], keys["secret_access_key"], self.ca_file, 20) as signed:
            admin = VersitygwAdmin(signed)
            for access in [access for access in self.accounts(region) if access.startswith(f"tenant-{prefix}")]:
                admin.delete(access)

    def _remove_roles(self, prefix: str) -> None:
        name = "tenant\\_" + prefix.replace("-", "\\_") + "%"
        roles = [row[0] for row in self.rows("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", name)]
        with self.sql("leanvibe") as connection:
            for row in connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE %s", (name,)).fetchall():
                connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(row[0])))
            connection.execute("DELETE FROM leanvibe_private.tenant_roles WHERE tenant_id LIKE %s", (f"{prefix}%",))
            connection.execute("DELETE FROM leanvibe.tenants WHERE tenant_id LIKE %s", (f"{prefix}%",))
            for role in roles:
                connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
