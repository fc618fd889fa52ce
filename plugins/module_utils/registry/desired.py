# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the registry knows about declared tenants, and how it learns of a new declaration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..tenants.model import Change, Tenant
from .leases import fence

if TYPE_CHECKING:
    import psycopg

    Session = psycopg.Connection[tuple[Any, ...]]

FIELDS = ("name", "tier", "region", "state", "contacts", "overrides")

_EXISTS = "SELECT to_regclass('public.tenants') IS NOT NULL"
_READ = "SELECT id, name, tier, region, state, contacts, overrides FROM tenants"
_START_RUN = """
INSERT INTO runs (run_id, operation, environment, owner) VALUES (%(run_id)s, %(operation)s, %(environment)s, %(owner)s)
ON CONFLICT (run_id) DO NOTHING
"""
_DECLARE = """
INSERT INTO tenants (id, name, tier, region, state, contacts, overrides, last_run)
SELECT id, name, tier, region, state, contacts, overrides, %(run_id)s
FROM jsonb_to_recordset(%(tenants)s::jsonb) AS declared (id text, name text, tier text, region text, state text, contacts jsonb, overrides jsonb)
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, tier = excluded.tier, state = excluded.state, contacts = excluded.contacts, overrides = excluded.overrides,
    last_declared = clock_timestamp(), last_run = excluded.last_run,
    last_changed = CASE WHEN tenants.id = ANY(%(changed)s) THEN clock_timestamp() ELSE tenants.last_changed END
"""
_REMEMBER = """
INSERT INTO tenant_history (tenant, who, run_id, subject, from_value, to_value)
SELECT tenant, %(who)s, %(run_id)s, subject, from_value, to_value
FROM jsonb_to_recordset(%(entries)s::jsonb) AS entry (tenant text, subject text, from_value jsonb, to_value jsonb)
"""


@dataclass(frozen=True)
class Run:
    """The run that writes, as the registry remembers it."""

    run_id: str
    operation: str
    environment: str
    owner: str


@dataclass(frozen=True)
class Plan:
    """What a declaration means for the registry. ``refused`` maps a tenant to the reason; ``changes`` tells new or different tenants."""

    tenants: tuple[Tenant, ...]
    changes: Mapping[str, Change] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    undeclared: tuple[str, ...] = ()


def observe(session: Session) -> dict[str, Tenant]:
    """All tenants that the registry knows; none if its tables are not there yet (a first run in check mode)."""
    exists = session.execute(_EXISTS).fetchone()
    if exists is None or not exists[0]:
        return {}
    return {row[0]: Tenant(*row) for row in session.execute(_READ).fetchall()}


def _fields(tenant: Tenant) -> dict[str, Any]:
    return {name: dict(value) if isinstance(value := getattr(tenant, name), Mapping) else value for name in FIELDS}


def plan(selected: Sequence[Tenant], declared_ids: Iterable[str], actual: Mapping[str, Tenant]) -> Plan:
    """Compare. A changed home region is refused (the data would stay behind); a tenant that is not declared any more is only named."""
    refused: dict[str, str] = {}
    changes: dict[str, Change] = {}
    accepted: list[Tenant] = []
    for tenant in selected:
        known = actual.get(tenant.id)
        if known is not None and known.region != tenant.region:
            refused[tenant.id] = (
                f"home region is {known.region} in the registry and {tenant.region} in the declaration. A home is not moved by declaring another one: "
                f"the data would stay in {known.region}. Declare region {known.region} again, or export the tenant, offboard it and declare it anew."
            )
            continue
        accepted.append(tenant)
        after = _fields(tenant)
        before = _fields(known) if known is not None else None
        differing = tuple(name for name in FIELDS if before is None or before[name] != after[name])
        if before is None:
            changes[tenant.id] = Change(f"registry tenant {tenant.id}", "create", differing, None, after)
        elif differing:
            changes[tenant.id] = Change(
                f"registry tenant {tenant.id}", "update", differing, {name: before[name] for name in differing}, {name: after[name] for name in differing}
            )
    return Plan(tuple(accepted), changes, refused, tuple(sorted(set(actual) - set(declared_ids))))


def apply(plan: Plan, session: Session, run: Run, token: int | None) -> None:
    """Record the run, the declaration and what is different about it, in one transaction that the lease fences."""
    entries = [{"tenant": tenant, "subject": "declaration", "from_value": change.before, "to_value": change.after} for tenant, change in plan.changes.items()]
    entries += [{"tenant": tenant, "subject": "declaration", "from_value": None, "to_value": {"refused": reason}} for tenant, reason in plan.refused.items()]
    with session.transaction():
        if token is not None:
            fence(session, token)
        session.execute(_START_RUN, vars(run))
        if plan.tenants:
            declared = json.dumps([{"id": tenant.id, **_fields(tenant)} for tenant in plan.tenants])
            session.execute(_DECLARE, {"run_id": run.run_id, "tenants": declared, "changed": list(plan.changes)})
        if entries:
            session.execute(_REMEMBER, {"who": run.owner, "run_id": run.run_id, "entries": json.dumps(entries)})
