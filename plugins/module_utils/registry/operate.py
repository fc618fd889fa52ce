# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules tenants_lease and tenants_registry do: parameters in, one short session, result out."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from typing import Any

from ..common.errors import InvalidInput
from ..common.processes import controller
from ..tenants.model import Tenant
from ..tenants.placement import place
from . import desired, mark
from .connection import session
from .desired import Run
from .leases import Claim, release, take_within


def who(owner: str) -> str:
    """An operator as messages and history name him: the person, and the account and host that the run has."""
    account = getpass.getuser()
    behind = os.environ.get("SUDO_USER")
    account = f"{behind} as {account}" if behind and behind != account else account
    return f"{owner} ({account}@{socket.gethostname()})"


def lease_name(tenant_id: str) -> str:
    """Name of the lease on a tenant."""
    return f"tenant/{tenant_id}"


def lease(params: Mapping[str, Any], *, check: bool) -> dict[str, Any]:
    """Take or give back. Raises Conflict if somebody else holds a lease or the platform is another environment's, Unreachable, AccessDenied."""
    owner = who(params["owner"])
    if params["state"] == "absent":
        released = False
        if not check:
            with session(params["registry"], params["timeout"]) as connection:
                released = release(connection, params["token"])
        return {"changed": False, "owner": owner, "released": released}
    problems = [f"{name} must be at least {least}, not {params[name]}" for name, least in (("ttl", 1), ("lock_wait", 0)) if params[name] < least]
    if problems:
        raise InvalidInput("lease", problems)
    with session(params["registry"], params["timeout"]) as connection:
        marked = mark.verify(connection, params["environment"])
        if check:
            return {"changed": False, "owner": owner}
        claim = Claim([lease_name(name) for name in params["tenants"]], owner, params["operation"], params["run_id"], controller(), params["ttl"])
        taken = take_within(connection, claim, params["lock_wait"])
        if not marked:
            mark.establish(connection, params["environment"], params["environment_kind"], owner)
    return {"changed": False, "owner": owner, "token": taken.token, "until": taken.until, "instead_of": list(taken.instead_of)}


def _compact(tenant: Tenant) -> dict[str, Any]:
    """What systems need to know; contacts stay in the registry."""
    return {name: value for name, value in tenant.to_mapping().items() if name != "contacts"}


def declare(params: Mapping[str, Any], *, check: bool) -> dict[str, Any]:
    """Compare with the registry and record. Raises InvalidInput about the placement, LeaseLost, Unreachable, AccessDenied."""
    tenants = [Tenant.from_mapping(tenant) for tenant in params["tenants"]]
    run = Run(params["run_id"], params["operation"], params["environment"], params["owner"])
    placed = place(tenants, params["placement"], params["replication"], params["regions"])
    with session(params["registry"], params["timeout"]) as connection:
        plan = desired.plan([tenant for tenant in tenants if tenant.id not in placed.refused], params["declared_ids"], desired.observe(connection))
        if not check:
            desired.apply(plan, connection, run, params["token"])
    accepted = {tenant.id for tenant in plan.tenants}
    changes = list(plan.changes.values())
    return {
        "changed": bool(changes),
        "placed": {
            region: {word: [_compact(tenant) for tenant in members if tenant.id in accepted] for word, members in lists.items()}
            for region, lists in placed.lists.items()
        },
        "expected": {
            region: {word: [tenant.id for tenant in members if tenant.id in accepted] for word, members in lists.items()}
            for region, lists in placed.lists.items()
        },
        "kept_out": {region: [tenant_id for tenant_id in ids if tenant_id in accepted] for region, ids in placed.kept_out.items()},
        "refused": {**placed.refused, **plan.refused},
        "undeclared": list(plan.undeclared),
        "changes": [change.to_mapping() for change in changes],
        "diff": {
            "before_header": "registry",
            "after_header": "registry",
            "before": {change.object: change.before for change in changes if change.before is not None},
            "after": {change.object: change.after for change in changes if change.after is not None},
        },
    }
