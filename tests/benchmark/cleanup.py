# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the benchmark's tenants out of a sandbox that stays: whatever is named after a tenant that begins with ``bench-`` or ``usual-``."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from neo4j import GraphDatabase
from psycopg import sql

from .population import PREFIXES
from .settings import PRIMARY, REGIONS, Settings
from .state import kubernetes, object_store, redis

STARTS = tuple(f"{prefix}-" for prefix in PREFIXES)


def left(settings: Settings) -> list[str]:
    """Ids of the benchmark's tenants that have a namespace, even one that is ending."""
    names = {item["metadata"]["labels"][kubernetes.LABEL] for region in REGIONS for item in kubernetes.listed(settings, region, "namespaces")}
    return sorted(name for name in names if name.startswith(STARTS))


def everything(settings: Settings) -> None:
    """All tenants of the benchmark, in all systems and the registry. Namespaces end by themselves, some minutes later (see ``left``)."""
    ids = left(settings)
    for region in REGIONS:
        _namespaces(settings, region, ids)
        _redis(settings, region, _redis_ids(settings, region))
        _object_store(settings, region, None)
        _neo4j(settings, region, None)
    _postgresql(settings, None)
    _registry(settings)


def system(settings: Settings, name: str, region: str, ids: Sequence[str]) -> None:
    """These tenants in one system of a region, so that it can make them again."""
    if name == "redis":
        _redis(settings, region, ids)
    elif name == "postgresql":
        _postgresql(settings, ids)
    elif name == "object_store":
        _object_store(settings, region, ids)
    elif name == "neo4j":
        _neo4j(settings, region, ids)


def _namespaces(settings: Settings, region: str, ids: Iterable[str]) -> None:
    names = [f"tenant-{tenant_id}" for tenant_id in ids]
    access = settings.region(region)["kubernetes"]
    if names:
        command = [settings.program("kubectl"), "--kubeconfig", access["kubeconfig"], "delete", "namespace", "--wait=false", "--ignore-not-found", *names]
        subprocess.run(command, check=True, timeout=300, stdout=subprocess.DEVNULL)


def _redis_ids(settings: Settings, region: str) -> list[str]:
    users = (line.split()[1].removeprefix("tenant-") for line in redis.ask(settings, region, "ACL", "LIST").splitlines())
    return [user for user in users if user.startswith(STARTS)]


def _redis(settings: Settings, region: str, ids: Sequence[str]) -> None:
    if ids:
        redis.ask(settings, region, "ACL", "DELUSER", *(f"tenant-{tenant_id}" for tenant_id in ids))
        redis.ask(settings, region, "ACL", "SAVE")


def _object_store(settings: Settings, region: str, ids: Sequence[str] | None) -> None:
    root = settings.credentials["object_store"][region]["root"]
    store = object_store.client(settings, region, root["access_key_id"], root["secret_access_key"])

    def ours(tenant_id: str) -> bool:
        return tenant_id in ids if ids is not None else tenant_id.startswith(STARTS)

    buckets = [bucket["Name"] for bucket in store.list_buckets()["Buckets"] if ours(bucket["Name"].removeprefix("tenant-"))]
    accounts = [element.findtext("Access") or "" for element in object_store.admin(settings, region, "list-users") if element.tag == "Accounts"]
    accounts = [access for access in accounts if access.startswith("tenant-") and ours(access.removeprefix("tenant-").rpartition("-")[0])]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: store.delete_bucket(Bucket=name), buckets))
        list(pool.map(lambda access: object_store.admin(settings, region, f"delete-user?access={access}"), accounts))


def _connection(settings: Settings, database: str) -> psycopg.Connection[Any]:
    address = settings.region(PRIMARY)["postgresql"]
    return psycopg.connect(
        host=address["host"],
        port=address["port"],
        dbname=database,
        user="postgres",
        password=settings.credentials["postgresql"]["postgres"],
        sslmode="verify-full",
        sslrootcert=settings.sandbox["ca_file"],
        connect_timeout=10,
        autocommit=True,
    )


def _postgresql(settings: Settings, ids: Sequence[str] | None) -> None:
    with _connection(settings, "leanvibe") as connection:
        rows = connection.execute("SELECT tenant_id, 'tenant_' || replace(tenant_id, '-', '_') FROM leanvibe.tenants").fetchall()
        wanted = {tenant_id: role for tenant_id, role in rows if (tenant_id in ids if ids is not None else tenant_id.startswith(STARTS))}
        for role in wanted.values():
            with connection.transaction():
                connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(role)))
                connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
        with connection.transaction():
            connection.execute("DELETE FROM leanvibe_private.tenant_roles WHERE tenant_id = ANY(%s)", (list(wanted),))
            connection.execute("DELETE FROM leanvibe.tenants WHERE tenant_id = ANY(%s)", (list(wanted),))


def _neo4j(settings: Settings, region: str, ids: Sequence[str] | None) -> None:
    address, password = settings.region(region)["neo4j"]["uri"], settings.credentials["neo4j"][region]
    with GraphDatabase.driver(address, auth=("neo4j", password), connection_timeout=10) as driver:
        if ids is not None:
            driver.execute_query("MATCH (t:Tenant) WHERE t.id IN $ids DETACH DELETE t", {"ids": list(ids)})
        else:
            for start in STARTS:
                driver.execute_query("MATCH (t:Tenant) WHERE t.id STARTS WITH $start DETACH DELETE t", {"start": start})


def _registry(settings: Settings) -> None:
    with _connection(settings, "leanvibe_ops") as connection, connection.transaction():
        patterns = [f"{start}%" for start in STARTS]
        connection.execute("DELETE FROM tenant_history WHERE tenant LIKE ANY(%s)", (patterns,))
        connection.execute("DELETE FROM tenants WHERE id LIKE ANY(%s)", (patterns,))
