# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Up again changes nothing, down leaves nothing, and two sandboxes do not meet."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import Conflict

pytestmark = pytest.mark.sandbox
REGIONS = ("us-east-1", "us-west-2")
# Eighteen in each region, and the two that both share.
SERVERS = 2 * 18 + 2


def test_up_again_changes_nothing(box: Any) -> None:
    before = {item["component"] + item["region"]: item["pid"] for item in box.status()["components"]}
    assert box.up()["done"] == []
    assert {item["component"] + item["region"]: item["pid"] for item in box.status()["components"]} == before


def test_status_says_what_the_servers_themselves_say(box: Any, sandbox: dict[str, Any], credentials: dict[str, Any]) -> None:
    found = box.status()
    assert found["problems"] == []
    assert len(found["components"]) == SERVERS
    assert {item["state"] for item in found["components"]} == {"running"}
    assert all(item["version"][0].isdigit() for item in found["components"])
    for region in REGIONS:
        address = sandbox["regions"][region]["postgresql"]
        with psycopg.connect(
            host=address["host"],
            port=address["port"],
            user="postgres",
            password=credentials["postgresql"]["postgres"],
            dbname="leanvibe",
            sslmode="verify-full",
            sslrootcert=sandbox["ca_file"],
        ) as connection:
            row = connection.execute("SELECT current_setting('server_version'), pg_is_in_recovery(), current_setting('data_checksums')").fetchone()
        told = box.component("postgresql", region)
        assert row is not None
        assert row[0].startswith(told["version"])
        assert row[1:] == (region == "us-west-2", "on")
        # The postmaster writes its pid into the first line.
        assert int((Path(found["data"]) / region / "postgresql/data/postmaster.pid").read_text().split()[0]) == told["pid"]


def test_memory_stays_within_the_promise(box: Any) -> None:
    found = box.status()
    assert 500 * 2**20 < found["memory_bytes"] < 4 * 2**30
    assert sum(item["memory_bytes"] for item in found["components"]) <= found["memory_bytes"]


def test_status_playbook_writes_json_and_shows_a_table(run_playbook: Callable[..., subprocess.CompletedProcess[str]], box: Any, tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    done = run_playbook("sandbox_status", extra_vars={"sandbox_status_file": str(file)})
    assert done.returncode == 0, done.stdout
    assert f"{SERVERS} of {SERVERS} servers run" in done.stdout
    written = json.loads(file.read_text())
    assert written["healthy"] is True
    box.fault("redis", "us-west-2", "pause")
    broken = run_playbook("sandbox_status")
    assert broken.returncode != 0
    assert "redis us-west-2 is paused" in broken.stdout


def test_secrets_are_for_the_owner_alone_and_stand_on_no_command_line(sandbox_dir: Path, box: Any, credentials: dict[str, Any]) -> None:
    for name in ("credentials.yml", "env", "pgpass", "us-east-1/kubeconfig"):
        assert stat.S_IMODE((sandbox_dir / name).stat().st_mode) == 0o600
    secrets = {value for value in _leaves(credentials) if len(value) >= 40}
    assert len(secrets) > 15
    lines = [" ".join(process.cmdline()) for group in box.processes().values() for process in group.members]
    assert [line for line in lines if any(secret in line for secret in secrets)] == []
    addresses = (sandbox_dir / "sandbox.yml").read_text() + (sandbox_dir / "env").read_text()
    assert not any(secret in addresses for secret in secrets)


def _leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    return [str(value)]


def test_the_environment_can_be_sourced_and_clients_work(sandbox_dir: Path) -> None:
    script = f". {sandbox_dir}/env && kubectl --context sandbox-us-west-2 get nodes -o name && psql service=us-east-1 -Atc 'select current_user'"
    done = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [*(f"node/us-west-2-node-{number}" for number in range(3)), "leanvibe_operations"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as other users")
def test_servers_of_root_run_as_users_of_their_own(box: Any) -> None:
    users = {program: {process.username() for process in group.members} for program, group in box.processes().items()}
    assert users["postgresql-us-east-1"] == {"postgres"}
    assert users["redis-us-west-2"] == {"redis"}
    as_root = {program for program, names in users.items() if "root" in names}
    # Programs of the checkout's environment, which other users may not reach.
    assert as_root == {"supervisord", "aws", *(f"{name}-{region}" for name in ("backend", "worker") for region in REGIONS)}


@pytest.mark.parametrize("playbook", ["sandbox_up", "sandbox_down", "sandbox_status", "sandbox_fault"])
def test_other_inventories_are_refused(checkout: Path, ansible_env: dict[str, str], playbook: str) -> None:
    done = subprocess.run(
        ["ansible-playbook", "-i", "inventories/production", f"playbooks/{playbook}.yml", "-e", "component=redis fault=kill region=us-east-1"],
        cwd=checkout, env=ansible_env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "production" in done.stdout + done.stderr
    assert "leanvibe.ops.sandbox :" not in done.stdout


def test_a_supervisor_that_was_killed_takes_nothing_with_it_for_good(box: Any) -> None:
    found = box.status()
    os.kill(found["supervisor_pid"], signal.SIGKILL)
    assert "supervisord is dead" in box.status()["problems"]
    done = box.up()["done"]
    assert any("had lost its supervisor" in line for line in done)
    assert box.status()["problems"] == []


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("orphaned", [False, True])
def test_a_second_sandbox_comes_up_beside_the_first_and_leaves_nothing(box: Any, second: Any, orphaned: bool, alive: Callable[[int], bool]) -> None:
    first = {item["component"] + item["region"]: item["pid"] for item in box.status()["components"]}
    second.up()
    found = second.status()
    assert found["problems"] == []
    pids = [process.pid for group in second.processes().values() for process in group.members]
    assert len(pids) > SERVERS
    if orphaned:
        os.kill(found["supervisor_pid"], signal.SIGKILL)
        second.fault("kubernetes", "us-east-1", "pause")
    second.down()
    assert second.processes() == {}
    assert [pid for pid in pids if alive(pid)] == []
    data = Path(found["data"])
    assert (data / "us-east-1/postgresql/data/PG_VERSION").exists()
    second.down(purge=True)
    assert not data.exists()
    assert [path.name for path in Path(found["directory"]).iterdir()] == [".lock"]
    assert {item["component"] + item["region"]: item["pid"] for item in box.status()["components"]} == first


def test_a_port_that_a_stranger_holds_is_named_and_nothing_starts(second: Any) -> None:
    second.down(purge=True)
    port = second.parameters["port_base"] + 112
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        with pytest.raises(Conflict, match=rf"port {port} of redis-us-west-2 is taken by pid {os.getpid()} .*sandbox_port_base"):
            second.up()
    assert second.processes() == {}
    # It may come up on other ports.
    assert not (second.context().data / "leanvibe-sandbox.json").exists()


def test_inventory_variables_lead_to_the_running_systems(checkout: Path, ansible_env: dict[str, str], sandbox: dict[str, Any]) -> None:
    done = subprocess.run(
        ["ansible", "-i", "inventories/sandbox", "postgresql-us-west-2", "-m", "ansible.builtin.debug", "-a", "msg={{ leanvibe_ops_postgresql | to_json }}"],
        cwd=checkout, env={**ansible_env, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    connection = yaml.safe_load(json.loads(done.stdout.split("=>", 1)[1])["msg"]) if isinstance(done.stdout, str) else {}
    assert connection.pop("driver") == "postgresql"
    connection["user"], connection["dbname"] = connection.pop("username"), connection.pop("database")
    assert connection["port"] == sandbox["regions"]["us-west-2"]["postgresql"]["port"]
    with psycopg.connect(**connection) as opened:
        assert opened.execute("SELECT current_user, pg_is_in_recovery()").fetchone() == ("leanvibe_operations", True)


@pytest.mark.faults(sample=1)
@pytest.mark.parametrize("seconds", [0.7, 2, 4, 6, 8, 12])
def test_a_bring_up_that_was_killed_is_completed_by_the_next(second: Any, seconds: float) -> None:
    script = "import json, sys; sys.path[:0] = json.loads(sys.argv[2]); from sandbox_box import Box; Box('/').use(json.loads(sys.argv[1])).up()"
    process = subprocess.Popen([sys.executable, "-c", script, json.dumps(second.parameters), json.dumps(sys.path)], stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
    assert process.returncode == -signal.SIGKILL
    second.up()
    assert second.status()["problems"] == []
