# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account of a test's own in each system: what makes it is given what it needs, and clients of the test's own read it back, change it, and take it away."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import psycopg
import redis
from ansible.module_utils.testing import patch_module_args
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.object_store import S3Client
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.versitygw import VersitygwAdmin
from ansible_collections.leanvibe.ops.plugins.module_utils.registry.schema import bring_up
from botocore.config import Config
from health_cluster import Cluster
from psycopg import sql

EAST = "us-east-1"
CHECKOUT = Path(__file__).resolve().parents[3]
READER = "leanvibe-health-reader"
MODULES = {
    "kubernetes": "health_reader_kubernetes",
    "postgresql": "health_reader_postgresql",
    "control": "health_reader_control",
    "pgbouncer": "health_reader_pgbouncer",
    "redis": "health_reader_redis",
    "neo4j": "health_reader_neo4j",
    "object_store": "health_reader_object_store",
    "aws": "health_reader_aws",
}


def act(system: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
    """One call of the module health_reader_<system> as Ansible makes it. No secret is in what it returns."""
    module = importlib.import_module(f"ansible_collections.leanvibe.ops.plugins.modules.{MODULES[system]}")
    output = io.StringIO()
    given = {"region": EAST, "timeout": 60, **arguments, "_ansible_check_mode": check, "_ansible_diff": True}
    with patch_module_args(given), contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        module.main()
    answer = json.loads(output.getvalue())
    assert not answer.get("failed"), answer
    told = json.dumps({name: value for name, value in answer.items() if name != "invocation"})
    for part in (arguments.get("account") or {}, arguments.get("connection") or {}, arguments.get("registry") or {}):
        assert all(str(part.get(key) or "no secret here") not in told for key in ("password", "secret_key"))
    return dict(answer)


def s3(sandbox: dict[str, Any], keys: dict[str, str], region: str = EAST) -> Any:
    """A client of the region's store."""
    made: Any = boto3.client(
        "s3",
        endpoint_url=sandbox["regions"][region]["object_store"]["endpoint"],
        region_name=region,
        aws_access_key_id=keys["access_key_id"],
        aws_secret_access_key=keys["secret_access_key"],
        verify=sandbox["ca_file"],
        config=Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 4}, signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    # The gateway mixes up what it refused with what follows.
    made.meta.events.register("before-send.s3", lambda request, **_event: request.headers.__setitem__("Connection", "close"))
    return made


def postgresql(sandbox: dict[str, Any], credentials: dict[str, Any], database: str, user: str = "postgres", password: str = "") -> psycopg.Connection[Any]:
    """A session on the primary."""
    address = sandbox["regions"][EAST]["postgresql"]
    return psycopg.connect(
        host=address["host"], port=address["port"], dbname=database, user=user, password=password or credentials["postgresql"][user], sslmode="verify-full",
        sslrootcert=sandbox["ca_file"], autocommit=True, connect_timeout=30,
    )  # fmt: skip


class Case:
    """``state``: the account as it is, in words of the system; ``drift``: what somebody changes by hand."""

    system = ""

    def __init__(self, sandbox: dict[str, Any], sandbox_dir: Path, credentials: dict[str, Any]) -> None:
        self.sandbox, self.sandbox_dir, self.credentials = sandbox, sandbox_dir, credentials
        self.name = f"hr-{secrets.token_hex(4)}"
        self.secret = secrets.token_hex(16)
        self.arguments: dict[str, Any] = {}

    def state(self) -> Any:
        raise NotImplementedError

    def drift(self) -> None:
        raise NotImplementedError

    @contextmanager
    def at_work(self) -> Iterator[Case]:
        """While it is there."""
        yield self


class Redis(Case):
    system = "redis"

    @contextmanager
    def at_work(self) -> Iterator[Case]:
        where = self.sandbox["regions"][EAST]["redis"]
        self.connection = {"host": where["host"], "port": where["port"], "username": "operations", "password": self.credentials["redis"]["operations"]}
        self.arguments = {"connection": self.connection, "account": {"username": self.name, "password": self.secret}}
        self.file = Path(self.sandbox["data"]) / EAST / "redis/users.acl"
        with redis.Redis(**self.connection, socket_timeout=30, decode_responses=True) as self.client:
            try:
                yield self
            finally:
                self.client.acl_deluser(self.name)
                self.client.acl_save()

    def state(self) -> Any:
        user = self.client.acl_getuser(self.name)
        saved = [sorted(line.split()) for line in self.file.read_text(encoding="utf-8").splitlines() if line.split()[1] == self.name]
        return (user, saved) if user or saved else None

    def drift(self) -> None:
        self.client.execute_command("ACL", "SETUSER", self.name, "+get", "-time", "~*")
        self.client.acl_save()


class Kubernetes(Case):
    system = "kubernetes"

    @contextmanager
    def at_work(self) -> Iterator[Case]:
        self.cluster = Cluster(self.sandbox, self.sandbox_dir, EAST)
        parts = self.sandbox["regions"][EAST]["kubernetes"]
        connection = {"kubeconfig": parts["kubeconfig"], "context": parts["context"]}
        self.arguments = {"connection": connection, "subject": {"kind": "User", "name": self.name}}
        try:
            yield self
        finally:
            act("kubernetes", connection=connection, subject={"kind": "User", "name": "leanvibe-health"})

    def state(self) -> Any:
        rules = json.loads(self.cluster.kubectl("get", "clusterrole", READER, "-o", "jsonpath={.rules}"))
        subjects = json.loads(self.cluster.kubectl("get", "clusterrolebinding", READER, "-o", "jsonpath={.subjects}") or "[]")
        return rules, subjects

    def drift(self) -> None:
        rule = {"op": "add", "path": "/rules/-", "value": {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}}
        self.cluster.kubectl("patch", "clusterrole", READER, "--type=json", "-p", json.dumps([rule]))


class Control(Case):
    """A registry of its own on the sandbox's server."""

    system = "control"

    @contextmanager
    def at_work(self) -> Iterator[Case]:
        address = self.sandbox["regions"][EAST]["postgresql"]
        self.name = self.name.replace("-", "_")
        self.database = f"{self.name}_registry"
        common = {"host": address["host"], "port": address["port"], "database": self.database, "sslmode": "verify-full", "sslrootcert": self.sandbox["ca_file"]}
        secret = self.credentials["postgresql"]
        owner = {**common, "username": "leanvibe_registry", "password": secret["leanvibe_registry"]}
        self.arguments = {
            "registry": {**common, "username": "postgres", "password": secret["postgres"]},
            "owner": "leanvibe_registry",
            "account": {"username": self.name, "password": self.secret},
        }
        self.reader = {**common, **self.arguments["account"]}
        with postgresql(self.sandbox, self.credentials, "postgres") as admin:
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER leanvibe_registry").format(sql.Identifier(self.database)))
            try:
                bring_up(owner, str(CHECKOUT / "roles/registry/files/migrations"), check=False)
                with postgresql(self.sandbox, self.credentials, self.database) as self.client:
                    yield self
            finally:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self.database)))
                admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(self.name)))

    def state(self) -> Any:
        """Every right on every table, as the server itself works it out, and whether the password is taken."""
        found = self.client.execute("SELECT rolcanlogin, rolcreatedb FROM pg_roles WHERE rolname = %s", (self.name,)).fetchone()
        if found is None:
            return None
        rights = self.client.execute(
            "SELECT tablename, p FROM pg_tables, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) p "
            "WHERE schemaname = 'public' AND has_table_privilege(%s, ('public.' || tablename)::regclass, p) ORDER BY 1, 2",
            (self.name,),
        ).fetchall()
        return found, rights

    def drift(self) -> None:
        for statement in ("GRANT INSERT ON tenants TO {}", "REVOKE SELECT ON runs FROM {}", "ALTER ROLE {} CREATEDB"):
            self.client.execute(sql.SQL(statement).format(sql.Identifier(self.name)))  # type: ignore[arg-type]


class ObjectStore(Case):
    system = "object_store"

    @contextmanager
    def at_work(self) -> Iterator[Case]:
        keys = self.credentials["object_store"][EAST]
        operations, endpoint = keys["operations"], self.sandbox["regions"][EAST]["object_store"]["endpoint"]
        self.bucket = f"{self.name}-backups"
        self.connection = {"endpoint": endpoint, "region": EAST, "ca_file": self.sandbox["ca_file"]}
        self.arguments = {
            "connection": {**self.connection, "access_key": operations["access_key_id"], "secret_key": operations["secret_access_key"]},
            "account": {"access_key": self.name, "secret_key": self.secret},
            "backup_buckets": [self.bucket],
        }
        self.client = s3(self.sandbox, keys["root"])
        self.client.create_bucket(Bucket=self.bucket, ObjectLockEnabledForBucket=True)
        try:
            yield self
        finally:
            self.client.delete_bucket(Bucket=self.bucket)
            with S3Client(endpoint, EAST, operations["access_key_id"], operations["secret_access_key"], self.sandbox["ca_file"], 30) as client:
                VersitygwAdmin(client).delete(self.name)

    def state(self) -> Any:
        try:
            policy = json.loads(self.client.get_bucket_policy(Bucket=self.bucket)["Policy"])
        except self.client.exceptions.from_code("NoSuchBucketPolicy"):
            return None
        s3(self.sandbox, {"access_key_id": self.name, "secret_access_key": self.secret}).head_bucket(Bucket=self.bucket)
        return policy

    def drift(self) -> None:
        policy = self.state()
        policy["Statement"][0]["Action"] = ["s3:*"]
        policy["Statement"][0]["Resource"] = [f"arn:aws:s3:::{self.bucket}", f"arn:aws:s3:::{self.bucket}/*"]
        self.client.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(policy))


class Aws(Case):
    system = "aws"
    policy = "leanvibe-health-aws"

    @contextmanager
    def at_work(self) -> Iterator[Case]:
        endpoint = self.sandbox["aws"]["endpoint"]
        self.arguments = {
            "connection": {"region": EAST, "endpoint_url": endpoint, "access_key": "sandbox", "secret_key": "sandbox"},
            "user": self.name,
        }
        factory: Any = boto3.client
        self.client = factory("iam", region_name=EAST, endpoint_url=endpoint, aws_access_key_id="sandbox", aws_secret_access_key="sandbox")
        try:
            yield self
        finally:
            with contextlib.suppress(self.client.exceptions.NoSuchEntityException):
                self.client.delete_user_policy(UserName=self.name, PolicyName=self.policy)
                self.client.delete_user(UserName=self.name)

    def state(self) -> Any:
        try:
            return self.client.get_user_policy(UserName=self.name, PolicyName=self.policy)["PolicyDocument"]
        except self.client.exceptions.NoSuchEntityException:
            return None

    def drift(self) -> None:
        document = self.state()
        document["Statement"][0]["Action"].append("rds:DeleteDBInstance")
        self.client.put_user_policy(UserName=self.name, PolicyName=self.policy, PolicyDocument=json.dumps(document))


CASES: dict[str, type[Case]] = {case.system: case for case in (Redis, Kubernetes, Control, ObjectStore, Aws)}
