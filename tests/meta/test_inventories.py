# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventories load without any secret, mean the same, hold no secret, say all that is missing at once, and keep environments apart."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
INVENTORIES = ROOT / "inventories"
OWNED = ("development", "staging", "production")
ENVIRONMENTS = ("sandbox", *OWNED)
SYSTEMS = ("kubernetes", "postgresql", "pgbouncer", "redis", "neo4j", "object_store", "backend", "external", "monitoring", "aws")
REGIONS = {"us_east_1": "us-east-1", "us_west_2": "us-west-2"}
COMMON = {
    "leanvibe_ops_application_endpoints",
    "leanvibe_ops_environment",
    "leanvibe_ops_environment_policy",
    "leanvibe_ops_operator",
    "leanvibe_ops_placement",
    "leanvibe_ops_region",
    "leanvibe_ops_regions",
    "leanvibe_ops_registry",
    "leanvibe_ops_replication",
    "leanvibe_ops_required",
    "leanvibe_ops_system",
}
SECRET = "hunter2-never-shown"
SENSITIVE_KEY = re.compile(r"(password|passwd|secret|token|access_key|private_key|api_key|credential)", re.IGNORECASE)
SENSITIVE_TEXT = re.compile(r"AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}|BEGIN [A-Z ]*PRIVATE KEY|://[^/\s:{}]+:[^@\s{}]+@|xox[baprs]-|gh[pousr]_\w{20}|sk_live_")


def clean_environment(**more: str) -> dict[str, str]:
    """The environment of somebody who has been given nothing."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LEANVIBE_", "ANSIBLE_", "AWS_", "KUBECONFIG"))}
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return {**kept, "PATH": path, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", **more}


def ansible(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's programs from the checkout, at most 60 s."""
    return subprocess.run(command, cwd=ROOT, env=clean_environment(**environment), capture_output=True, text=True, timeout=60, check=False)


@functools.cache
def load(name: str) -> dict[str, Any]:
    """What ansible-inventory reads from it, with nothing given."""
    answer = ansible("ansible-inventory", "-i", f"inventories/{name}", "--list")
    assert answer.returncode == 0, f"{name}: {answer.stderr}"
    assert "Found both group and host" not in answer.stderr
    return dict(json.loads(answer.stdout))


def hosts_of(inventory: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Host name -> variables as they are written."""
    return dict(inventory["_meta"]["hostvars"])


def groups_of(inventory: Mapping[str, Any]) -> dict[str, set[str]]:
    """Group name -> hosts."""
    return {name: set(group.get("hosts", [])) for name, group in inventory.items() if name not in ("_meta", "all")} | {
        name: set() for name in inventory["all"]["children"] if name not in inventory
    }


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_endpoint_is_a_local_host_of_one_system_and_one_region(name: str) -> None:
    groups = groups_of(load(name))
    for host, variables in hosts_of(load(name)).items():
        assert variables["ansible_connection"] == "local", host
        assert variables["ansible_python_interpreter"] == "{{ ansible_playbook_python }}", host
        assert [system for system in ("control", *SYSTEMS) if host in groups[system]] == [variables["leanvibe_ops_system"]], host
        assert variables["leanvibe_ops_region"] in REGIONS.values(), host
        if variables["leanvibe_ops_system"] != "control":
            assert [REGIONS[group] for group in REGIONS if host in groups[group]] == [variables["leanvibe_ops_region"]], host


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_groups_and_variables_mean_the_same_everywhere(name: str) -> None:
    assert set(groups_of(load(name))) - {"ungrouped"} == {"control", *SYSTEMS, *REGIONS}
    assert len(groups_of(load(name))["control"]) == 1
    for host, variables in hosts_of(load(name)).items():
        assert set(variables) >= COMMON, f"{host} lacks {sorted(COMMON - set(variables))}"
        assert variables["leanvibe_ops_environment"] == name
        system = variables["leanvibe_ops_system"]
        if system != "control":
            assert f"leanvibe_ops_{system}" in variables, f"{host} has no connection variable"


def test_environments_of_the_owner_have_the_same_variables() -> None:
    hosts = {name: hosts_of(load(name)) for name in OWNED}
    assert set(hosts["staging"]) == set(hosts["production"])
    assert set(hosts["production"]) - set(hosts["development"]) == {"aws-us-east-1", "aws-us-west-2"}
    secrets = re.compile(r"leanvibe_ops_secret_|leanvibe_ops_deployment")
    for host, variables in hosts["development"].items():
        names = {name: {key for key in hosts[name][host] if not secrets.match(key)} for name in OWNED}
        assert names["development"] == names["staging"] == names["production"], host
        assert variables["leanvibe_ops_regions"].keys() == hosts["production"][host]["leanvibe_ops_regions"].keys()


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_placement_covers_every_tenant_system_and_region(name: str) -> None:
    for variables in hosts_of(load(name)).values():
        placement = variables["leanvibe_ops_placement"]
        assert set(placement) == {"kubernetes", "postgresql", "redis", "neo4j", "object_store"}
        assert all(set(regions) == set(REGIONS.values()) for regions in placement.values())
        assert {value for regions in placement.values() for value in regions.values()} <= {"all", "home", "replica", "absent"}


def connection_options(system: str) -> set[str]:
    """The suboptions of ``connection`` that the tenants module of a system takes; empty if its documentation says nothing about them."""
    module = ROOT / f"plugins/modules/tenants_{system}.py"
    document = yaml.safe_load(_text(module, "DOCUMENTATION"))
    sources = [document, *(_fragment(name) for name in document.get("extends_documentation_fragment", []) if ".connection_" in name)]
    connections = [source.get("options", {}).get("connection", {}) for source in sources]
    return {name for connection in connections for name in connection.get("suboptions", {})}


def _text(path: Path, variable: str) -> str:
    match = re.search(rf'\b{variable} = (?:\(\s*)?r?"""\n(.*?)"""', path.read_text(encoding="utf-8"), re.DOTALL)
    assert match is not None, f"{path} has no {variable}"
    return match[1]


def _fragment(name: str) -> dict[str, Any]:
    _namespace, _collection, file, *section = name.split(".")
    return dict(yaml.safe_load(_text(ROOT / f"plugins/doc_fragments/{file}.py", section[0].upper() if section else "DOCUMENTATION")))


@pytest.mark.parametrize("system", ["kubernetes", "postgresql", "redis", "neo4j", "object_store"])
def test_connection_variables_are_what_the_modules_take(system: str) -> None:
    options = connection_options(system)
    assert options, f"tenants_{system} does not document its connection"
    for name in OWNED:
        for host, variables in hosts_of(load(name)).items():
            if variables["leanvibe_ops_system"] == system:
                unknown = set(variables[f"leanvibe_ops_{system}"]) - options
                assert not unknown, f"{name}: {host}: tenants_{system} has no connection option {sorted(unknown)}"


# Secrets


@dataclass(frozen=True)
class Leak:
    """A value in an inventory that looks like a secret in clear."""

    file: str
    path: str


def leaks(folder: Path) -> Iterator[Leak]:
    """Every sensitive key with a literal value, and every text that has the form of a known kind of secret."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        text = file.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if SENSITIVE_TEXT.search(line):
                yield Leak(file.name, f"line {number}")
        if file.suffix in (".yml", ".yaml"):
            for path, value in _literals(yaml.load(text, Loader=_Loader)):  # noqa: S506 - a safe loader with one tag more
                # moto checks no keys: these open nothing.
                harmless = value == "sandbox" and file.parts[-3:] == ("sandbox", "group_vars", "aws.yml")
                if SENSITIVE_KEY.search(path.rpartition(".")[2]) and not harmless:
                    yield Leak(file.name, f"{path} = {type(value).__name__}")


class _Loader(yaml.SafeLoader):
    """Reads values of Ansible Vault as templates: they are not in clear."""


_Loader.add_constructor("!vault", lambda _loader, _node: "{{ vault }}")


def _literals(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _literals(part, f"{path}.{key}")
    elif isinstance(value, list):
        for part in value:
            yield from _literals(part, path)
    elif value not in (None, "", True, False) and not (isinstance(value, str) and "{{" in value):
        yield path, value


def test_no_secret_is_in_clear() -> None:
    assert list(leaks(INVENTORIES)) == []


@pytest.mark.parametrize(
    "text",
    [
        "leanvibe_ops_postgresql: {password: s3cret}",
        "a: [{b: {secret_key: abc}}]",
        "leanvibe_ops_secret_redis_password: 12345",
        "url: postgresql://app:s3cret@db/leanvibe",
        "note: AKIA" + "ABCDEFGHIJKLMNOP",
        "key: |\n  -----BEGIN RSA " + "PRIVATE KEY-----",
    ],
)
def test_search_for_secrets_finds_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yml").write_text(text, encoding="utf-8")
    assert len(list(leaks(tmp_path))) == 1


@pytest.mark.parametrize(
    "text",
    ["password: \"{{ lookup('ansible.builtin.env', 'X') }}\"", "password: ''", "password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  61", "uri: bolt://h:1"],
)
def test_search_for_secrets_knows_a_reference(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yml").write_text(text, encoding="utf-8")
    assert list(leaks(tmp_path)) == []


@pytest.mark.parametrize("name", OWNED)
def test_an_environment_takes_no_variable_meant_for_another(name: str) -> None:
    for file in (INVENTORIES / name).rglob("*.yml"):
        for variable in re.findall(r"\bLEANVIBE_(\w+)", file.read_text(encoding="utf-8")):
            assert variable.startswith((f"{name.upper()}_", "OPS_")), f"{file}: LEANVIBE_{variable}"


def required_names(inventory: Mapping[str, Any], *, every_day: bool = False) -> set[str]:
    """What an inventory declares as required; with ``every_day`` without what only certain runs need."""
    host = next(iter(hosts_of(inventory).values()))
    return {entry["name"] for entry in host["leanvibe_ops_required"] if not (every_day and entry.get("purposes"))}


@pytest.mark.parametrize("name", OWNED)
def test_every_secret_is_declared_as_required_and_every_requirement_is_used(name: str) -> None:
    required = required_names(load(name))
    secrets = {key for variables in hosts_of(load(name)).values() for key in variables if key.startswith("leanvibe_ops_secret_")}
    assert secrets == {entry for entry in required if entry.startswith("leanvibe_ops_secret_")}
    texts = {file.name: file.read_text(encoding="utf-8") for file in (INVENTORIES / name).rglob("*.yml") if file.name != "required.yml"}
    for entry in required - {"tenants", "leanvibe_ops_operator"}:
        assert any(re.search(rf"\{{\{{[^}}]*\b{entry}\b", text) for text in texts.values()), f"{entry} is required and nobody uses it"


# Runs


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    """The gate, then a play that leaves a mark when it was let through."""
    file = tmp_path / "guarded.yml"
    file.write_text(
        f"""---
- name: Gate
  hosts: all
  gather_facts: false
  tasks:
    - name: Gate
      ansible.builtin.import_role: {{name: leanvibe.ops.guard, rolespec_validate: false}}
- name: Work
  hosts: all
  gather_facts: false
  tasks:
    - name: Touch something
      run_once: true
      ansible.builtin.file: {{path: "{tmp_path}/touched-{{{{ ansible_play_hosts | length }}}}", state: touch, mode: "0600"}}
""",
        encoding="utf-8",
    )
    return file


def touched(folder: Path) -> list[str]:
    """What was let through: the number of hosts."""
    return sorted(path.name.removeprefix("touched-") for path in folder.glob("touched-*"))


def given(name: str, folder: Path) -> tuple[Path, dict[str, str]]:
    """A copy of an inventory whose owner has filled in everything, and the environment variables that go with it."""
    copy = folder / name
    shutil.copytree(INVENTORIES / name, copy)
    owner = {
        "tenants": [],
        "leanvibe_ops_address": "endpoint.example.org",
        "leanvibe_ops_registry_address": "registry.example.org",
        "leanvibe_ops_ca_file": "/etc/ssl/ca.pem",
        "leanvibe_ops_cache_user_group": "leanvibe",
        "leanvibe_ops_approvers": ["bob"],
    }
    (copy / "group_vars/all/owner.yml").write_text(yaml.safe_dump(owner), encoding="utf-8")
    text = (copy / "group_vars/all/secrets.yml").read_text(encoding="utf-8")
    return copy, {**dict.fromkeys(re.findall(r"\bLEANVIBE_\w+", text), SECRET), "LEANVIBE_OPS_OPERATOR": "jane"}


@pytest.mark.parametrize("name", OWNED)
def test_run_without_what_the_owner_knows_names_all_of_it_and_touches_nothing(playbook: Path, tmp_path: Path, name: str) -> None:
    run = ansible("ansible-playbook", "-i", f"inventories/{name}", str(playbook))
    assert run.returncode != 0
    assert touched(tmp_path) == []
    assert run.stdout.count("fatal:") == 1
    message = run.stdout[run.stdout.index("fatal:") :]
    told = re.findall(r"^ +- ([\w.\[\]-]+): ", message, re.MULTILINE)
    assert sorted(told) == sorted(required_names(load(name), every_day=True))


def test_run_that_is_given_everything_goes_on_and_shows_no_secret(playbook: Path, tmp_path: Path) -> None:
    inventory, environment = given("production", tmp_path)
    del environment["LEANVIBE_PRODUCTION_POSTGRESQL_SUPERUSER_PASSWORD"]  # not for every day
    run = ansible("ansible-playbook", "-vvv", "-i", str(inventory), str(playbook), **environment)
    assert run.returncode == 0, run.stdout
    assert touched(tmp_path) == ["20"]
    assert SECRET not in run.stdout + run.stderr


def test_run_on_some_hosts_asks_only_for_what_these_need(playbook: Path, tmp_path: Path) -> None:
    inventory, environment = given("production", tmp_path)
    for variable in ("NEO4J_PASSWORD", "POSTGRESQL_PASSWORD", "POSTGRESQL_SUPERUSER_PASSWORD"):
        del environment[f"LEANVIBE_PRODUCTION_{variable}"]
    run = ansible("ansible-playbook", "-i", str(inventory), "--limit", "redis:neo4j", str(playbook), **environment)
    assert run.returncode != 0
    assert "leanvibe_ops_secret_neo4j_password" in run.stdout
    assert "postgresql_password" not in run.stdout
    assert "1 problem(s)" in run.stdout
    assert SECRET not in run.stdout + run.stderr


def test_what_an_environment_is_cannot_be_said_on_the_command_line(playbook: Path, tmp_path: Path) -> None:
    loosened = '{"leanvibe_ops_environment_policy": {"kind": "development", "data": "synthetic", "reset_allowed": true, "destructive": "confirm"}}'
    run = ansible("ansible-playbook", "-i", "inventories/production", "-e", loosened, str(playbook))
    assert run.returncode != 0
    assert "leanvibe_ops_environment_policy is said by the inventory" in run.stdout
    assert touched(tmp_path) == []


def test_two_environments_in_one_run_are_refused(playbook: Path, tmp_path: Path) -> None:
    run = ansible("ansible-playbook", "-i", "inventories/production", "-i", "inventories/development", str(playbook))
    assert run.returncode != 0
    assert "more than one environment in a run" in run.stdout
    assert touched(tmp_path) == []


def first_step(playbook: Path) -> tuple[str, dict[str, Any]]:
    """The role that a playbook starts with, and the variables it gets."""
    play = yaml.safe_load(playbook.read_text(encoding="utf-8"))[0]
    if "roles" in play and "pre_tasks" not in play:
        return str(play["roles"][0]["role"]), dict(play["roles"][0].get("vars", {}))
    task = (play.get("pre_tasks") or play["tasks"])[0]
    return str(task.get("ansible.builtin.import_role", {}).get("name")), dict(task.get("vars", {}))


@pytest.mark.parametrize("playbook", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: path.stem)
def test_every_playbook_starts_with_the_guard(playbook: Path) -> None:
    role, variables = first_step(playbook)
    assert role == "leanvibe.ops.guard"
    assert variables.get("guard_kinds") == (["sandbox"] if playbook.stem.startswith("sandbox_") else None)
    # Only what the connection variables wait for may go without them.
    assert variables.get("guard_connections", True) or playbook.stem.startswith("sandbox_")


def test_playbook_without_the_guard_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text("- hosts: all\n  tasks:\n    - ansible.builtin.debug: {msg: x}\n", encoding="utf-8")
    assert first_step(tmp_path / "x.yml")[0] != "leanvibe.ops.guard"


def test_sandbox_playbook_refuses_production_before_it_asks_for_anything() -> None:
    run = ansible("ansible-playbook", "-i", "inventories/production", "playbooks/sandbox_status.yml")
    assert run.returncode != 0
    assert "production is production; use another inventory" in run.stdout
    assert "leanvibe_ops_secret" not in run.stdout


def test_what_destroys_production_data_needs_more_than_another_inventory(tmp_path: Path) -> None:
    inventory, environment = given("production", tmp_path)
    file = tmp_path / "destroy.yml"
    file.write_text(
        f"""---
- name: Destroy
  hosts: control
  gather_facts: false
  tasks:
    - name: Ask
      ansible.builtin.include_role: {{name: leanvibe.ops.guard, tasks_from: destructive}}
      vars: {{guard_what: offboard tenant acme, guard_thing: acme}}
    - name: Touch something
      ansible.builtin.copy: {{content: "{{{{ guard_consent.consent | to_json }}}}", dest: "{tmp_path}/touched-it", mode: "0600"}}
""",
        encoding="utf-8",
    )
    refused = ansible("ansible-playbook", "-i", str(inventory), "-e", "confirm=acme", str(file), **environment)
    assert refused.returncode != 0
    assert touched(tmp_path) == []
    assert "-e confirm_environment=production" in refused.stdout
    assert "for: production/acme" in refused.stdout
    until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    approved = tmp_path / "approved.yml"
    consent = {
        "confirm": "acme",
        "confirm_environment": "production",
        "approval": {"by": "bob", "reference": "CHG-1", "for": "production/acme", "until": until},
    }
    approved.write_text(yaml.safe_dump(consent), encoding="utf-8")
    granted = ansible("ansible-playbook", "-i", str(inventory), "-e", f"@{approved}", str(file), **environment)
    assert granted.returncode == 0, granted.stdout
    assert json.loads((tmp_path / "touched-it").read_text(encoding="utf-8"))["approval"]["reference"] == "CHG-1"
