# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a declaration means for the registry, and who may take a lease over. No database here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.processes import ProcessIdentity
from ansible_collections.leanvibe.ops.plugins.module_utils.registry.desired import plan
from ansible_collections.leanvibe.ops.plugins.module_utils.registry.leases import Holder
from ansible_collections.leanvibe.ops.plugins.module_utils.registry.schema import HEAD
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.model import Tenant

CHECKOUT = Path(__file__).resolve().parents[5]
ACME = Tenant("acme", "Acme", "team", "us-east-1", contacts={"primary": "Ada <ada@acme.example.com>"})


def changed(**fields: Any) -> Tenant:
    return Tenant(**{**vars(ACME), **fields})


def test_a_new_tenant_is_a_change_with_everything_in_it() -> None:
    made = plan([ACME], ["acme"], {})
    assert made.changes["acme"].action == "create"
    assert made.changes["acme"].before is None
    assert made.changes["acme"].after["contacts"] == {"primary": "Ada <ada@acme.example.com>"}


def test_a_known_tenant_is_no_change() -> None:
    made = plan([ACME], ["acme"], {"acme": ACME})
    assert made.changes == {}
    assert made.tenants == (ACME,)


@pytest.mark.parametrize("fields", [{"name": "ACME"}, {"tier": "enterprise"}, {"state": "suspended"}, {"contacts": {}}, {"overrides": {"sla": {}}}])
def test_a_difference_is_a_change_of_that_field_only(fields: dict[str, Any]) -> None:
    change = plan([changed(**fields)], ["acme"], {"acme": ACME}).changes["acme"]
    assert change.action == "update"
    assert list(change.fields) == list(fields)
    assert change.after == fields


def test_another_home_region_is_refused_and_the_others_go_on() -> None:
    made = plan([changed(region="us-west-2"), changed(id="globex")], ["acme", "globex"], {"acme": ACME})
    assert list(made.refused) == ["acme"]
    assert "us-east-1 in the registry and us-west-2 in the declaration" in made.refused["acme"]
    assert [tenant.id for tenant in made.tenants] == ["globex"]


def test_only_who_is_not_declared_is_undeclared_also_with_a_selection() -> None:
    known = {tenant_id: changed(id=tenant_id) for tenant_id in ("acme", "globex", "ghost")}
    assert plan([ACME], ["acme", "globex"], known).undeclared == ("ghost",)


RUN = ProcessIdentity("host", "boot/pid:[1]", 10, 100)
WORKER = ProcessIdentity("host", "boot/pid:[1]", 11, 110)


@pytest.mark.parametrize(
    ("expired", "gone", "over"),
    [(False, set(), False), (False, {RUN}, False), (False, {WORKER}, False), (False, {RUN, WORKER}, True), (True, set(), True)],
    ids=["alive", "a module lives on", "the run lives on", "all gone", "expired"],
)
def test_a_lease_is_over_when_it_has_expired_or_everybody_is_gone(expired: bool, gone: set[ProcessIdentity], over: bool) -> None:
    holder = Holder(1, "ada", "tenants", "r1", RUN, "then", "soon", expired, ("tenant/acme",), (WORKER,))
    assert holder.over(lambda process: process in gone) is over


def test_a_holder_is_described_with_what_since_when_and_until_when() -> None:
    names = tuple(f"tenant/t{number}" for number in range(12))
    told = Holder(1, "ada (ada@laptop)", "tenants", "r1", RUN, "THEN", "SOON", False, names).describe()
    for part in ("tenant/t0", "and 2 more", "ada (ada@laptop)", "run r1", "since THEN", "until SOON"):
        assert part in told


def test_the_newest_migration_is_the_one_that_the_code_knows() -> None:
    versions = CHECKOUT / "roles/registry/files/migrations/versions"
    revisions = [re.search(r'^revision = "(\w+)"', path.read_text(encoding="utf-8"), re.MULTILINE) for path in versions.glob("*.py")]
    assert max(match[1] for match in revisions if match) == HEAD
