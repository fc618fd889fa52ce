# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes are found by their mark, also without their supervisor, and nobody else's are touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox import processes
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.supervisor import MEMBER_VARIABLE, PROGRAM_VARIABLE

Start = Callable[..., subprocess.Popen[bytes]]
SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
WILLING = [
    sys.executable,
    "-c",
    """import pathlib, signal, sys, time
signal.signal(15, lambda *_: (pathlib.Path(sys.argv[1]).write_text('asked'), sys.exit(0)))
print('up', flush=True)
time.sleep(60)""",
]
STUBBORN = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"]
PARENT = [sys.executable, "-c", "import subprocess, sys; subprocess.run([sys.executable, '-c', \"import time; print('up', flush=True); time.sleep(60)\"])"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def run(program: str, argv: list[str] = SLEEPER, data: Path = tmp_path) -> subprocess.Popen[bytes]:
        marked = {**os.environ, MEMBER_VARIABLE: str(data), PROGRAM_VARIABLE: program}
        process = subprocess.Popen(argv, env=marked, stdout=subprocess.PIPE, start_new_session=True)
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        started.append(process)
        return process

    yield run
    for process in started:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.communicate()


def test_only_marked_processes_of_this_sandbox_are_found(start: Start, tmp_path: Path) -> None:
    ours = start("redis-us-east-1")
    start("redis-us-east-1", data=tmp_path / "another")
    found = processes.find(tmp_path)
    assert list(found) == ["redis-us-east-1"]
    assert [process.pid for process in found["redis-us-east-1"].members] == [ours.pid]
    assert found["redis-us-east-1"].memory() > 1_000_000


def test_a_group_holds_the_children_and_knows_the_parent(start: Start, tmp_path: Path) -> None:
    parent = start("neo4j-us-east-1", PARENT)
    group = processes.find(tmp_path)["neo4j-us-east-1"]
    assert group.main is not None
    assert group.main.pid == parent.pid
    assert len(group.members) == 2


def test_a_stopped_process_is_paused(start: Start, tmp_path: Path) -> None:
    start("etcd-us-east-1")
    group = processes.find(tmp_path)["etcd-us-east-1"]
    assert group.paused is False
    group.send(signal.SIGSTOP)
    processes.settle(group, paused=True)
    assert processes.find(tmp_path)["etcd-us-east-1"].paused is True
    group.send(signal.SIGCONT)
    processes.settle(group, paused=False)
    assert group.paused is False


def test_the_dead_are_not_found_even_before_they_are_reaped(start: Start, tmp_path: Path) -> None:
    process = start("kwok-us-east-1")
    assert list(processes.find(tmp_path)) == ["kwok-us-east-1"]
    os.kill(process.pid, signal.SIGKILL)
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert processes.find(tmp_path) == {}


def test_kill_takes_the_children_too(start: Start, tmp_path: Path) -> None:
    start("neo4j-us-east-1", PARENT)
    processes.kill(processes.find(tmp_path)["neo4j-us-east-1"])
    assert processes.find(tmp_path) == {}


@pytest.mark.parametrize("paused", [False, True])
def test_end_uses_force_only_after_the_time_given(start: Start, tmp_path: Path, paused: bool) -> None:
    asked = tmp_path / "asked"
    start("a-us-east-1", [*WILLING, str(asked)])
    start("b-us-east-1", STUBBORN)
    groups = processes.find(tmp_path)
    if paused:
        for group in groups.values():
            group.send(signal.SIGSTOP)
    began = time.monotonic()
    assert processes.end(groups.values(), seconds=0.5) == ["a-us-east-1", "b-us-east-1"]
    assert time.monotonic() - began >= 0.5
    assert asked.read_text() == "asked"
    assert processes.find(tmp_path) == {}


def test_the_holder_of_a_port_is_named() -> None:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert processes.holder_of(listener.getsockname()[1]) == f"pid {os.getpid()} ({psutil.Process().name()})"
    assert processes.holder_of(1) is None
