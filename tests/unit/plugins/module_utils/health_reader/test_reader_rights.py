# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runbooks, checks and what makes the accounts say the same about rights: for each system there is one source."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems import (
    aws_rights,
    neo4j_rights,
    postgresql_rights,
    redis_rights,
    registry_rights,
)
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.aws import CHECKS as AWS
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.control import CHECKS as CONTROL
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.kubernetes import CHECKS as KUBERNETES
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.kubernetes import rights as kubernetes_rights
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.neo4j import CHECKS as NEO4J
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.object_store import CHECKS as OBJECT_STORE
from ansible_collections.leanvibe.ops.plugins.module_utils.health.systems.redis import CHECKS as REDIS
from ansible_collections.leanvibe.ops.plugins.module_utils.platform_database import foundation, names
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.parts import redis as sandbox_redis

ROOT = Path(__file__).resolve().parents[5]
MIGRATION = ROOT / "roles/platform_database/files/migrations/versions/0002_heartbeat.py"


def blocks(system: str, chapter: str = "rights") -> list[str]:
    """The code blocks of a runbook's chapter."""
    text = (ROOT / f"docs/runbooks/{system}.md").read_text(encoding="utf-8")
    body = re.split(r"^## ", text.partition(f"\n## {chapter}\n")[2], flags=re.MULTILINE)[0]
    found = re.findall(r"^```\w+\n(.*?)^```", body, re.MULTILINE | re.DOTALL)
    assert found, f"the runbook of {system} shows no rights"
    return found


def statements(block: str) -> list[str]:
    """SQL or Cypher without comments."""
    lines = [line for line in block.splitlines() if not line.startswith("--")]
    return [statement.strip() for statement in "\n".join(lines).split(";") if statement.strip()]


def test_kubernetes() -> None:
    reader, secrets = (yaml.safe_load(block) for block in blocks("kubernetes"))
    for shown, made in ((reader, kubernetes_rights.reader()), (secrets, kubernetes_rights.secrets_reader())):
        assert shown["rules"] == made["rules"]
        assert shown["metadata"]["name"] == made["metadata"]["name"]
    verbs = {verb for rule in kubernetes_rights.reader()["rules"] for verb in rule["verbs"]}
    assert verbs <= {"get", "list"}
    assert "secrets" not in json.dumps(kubernetes_rights.reader()["rules"])
    named = {word for check in KUBERNETES for grant in check.grants for word in re.findall(r"(?:list|get) ([a-z]+)", grant)}
    resources = {name for rule in (*kubernetes_rights.reader()["rules"], *kubernetes_rights.secrets_reader()["rules"]) for name in rule.get("resources", ())}
    assert {name for name in named if name not in ("on",)} <= resources


def test_redis() -> None:
    (block,) = blocks("redis")
    assert block.splitlines()[0] == f"ACL SETUSER health on ><password> {redis_rights.READ_ONLY_RULES}"
    assert sandbox_redis.RULES["health"] == redis_rights.READ_ONLY_RULES
    named = {word for check in REDIS for grant in check.grants for word in re.findall(r"\+(\S+)", grant)}
    assert named == set(redis_rights.COMMANDS)


def test_neo4j() -> None:
    (block,) = blocks("neo4j")
    assert statements(block) == ["CREATE ROLE health", *(grant.replace("$role", "health") for grant in neo4j_rights.GRANTS)]
    named = {grant.replace("<role>", "$role") for check in NEO4J for grant in check.grants}
    assert named == set(neo4j_rights.GRANTS) - {"GRANT ACCESS ON DATABASE * TO $role"}


def test_aws() -> None:
    (block,) = blocks("aws")
    assert json.loads(block) == aws_rights.policy(aws_rights.ACTIONS)
    assert {grant for check in AWS for grant in check.grants} == set(aws_rights.ACTIONS)
    assert all(re.match(r"\w+:(Describe|Get|List)", action) for action in (*aws_rights.ACTIONS, *aws_rights.S3_ACTIONS))


def test_object_store() -> None:
    (block,) = blocks("object_store")
    assert json.loads(block) == aws_rights.policy(aws_rights.S3_ACTIONS)
    text = (ROOT / "docs/runbooks/object_store.md").read_text(encoding="utf-8").partition("versitygw gives rights")[2].partition("on that bucket")[0]
    assert set(re.findall(r"s3:\w+", text)) == set(aws_rights.BUCKET_ACTIONS)
    named = {action for check in OBJECT_STORE for grant in check.grants for action in re.findall(r"s3:\w+", grant)}
    assert named == set(aws_rights.S3_ACTIONS)


def test_registry() -> None:
    (block,) = blocks("control")
    assert statements(block) == list(registry_rights.STATEMENTS)
    queried = {check.id: set(re.findall(r"public\.(\w+)", check.query)) for check in CONTROL}
    for check in CONTROL:
        tables = set(re.findall(r"\w+", check.grants[0].removeprefix("GRANT SELECT ON ").removesuffix(" TO <role>")))
        assert tables >= queried[check.id], check.id


def test_postgresql() -> None:
    (block,) = blocks("postgresql", "Rights")
    assert statements(block) == [right.statement for right in postgresql_rights.RIGHTS]


def test_what_makes_postgresql_s_role_gives_each_of_its_rights() -> None:
    """The role platform_database has these in two places: the foundation, and a migration."""
    assert (postgresql_rights.ROLE, postgresql_rights.MONITOR) == (names.HEALTH, names.MONITOR)
    assert foundation.ROLES[names.HEALTH]["LOGIN"] is True
    assert foundation.MEMBERSHIPS[names.MONITOR][names.HEALTH] is False
    assert foundation.DATABASE_RIGHTS[names.HEALTH] == ("CONNECT",)
    shown = [right.statement for right in postgresql_rights.RIGHTS]
    assert f"GRANT SELECT ({', '.join(foundation.WIDTHS)}) ON pg_catalog.pg_statistic TO {names.MONITOR}" in shown
    given = {
        (what, on, role)
        for what, on, roles in re.findall(r'"GRANT (\w+) ON ([\w. ]+) TO ([\w, ]+)"', MIGRATION.read_text(encoding="utf-8"))
        for role in roles.split(", ")
    }
    wanted: set[Any] = set()
    for statement in shown[4:]:
        match = re.fullmatch(r"GRANT (\w+) ON ([\w., ]+) TO (\w+)", statement)
        assert match is not None, statement
        wanted |= {(match[1], on, match[3]) for on in match[2].split(", ")}
    assert wanted <= given


@pytest.mark.parametrize("name", ["kubernetes", "postgresql", "control", "pgbouncer", "redis", "neo4j", "object_store", "aws"])
def test_every_system_with_accounts_has_a_module_and_is_a_system_of_the_role(name: str) -> None:
    systems = yaml.safe_load((ROOT / "roles/health_reader/vars/main.yml").read_text(encoding="utf-8"))["__health_reader_systems"]
    hosts = yaml.safe_load((ROOT / "playbooks/health_reader.yml").read_text(encoding="utf-8"))[0]["hosts"].split(":")
    assert name in systems
    assert set(systems) == set(hosts)
    assert (ROOT / f"plugins/modules/health_reader_{name}.py").is_file()
