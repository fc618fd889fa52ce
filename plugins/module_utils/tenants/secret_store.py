# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads tenants' credentials from the Kubernetes Secrets of their home regions: what every other system sets its accounts from."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

from ..common.errors import OpsError
from .credentials import SECRET_NAME, TenantCredentials, from_secret
from .model import LABEL_MANAGED_BY, LABEL_TENANT, MANAGED_BY, Tenant

ANNOTATION_HOME = "leanvibe.ai/home-region"
SELECTED = 50  # up to so many tenants are asked for by name, more by listing all


class MissingSecretError(OpsError):
    """The home region has no Secret for the tenant. In check mode before a tenant's first run this is as it should be."""


class UnusableSecretError(OpsError):
    """The Secret is there and cannot be used; nothing is generated in its place."""


class WrongHomeError(UnusableSecretError):
    """The Secret says that another region is the tenant's home."""

    @classmethod
    def of(cls, tenant: Tenant, home: str | None, region: str) -> WrongHomeError:
        """The error for a Secret in ``region`` whose annotation says ``home``."""
        return cls(
            f"Secret {tenant.namespace}/{SECRET_NAME} in {region} says that the tenant's home is {home or 'unknown'} (annotation {ANNOTATION_HOME}), "
            f"its declaration says {tenant.region}; moving a tenant between regions is an operation of its own, so "
            + (f"declare region {home}" if home else "find out who wrote the Secret and set the annotation")
        )


def selector(tenants: Iterable[Tenant]) -> str:
    """Label selector of our objects, narrowed to the tenants while they are few."""
    ids = sorted(tenant.id for tenant in tenants)
    ours = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
    return f"{ours},{LABEL_TENANT} in ({','.join(ids)})" if len(ids) <= SELECTED else ours


def read_credentials(connections: Mapping[str, Mapping[str, Any]], tenants: Iterable[Tenant], timeout: float) -> dict[str, TenantCredentials | OpsError]:
    """Read the credentials of tenants: one list request in each region that is home of one of them, the regions one after the other.

    ``connections``: region -> ``{"kubeconfig", "context"}``; ``timeout``: seconds for each request. What cannot be had is the tenant's OpsError
    in the result: MissingSecretError, UnusableSecretError, or Unreachable/AccessDenied of its home region. Nothing is raised.
    """
    by_home: dict[str, list[Tenant]] = {}
    for tenant in tenants:
        by_home.setdefault(tenant.region, []).append(tenant)
    found: dict[str, TenantCredentials | OpsError] = {}
    for home, residents in by_home.items():
        try:
            secrets = _list(connections, home, residents, timeout)
        except OpsError as error:
            reason = OpsError(f"credentials cannot be read from the home region {home}: {error.message}")
            found.update((tenant.id, reason) for tenant in residents)
            continue
        for tenant in residents:
            try:
                found[tenant.id] = parse(tenant, secrets.get(tenant.namespace), home)
            except OpsError as error:
                found[tenant.id] = error
    return found


def _list(connections: Mapping[str, Mapping[str, Any]], home: str, residents: list[Tenant], timeout: float) -> dict[str, Mapping[str, Any]]:
    connection = connections.get(home)
    if not connection:
        raise OpsError(f"secrets has no entry for region {home}; it has: {', '.join(sorted(connections)) or 'none'}")
    from ..clients.kubernetes import KubernetesClient, Resource

    with KubernetesClient.connect(connection, MANAGED_BY, timeout) as client:
        items = client.list(Resource("v1", "Secret", "secrets"), selector(residents), f"metadata.name={SECRET_NAME}")
    return {item["metadata"]["namespace"]: item for item in items}


def parse(tenant: Tenant, secret: Mapping[str, Any] | None, region: str) -> TenantCredentials:
    """Read one Secret as the API returns it. Raises MissingSecretError (``secret`` is None) or UnusableSecretError; neither shows a value."""
    where = f"Secret {tenant.namespace}/{SECRET_NAME} in {region}"
    if secret is None:
        raise MissingSecretError(f"{where} does not exist; run the tenants playbook for {tenant.id} with Kubernetes of {region} reachable")
    metadata = secret["metadata"]
    annotations = metadata.get("annotations") or {}
    owner = (metadata.get("labels") or {}).get(LABEL_TENANT)
    if owner not in (None, tenant.id):
        raise UnusableSecretError(f"{where} is labelled {LABEL_TENANT}={owner}, not {tenant.id}; find out who wrote it")
    home = annotations.get(ANNOTATION_HOME)
    if home != tenant.region:
        raise WrongHomeError.of(tenant, home, region)
    try:
        return from_secret(decoded(secret), annotations)
    except ValueError as error:
        raise UnusableSecretError(
            f"{where} is malformed: {error}; restore it from a backup or from another region's copy. No new credentials are generated over it"
        ) from error


def decoded(secret: Mapping[str, Any]) -> dict[str, str]:
    """A Secret's data in clear text. Raises ValueError naming the key that is not base64 of UTF-8 text."""
    data = {}
    for key, value in (secret.get("data") or {}).items():
        try:
            data[key] = base64.b64decode(value or "", validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError(f"{key} is not text") from None
    return data
