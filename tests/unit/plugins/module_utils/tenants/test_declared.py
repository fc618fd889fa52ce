# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A declaration is checked as a whole: every problem of every tenant at once, and nothing that becomes a name may be hostile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import InvalidInput
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.declared import declare, problems_of
from ansible_collections.leanvibe.ops.plugins.module_utils.tenants.names import collisions, contact_problems, displayed, id_problems, text_problems

CHECKOUT = Path(__file__).resolve().parents[5]
TIERS: dict[str, Any] = yaml.safe_load((CHECKOUT / "roles/tiers/defaults/main.yml").read_text(encoding="utf-8"))["tiers_catalogue"]
REGIONS = ["us-east-1", "us-west-2"]
CONTACTS = {"primary": "Ada Byron <ada@acme.example.com>"}


def tenant(**changes: Any) -> dict[str, Any]:
    return {"id": "acme", "name": "Acme Corp.", "tier": "team", "region": "us-east-1", "contacts": CONTACTS} | changes


@pytest.mark.parametrize("tenant_id", ["a", "acme", "a1", "acme-corp", "a--b", "x" * 40, "abc-1-2-3"])
def test_ordinary_ids_are_taken(tenant_id: str) -> None:
    assert id_problems(tenant_id) == []


HOSTILE_IDS = {
    "sql": "a'; DROP TABLE tenants; --",
    "cypher": "a`}) DETACH DELETE n //",
    "yaml": "a: {b: c}",
    "template": "{{ lookup('pipe', 'id') }}",
    "path": "../../etc/passwd",
    "shell": "a$(reboot)",
    "newline": "acme\n",
    "null": "acme\0",
    "cyrillic a": "\u0430cme",
    "fullwidth": "\uff41cme",
    "dotless i": "\u0131nitech",
    "zero width": "ac\u200bme",
    "right to left": "acme\u202e",
    "arabic digit": "acme\u0661",
    "long": "x" * 41,
    "very long": "x" * 65,
    "empty": "",
    "blank": " ",
    "upper case": "Acme",
    "underscore": "acme_corp",
    "dot": "acme.corp",
    "begins with digit": "1acme",
    "ends with hyphen": "acme-",
    "reserved": "postgres",
    "reserved for Kubernetes": "kube-system",
    "reserved for PostgreSQL": "pg-catalog",
    "reserved for S3": "acme-s3alias",
    "YAML's no": False,
    "number": 12,
    "float": 1e3,
    "nothing": None,
    "list": ["acme"],
}


@pytest.mark.parametrize("tenant_id", HOSTILE_IDS.values(), ids=HOSTILE_IDS.keys())
def test_hostile_ids_are_refused(tenant_id: Any) -> None:
    assert id_problems(tenant_id)


def test_all_hostile_ids_are_named_at_once_and_only_in_ascii() -> None:
    tenants = [tenant(id=tenant_id) for tenant_id in HOSTILE_IDS.values()]
    with pytest.raises(InvalidInput) as caught:
        declare(tenants, None, TIERS, REGIONS)
    for position in range(1, len(tenants) + 1):
        assert any(problem.startswith(f"tenant number {position} ") for problem in caught.value.problems), position
    assert caught.value.message.isascii()
    assert "CYRILLIC SMALL LETTER A" in caught.value.message


@pytest.mark.parametrize(
    "name",
    [
        "Acme",
        "Novo A/S",
        "O'Brien & Sons",
        "M\u00fcller & S\u00f6hne GmbH",
        "\u682a\u5f0f\u4f1a\u793e",
        "3M",
        "Yahoo!",
        "\u0413\u0430\u0437\u043f\u0440\u043e\u043c",
    ],
)
def test_names_of_companies_are_taken(name: str) -> None:
    assert text_problems("name", name) == []


HOSTILE_NAMES = {
    "sql": "Robert'); DROP TABLE students;--",
    "template": "{{ lookup('pipe', 'id') }}",
    "shell": "Acme $(reboot)",
    "backtick": "Acme `id`",
    "pipe": "Acme | nc",
    "markup": "Acme <script>",
    "path": "../../etc/passwd",
    "tag": "!!python/object:os.system",
    "newline": "Acme\nrole: admin",
    "escape": "Acme\x1b[2J",
    "bidi": "Acme\u202ecorp",
    "zero width": "Ac\u200bme",
    "not composed": "Mu\u0308ller",
    "mixed scripts": "P\u0430ypal",
    "white space around": " Acme",
    "empty": "",
    "long": "x" * 101,
    "private use": "Acme\ue000",
    "surrogate": "Acme\ud800",
    "a boolean": True,
    "missing": None,
}


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES.keys())
def test_hostile_names_are_refused(name: Any) -> None:
    problems = text_problems("name", name)
    assert problems
    assert all(problem.isprintable() for problem in problems)


def test_names_are_shown_escaped_when_they_mix_scripts_or_control_the_terminal() -> None:
    assert displayed("M\u00fcller GmbH") == "M\u00fcller GmbH"
    assert displayed("P\u0430ypal") == "'P\\u0430ypal'"
    assert "\x1b" not in displayed("Acme\x1b[2J")


@pytest.mark.parametrize(
    "contacts",
    [
        None,
        "ada@acme.example.com",
        {},
        {"primary": "ada@acme.example.com"},
        {"primary": "Ada <not an address>"},
        {"primary": "Ada <ada@localhost>"},
        {"primary": "Ada <ada@acme.example.com>\nBcc: all@acme.example.com"},
        {"primary": "Ada <ada@acme.example.com> <eve@evil.example.com>"},
        {"primary": 1},
        {**CONTACTS, "boss": "Bo Ss <bo@acme.example.com>"},
        {**CONTACTS, "billing": "x"},
    ],
)
def test_contacts_that_nobody_can_be_reached_at_are_refused(contacts: Any) -> None:
    assert contact_problems(contacts)


def test_complete_contacts_are_taken() -> None:
    assert contact_problems(dict.fromkeys(("primary", "technical", "billing"), "Jürgen Müller <juergen.mueller+ops@mueller.example.com>")) == []


def test_collisions_and_duplicates_are_named_with_what_they_collide_in() -> None:
    problems = collisions(["acme", "acme", "a-b", "a_b", "A-B", "other", 5])
    assert "tenant 'acme': declared 2 times" in problems
    assert any("'A-B' and 'a-b' and 'a_b'" in problem and "tenant_a_b" in problem for problem in problems)
    assert len(problems) == 2


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"tier": "gold"}, "tier is 'gold'"),
        ({"tier": None}, "tier is missing"),
        ({"region": "mars"}, "region is 'mars'"),
        ({"region": ["us-east-1"]}, "region is ['us-east-1']"),
        ({"state": "paused"}, "state is 'paused'"),
        ({"teir": "team"}, "key 'teir' is not known"),
        ({"overrides": "none"}, "overrides are 'none'"),
        ({"overrides": {"quota": {}}}, "overrides.'quota' is not known"),
        ({"overrides": {"quotas": {"kafka": {}}}}, "overrides.quotas.'kafka' is not known"),
        ({"overrides": {"quotas": {"postgresql": {"connection_limit": -1}}}}, "connection_limit is -1"),
        ({"overrides": {"quotas": {"postgresql": {"connection_limit": True}}}}, "connection_limit is True"),
        ({"overrides": {"quotas": {"kubernetes": {"quota": {"requests.cpu": "lots"}}}}}, "requests.cpu is 'lots'"),
        ({"overrides": {"quotas": {"kubernetes": {"quota": {"pods": "0"}}}}}, "pods is '0'"),
        ({"overrides": {"sla": {"availability": 100.5}}}, "availability is 100.5"),
        ({"overrides": {"data_residency": ["mars"]}}, "data_residency is ['mars']"),
        ({"overrides": {"data_residency": "us-west-2"}}, "leaves out the tenant's home us-east-1"),
        ({"overrides": {"maintenance_window": "Sunday"}}, "maintenance_window is 'Sunday'"),
        ({"overrides": {"backup_frequency": "never"}}, "backup_frequency is 'never'"),
    ],
)
def test_what_makes_no_sense_is_named(changes: dict[str, Any], part: str) -> None:
    problems = problems_of(tenant(**changes), TIERS, REGIONS)
    assert any(part in problem for problem in problems), problems


def test_sensible_overrides_are_taken() -> None:
    overrides = {
        "quotas": {"kubernetes": {"quota": {"pods": 80, "requests.memory": "16Gi"}}, "postgresql": {"connection_limit": 30}},
        "data_residency": "US-East",
        "maintenance_window": "sat:07:00-sat:09:00",
        "backup_frequency": "continuous",
        "sla": {"availability": 99.95, "credits": True},
    }
    assert problems_of(tenant(overrides=overrides), TIERS, REGIONS) == []


@pytest.mark.parametrize("tenants", [None, "acme", {"acme": {}}, 5])
def test_anything_but_a_list_is_refused(tenants: Any) -> None:
    with pytest.raises(InvalidInput, match="not a list"):
        declare(tenants, None, TIERS, REGIONS)


def test_an_element_that_is_no_mapping_is_one_problem_among_others() -> None:
    with pytest.raises(InvalidInput) as caught:
        declare([5, tenant(tier="gold")], None, TIERS, REGIONS)
    assert len(caught.value.problems) == 2


def test_a_good_declaration_comes_back_compact() -> None:
    result = declare([tenant(), tenant(id="globex", state="suspended")], ["globex"], TIERS, REGIONS).to_exit()
    assert result["declared_ids"] == ["acme", "globex"]
    assert result["tenants"] == [
        {"id": "globex", "name": "Acme Corp.", "tier": "team", "region": "us-east-1", "state": "suspended", "contacts": CONTACTS},
    ]
    assert result["changed"] is False


def test_the_sandbox_declares_at_least_six_tenants_in_three_tiers_and_both_regions() -> None:
    data = yaml.safe_load((CHECKOUT / "inventories/sandbox/group_vars/all/tenants.yml").read_text(encoding="utf-8"))
    declared = declare(data["tenants"], None, TIERS, REGIONS)
    assert len(declared.ids) >= 6
    assert {one.tier for one in declared.selected} == set(TIERS)
    assert {one.region for one in declared.selected} == set(REGIONS)
