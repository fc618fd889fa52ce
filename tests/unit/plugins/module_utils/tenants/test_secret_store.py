# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading credentials from Secrets: what is accepted, what is refused, and that no error shows a value."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.clients.kubernetes import KubernetesClient
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError, Unreachable
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.credentials import TenantCredentials, generate, secret_data
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.model import Tenant
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.secret_store import (
    MissingSecretError,
    UnusableSecretError,
    WrongHomeError,
    parse,
    read_credentials,
    selector,
)

ACME = Tenant("acme", "Acme", "team", "us-east-1")
WEST = Tenant("west", "West", "team", "us-west-2")
ENDPOINTS = {"postgresql": {"host": "h", "port": 1, "database": "d"}, "redis": {"host": "h", "port": 2}, "object_store": {"endpoint": "https://s"}}


def secret(tenant: Tenant, credentials: TenantCredentials | None = None, **annotations: str | None) -> dict[str, Any]:
    data = secret_data(tenant, credentials or generate(tenant, False), ENDPOINTS)
    notes = {"leanvibe.ai/home-region": tenant.region, "leanvibe.ai/credentials-generation": "1", "leanvibe.ai/credentials-state": "pending"}
    notes.update({f"leanvibe.ai/{key.replace('_', '-')}": value for key, value in annotations.items()})  # type: ignore[misc]
    return {
        "metadata": {
            "namespace": tenant.namespace,
            "labels": {"leanvibe.ai/tenant-id": tenant.id},
            "annotations": {key: value for key, value in notes.items() if value is not None},
        },
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def test_what_was_written_is_read_back() -> None:
    credentials = generate(ACME, False)
    assert parse(ACME, secret(ACME, credentials), "us-east-1") == credentials


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda item: item["data"].pop("REDIS_URL"), UnusableSecretError, "keys missing: REDIS_URL"),
        (lambda item: item["data"].update(DATABASE_URL="!!"), UnusableSecretError, "DATABASE_URL is not text"),
        (lambda item: item["data"].update(DATABASE_URL=base64.b64encode(b"\xff\xfe").decode()), UnusableSecretError, "DATABASE_URL is not text"),
        (lambda item: item["data"].update(DATABASE_URL=base64.b64encode(b"postgresql://u@h/d").decode()), UnusableSecretError, "holds no password"),
        (lambda item: item["data"].update(REDIS_URL=base64.b64encode("redis://u:geheim@\u2100x/".encode()).decode()), UnusableSecretError, "REDIS_URL"),
        (lambda item: item["metadata"]["annotations"].pop("leanvibe.ai/credentials-state"), UnusableSecretError, "credentials-state"),
        (lambda item: item["metadata"]["labels"].update({"leanvibe.ai/tenant-id": "other"}), UnusableSecretError, "tenant-id=other, not acme"),
        (lambda item: item["metadata"]["annotations"].update({"leanvibe.ai/home-region": "mars"}), WrongHomeError, "home is mars"),
        (lambda item: item["metadata"]["annotations"].pop("leanvibe.ai/home-region"), WrongHomeError, "home is unknown"),
        (lambda item: item.pop("data"), UnusableSecretError, "keys missing"),
    ],
)
def test_a_secret_that_is_not_sound_is_an_error_that_shows_no_value(change: Any, error: type[OpsError], said: str) -> None:
    credentials = generate(ACME, False)
    item = secret(ACME, credentials)
    change(item)
    with pytest.raises(error) as caught:
        parse(ACME, item, "us-east-1")
    assert said in caught.value.message
    assert "tenant-acme/tenant-credentials in us-east-1" in caught.value.message
    for value in (credentials.postgresql_password, credentials.redis_password, credentials.s3_secret_access_key, "geheim"):
        assert value not in caught.value.message


def test_few_tenants_are_asked_for_by_name_many_by_listing_all() -> None:
    assert selector([WEST, ACME]) == "app.kubernetes.io/managed-by=leanvibe.ops,leanvibe.ai/tenant-id in (acme,west)"
    assert selector([Tenant(f"t{number}", "", "team", "r") for number in range(51)]) == "app.kubernetes.io/managed-by=leanvibe.ops"


class Cluster:
    """Stands in for the clients of all regions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, held: dict[str, list[dict[str, Any]] | OpsError]) -> None:
        self.held = held
        self.lists: list[tuple[str, str, str]] = []
        monkeypatch.setattr(KubernetesClient, "connect", classmethod(lambda _cls, connection, *_rest: Client(self, connection["kubeconfig"])))


class Client:
    def __init__(self, cluster: Cluster, region: str) -> None:
        self.cluster, self.region = cluster, region

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_error: Any) -> None:
        return None

    def list(self, resource: Any, label_selector: str, field_selector: str) -> list[dict[str, Any]]:
        self.cluster.lists.append((self.region, resource.plural, field_selector))
        held = self.cluster.held[self.region]
        if isinstance(held, OpsError):
            raise held
        return held


CONNECTIONS = {region: {"kubeconfig": region} for region in ("us-east-1", "us-west-2")}


def test_one_list_in_each_home_region(monkeypatch: pytest.MonkeyPatch) -> None:
    second = Tenant("second", "Second", "team", "us-east-1")
    cluster = Cluster(monkeypatch, {"us-east-1": [secret(ACME), secret(second)], "us-west-2": [secret(WEST)]})
    found = read_credentials(CONNECTIONS, [ACME, WEST, second], 5)
    assert {name: type(value) for name, value in found.items()} == dict.fromkeys(("acme", "west", "second"), TenantCredentials)
    assert cluster.lists == [("us-east-1", "secrets", "metadata.name=tenant-credentials"), ("us-west-2", "secrets", "metadata.name=tenant-credentials")]


def test_an_unreachable_region_fails_its_own_tenants_only(monkeypatch: pytest.MonkeyPatch) -> None:
    Cluster(monkeypatch, {"us-east-1": Unreachable("no answer"), "us-west-2": []})
    found = read_credentials(CONNECTIONS, [ACME, WEST], 5)
    assert isinstance(found["acme"], OpsError)
    assert "home region us-east-1: no answer" in found["acme"].message
    assert isinstance(found["west"], MissingSecretError)


def test_a_region_without_a_connection_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Cluster(monkeypatch, {})
    found = read_credentials({"us-west-2": {"kubeconfig": "x"}}, [ACME], 5)
    assert isinstance(found["acme"], OpsError)
    assert "no entry for region us-east-1; it has: us-west-2" in found["acme"].message
