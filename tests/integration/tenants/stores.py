# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of tenants on Redis, Neo4j and the object store share: the modules, tenants with real Secrets, and independent readers."""

from __future__ import annotations

import base64
import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import boto3
import neo4j
import pytest
from ansible.module_utils.testing import patch_module_args
from botocore.config import Config

if TYPE_CHECKING:
    from conftest import Kubernetes

EAST, WEST = "us-east-1", "us-west-2"
MODULES = "ansible_collections.leanvibe.ops.plugins.modules"


def _one_connection_each(request: Any, **_event: Any) -> None:
    request.headers["Connection"] = "close"


class Stores:
    """One run's view of the sandbox's stores. Everything that it makes is named ``rn-…`` and removed at its end."""

    def __init__(self, clusters: Kubernetes, sandbox: dict[str, Any], credentials: dict[str, Any], sandbox_dir: Path) -> None:
        self.clusters = clusters
        self.sandbox = sandbox
        self.credentials = credentials
        self.redis_cli_path = str(sandbox_dir / "bin" / "redis-cli") if (sandbox_dir / "bin" / "redis-cli").exists() else "redis-cli"
        self.made: set[str] = set()
        self._crowd: list[dict[str, Any]] = []
        self._secrets: dict[str, dict[str, str]] = {}
        self._graphs: dict[str, neo4j.Driver] = {}

    def tenant(self, name: str, **change: Any) -> dict[str, Any]:
        """A declaration; its id is ``rn-<name>-<run>``."""
        tenant_id = f"rn-{name}-{self.clusters.run_id}"
        self.made.add(tenant_id)
        self.clusters.made.add(f"tenant-{tenant_id}")
        return {"id": tenant_id, "name": f"Tenant {name}", "tier": "developer", "region": EAST, **change}

    def prepared(self, *names: str) -> list[dict[str, Any]]:
        """Tenants that have their Secrets, as Kubernetes makes them before any store is asked."""
        tenants = [self.tenant(name) for name in names]
        answer = self.clusters.module(EAST, "prepare", tenants)
        assert {result["verdict"] for result in answer["results"]} == {"succeeded"}, answer
        return tenants

    def crowd(self, size: int) -> list[dict[str, Any]]:
        """Up to 50 tenants with Secrets, the same ones each time, of which the stores know nothing."""
        if not self._crowd:
            self._crowd = self.prepared(*(f"crowd-{number}" for number in range(50)))
        chosen = self._crowd[:size]
        self.clear({tenant["id"] for tenant in chosen})
        return chosen

    def secret(self, tenant: Mapping[str, Any]) -> dict[str, str]:
        """The tenant's Secret in its home region, in clear. No test changes one, so each is asked for once."""
        if tenant["id"] not in self._secrets:
            item = self.clusters.get(EAST, "secret", "tenant-credentials", "-n", f"tenant-{tenant['id']}")
            self._secrets[tenant["id"]] = {key: base64.b64decode(value).decode() for key, value in item["data"].items()}
        return self._secrets[tenant["id"]]

    def connection(self, system: str, region: str) -> dict[str, Any]:
        """How the operators reach a system."""
        parts = self.sandbox["regions"][region]
        if system == "redis":
            address = {"host": parts["redis"]["host"], "port": parts["redis"]["port"]}
            return {**address, "username": "operations", "password": self.credentials["redis"]["operations"]}
        if system == "neo4j":
            return {"uri": parts["neo4j"]["uri"], "username": "neo4j", "password": self.credentials["neo4j"][region]}
        keys = self.credentials["object_store"][region]["operations"]
        return {
            "endpoint": parts["object_store"]["endpoint"],
            "region": region,
            "access_key": keys["access_key_id"],
            "secret_key": keys["secret_access_key"],
            "ca_file": self.sandbox["ca_file"],
        }

    def params(self, system: str, region: str, tenants: Sequence[Mapping[str, Any]], **change: Any) -> dict[str, Any]:
        return {
            "region": region,
            "tenants": list(tenants),
            "tiers": self.clusters.tiers,
            "connection": self.connection(system, region),
            "secrets": {name: self.clusters.connection(name) for name in (EAST, WEST)},
            "timeout": 20,
            **change,
        }

    def run(self, system: str, region: str, tenants: Sequence[Mapping[str, Any]], *, check: bool = False, **change: Any) -> dict[str, Any]:
        """Run a module's main() as Ansible does and return its result."""
        module = importlib.import_module(f"{MODULES}.tenants_{system}")
        output = io.StringIO()
        arguments = {**self.params(system, region, tenants, **change), "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), contextlib.redirect_stdout(output), pytest.raises(SystemExit):
            module.main()
        answer = dict(json.loads(output.getvalue()))
        self._hold_secrets_back(tenants, answer)
        return answer

    def _hold_secrets_back(self, tenants: Sequence[Mapping[str, Any]], answer: Mapping[str, Any]) -> None:
        """No result may hold a secret of ours or of a tenant whose Secret was read."""
        shown = json.dumps({key: value for key, value in answer.items() if key != "invocation"})
        assert self.credentials["redis"]["operations"] not in shown
        for secret in (self._secrets[tenant["id"]] for tenant in tenants if tenant["id"] in self._secrets):
            assert secret["S3_SECRET_ACCESS_KEY"] not in shown
            assert str(unquote(urlsplit(secret["REDIS_URL"]).password or "")) not in shown

    def start(self, system: str, region: str, tenants: Sequence[Mapping[str, Any]]) -> subprocess.Popen[str]:
        """Run a module as a process of its own, its arguments on standard input, so that it can be killed."""
        arguments = json.dumps({"ANSIBLE_MODULE_ARGS": self.params(system, region, tenants)})
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        process = subprocess.Popen(
            [sys.executable, "-c", f"from {MODULES}.tenants_{system} import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            start_new_session=True,
        )
        assert process.stdin is not None
        process.stdin.write(arguments)
        process.stdin.close()
        return process

    def redis_cli(
        self,
        region: str,
        *command: str,
        lines: Sequence[str] = (),
        tenant: Mapping[str, Any] | None = None,
        port: int | None = None,
        seconds: float = 30,
    ) -> str:
        """redis-cli as the operators, or as a tenant with what its Secret holds. ``lines``: commands of one session, on standard input.

        What waits for messages is ended after ``seconds``; what it has printed by then counts.
        """
        if tenant is not None:
            url = urlsplit(self.secret(tenant)["REDIS_URL"])
            host, user, password = str(url.hostname), str(url.username), unquote(url.password or "")
            port = port or url.port
        else:
            parts = self.connection("redis", region)
            host, user, password, port = parts["host"], parts["username"], parts["password"], parts["port"]
        try:
            done = subprocess.run(
                [self.redis_cli_path, "-h", host, "-p", str(port), "--user", user, "--no-auth-warning", *command],
                env={**os.environ, "REDISCLI_AUTH": password},
                input="\n".join((*lines, "")).encode(),
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as waiting:
            return ((waiting.stdout or b"") + (waiting.stderr or b"")).decode(errors="replace")
        return (done.stdout + done.stderr).decode(errors="replace")

    def acl(self, region: str, tenant: Mapping[str, Any]) -> tuple[str, str]:
        """The tenant's user as memory and as the ACL file have it; "" where there is none."""
        file = Path(self.redis_cli(region, "CONFIG", "GET", "aclfile").split("\n")[1])
        start = f"user tenant-{tenant['id']} "
        memory, kept = (
            next((line for line in text.splitlines() if line.startswith(start)), "")
            for text in (self.redis_cli(region, "ACL", "LIST"), file.read_text(encoding="utf-8"))
        )
        return memory, kept

    def s3(self, region: str, access_key: str = "", secret_key: str = "", endpoint: str = "") -> Any:
        """A boto3 client as root of a region's store, or with another key."""
        root = self.credentials["object_store"][region]["root"]
        client = boto3.client(
            "s3",
            endpoint_url=endpoint or self.sandbox["regions"][region]["object_store"]["endpoint"],
            region_name=region,
            aws_access_key_id=access_key or root["access_key_id"],
            aws_secret_access_key=secret_key or root["secret_access_key"],
            verify=self.sandbox["ca_file"],
            config=Config(
                connect_timeout=5,
                read_timeout=20,
                retries={"max_attempts": 4},
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
            ),
        )
        # The gateway leaves the body of a request that it refuses unread: it would take it for the next request, and closing resets the connection,
        # at times before its answer is read. So each request has a connection, and what may be refused has an empty body.
        client.meta.events.register("before-send.s3", _one_connection_each)
        return client

    def tenant_s3(self, tenant: Mapping[str, Any], region: str = EAST) -> Any:
        """A boto3 client with what the tenant's Secret holds."""
        secret = self.secret(tenant)
        endpoint = secret["S3_ENDPOINT"] if region == EAST else ""
        return self.s3(region, secret["S3_ACCESS_KEY_ID"], secret["S3_SECRET_ACCESS_KEY"], endpoint)

    def cypher(self, region: str, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        """Ask the graph with a driver of the test's own."""
        if region not in self._graphs:
            connection = self.connection("neo4j", region)
            self._graphs[region] = neo4j.GraphDatabase.driver(connection["uri"], auth=(connection["username"], connection["password"]))
        records, _summary, _keys = self._graphs[region].execute_query(neo4j.Query(statement, timeout=20), parameters)
        return [dict(record) for record in records]

    def remove(self) -> None:
        """Take everything away that this run has made, whatever made it."""
        self.clear(self.made)
        for region in (EAST, WEST):
            self.cypher(region, "MATCH (n) WHERE n.id IN $ids OR n.tenant_id IN $ids DETACH DELETE n", ids=sorted(self.made))
        for tenant_id in self.made:
            keys = self.redis_cli(EAST, "--scan", "--pattern", f"tenant:{tenant_id}:*").split()
            if keys:
                self.redis_cli(EAST, "DEL", *keys)
        for driver in self._graphs.values():
            driver.close()

    def clear(self, ids: Collection[str]) -> None:
        """Take the users, buckets and keys of tenants away."""
        for region in (EAST, WEST):
            if ids:
                self.redis_cli(region, "ACL", "DELUSER", *(f"tenant-{tenant_id}" for tenant_id in ids))
                self.redis_cli(region, "ACL", "SAVE")
            self._remove_buckets(region, ids)

    def _remove_buckets(self, region: str, ids: Collection[str]) -> None:
        from ansible_collections.leanvibe.ops.plugins.module_utils.clients.object_store import connect
        from ansible_collections.leanvibe.ops.plugins.module_utils.clients.versitygw import VersitygwAdmin

        store = self.s3(region)
        ours = {f"tenant-{tenant_id}" for tenant_id in ids}
        for bucket in {found["Name"] for found in store.list_buckets()["Buckets"]} & ours:
            for page in store.get_paginator("list_object_versions").paginate(Bucket=bucket):
                for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    store.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
            for upload in store.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
                store.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            store.delete_bucket(Bucket=bucket)
        with connect(self.connection("object_store", region), 20) as client:
            admin = VersitygwAdmin(client)
            for access in admin.accounts():
                if access.rpartition("-")[0] in ours:
                    admin.delete(access)


def verdicts(answer: Mapping[str, Any]) -> dict[str, str]:
    """Verdict by tenant."""
    return {result["tenant"]: result["verdict"] for result in answer["results"]}


def changes(answer: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What a module did or would do: tenant, object, action."""
    return sorted((result["tenant"], change["object"], change["action"]) for result in answer["results"] for change in result["changes"])


def cleaned(stores: Stores) -> Iterator[Stores]:
    """The stores for a fixture, emptied of this run's tenants at its end."""
    yield stores
    stores.remove()
