# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gone is only said of a process when that is proven; the run's own process is found among its forks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.processes import ProcessIdentity, controller, identify, provably_gone


@pytest.fixture
def child() -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_a_running_process_is_not_gone(child: subprocess.Popen[bytes]) -> None:
    assert not provably_gone(identify(child.pid))
    assert not provably_gone(identify())


def test_a_killed_process_is_gone_also_before_it_is_buried(child: subprocess.Popen[bytes]) -> None:
    identity = identify(child.pid)
    child.kill()
    deadline = time.monotonic() + 10
    while not provably_gone(identity) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert provably_gone(identity)
    child.wait()
    assert provably_gone(identity)


def test_another_process_with_the_same_pid_is_another_process(child: subprocess.Popen[bytes]) -> None:
    identity = identify(child.pid)
    assert provably_gone(replace(identity, started=identity.started - 1))


@pytest.mark.parametrize(
    "changes",
    [{"place": ""}, {"place": "another boot/pid:[1]"}, {"pid": 0}, {"pid": -1}, {"started": 0}],
    ids=["no place", "another machine", "no pid", "negative pid", "unknown start"],
)
def test_what_cannot_be_looked_at_is_never_gone(changes: dict[str, object]) -> None:
    gone = ProcessIdentity("host", identify().place, 2**22 - 3, 1)
    assert provably_gone(gone)
    assert not provably_gone(replace(gone, **changes))


def test_a_name_with_parentheses_does_not_shift_the_fields(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text("7 (a) b (c)) S 1 " + " ".join(str(number) for number in range(5, 53)), encoding="ascii")
    assert identify(7, tmp_path).started == 22


def test_without_proc_nothing_is_known(tmp_path: Path) -> None:
    identity = identify(os.getpid(), tmp_path)
    assert (identity.place, identity.started) == ("", 0)


def tree(proc: Path, processes: dict[int, tuple[int, list[str]]]) -> None:
    for pid, (parent, command) in processes.items():
        (proc / str(pid)).mkdir()
        (proc / str(pid) / "stat").write_text(f"{pid} (x) S {parent} " + " ".join(["0"] * 17) + f" {pid * 100} 0", encoding="ascii")
        (proc / str(pid) / "cmdline").write_bytes("\0".join(command).encode() + b"\0")


PLAYBOOK = ["/venv/bin/python", "/venv/bin/ansible-playbook", "site.yml"]


def test_the_controller_is_the_uppermost_fork_of_the_playbook(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            10: (1, ["bash"]),
            11: (10, PLAYBOOK),
            12: (11, PLAYBOOK),
            13: (12, ["/bin/sh", "-c", "python AnsiballZ_x.py"]),
            14: (13, ["python", "/tmp/ansible-tmp-1/AnsiballZ_x.py"]),
        },
    )
    found = controller(14, tmp_path)
    assert found is not None
    assert (found.pid, found.started) == (11, 1100)


def test_a_playbook_inside_a_playbook_is_its_own_controller(tmp_path: Path) -> None:
    tree(tmp_path, {11: (1, PLAYBOOK), 12: (11, [*PLAYBOOK[:2], "inner.yml"]), 13: (12, ["python", "x"])})
    found = controller(13, tmp_path)
    assert found is not None
    assert found.pid == 12


def test_no_playbook_no_controller(tmp_path: Path) -> None:
    tree(tmp_path, {10: (1, ["bash"]), 11: (10, ["python", "/tmp/ansible-tmp/AnsiballZ_x.py"])})
    assert controller(11, tmp_path) is None
