# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants on one object store: a bucket each, versioned, that a key of the tenant's own reaches and nobody else's.

The drivers are files of their own: object_store_versitygw.py and object_store_aws.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..arguments import TenantsRequest
from ..model import SystemResult

SYSTEM = "object_store"


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """One call of the module tenants_object_store. Raises OpsError if the store as a whole cannot be worked with."""
    request = TenantsRequest.from_params(params)
    if not request.tenants:
        return SystemResult(SYSTEM, request.region, []).to_exit()
    if params["connection"].get("driver") == "aws":
        from .object_store_aws import run as run_aws

        return run_aws(request, params, check_mode).to_exit()
    from .object_store_versitygw import run as run_versitygw

    return run_versitygw(request, params, check_mode).to_exit()
