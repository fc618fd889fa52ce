# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials that a call plans with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from ...common.errors import OpsError
from ..arguments import TenantsRequest
from ..credentials import TenantCredentials, generate
from ..secret_store import MissingSecretError, read_credentials

Credentials: TypeAlias = Mapping[str, TenantCredentials | OpsError]


def credentials_of(request: TenantsRequest, check_mode: bool) -> Credentials:
    """Read the tenants' credentials. In check mode a Secret that is not there yet is stood for by values that are thrown away:

    a real run has written it before it comes to the systems, so the plan is the one that a real run would make.
    """
    found = read_credentials(request.secrets, request.tenants, request.timeout)
    if not check_mode:
        return found
    by_id = {tenant.id: tenant for tenant in request.tenants}
    return {tenant_id: generate(by_id[tenant_id], with_neo4j=True) if isinstance(value, MissingSecretError) else value for tenant_id, value in found.items()}
