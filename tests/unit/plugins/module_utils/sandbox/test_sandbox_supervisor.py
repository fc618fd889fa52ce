# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What supervisord is told: a stop stays a stop, secrets stay out of command lines, odd characters survive."""

from __future__ import annotations

import configparser
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.common.errors import OpsError, Unreachable
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox import processes
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox.supervisor import PROGRAM_VARIABLE, Program, Supervisor, configuration


def read(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    parser.read_string(text)
    return parser


def program(name: str, *argv: str, directory: Path = Path("/"), **options: object) -> Program:
    return Program(name=name, argv=argv, directory=directory, **options)  # type: ignore[arg-type]


def test_nothing_is_started_or_restarted_behind_our_back(tmp_path: Path) -> None:
    section = read(configuration([program("redis-us-east-1", "redis-server")], tmp_path, tmp_path / "s"))["program:redis-us-east-1"]
    assert (section["autostart"], section["autorestart"], section["startretries"]) == ("false", "false", "0")


def test_arguments_survive_supervisords_own_rules(tmp_path: Path) -> None:
    argv = ("/bin/x", "--format=%m [%p]", "two words", "100%")
    section = read(configuration([program("x", *argv)], tmp_path, tmp_path / "s"))["program:x"]
    assert shlex.split(section["command"] % {}) == list(argv)


@pytest.mark.parametrize("bad", ["a;b", "a\nb", 'a"b'])
def test_what_would_change_the_file_is_refused(tmp_path: Path, bad: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in"):
        configuration([program("x", "/bin/x", environment={"A": bad})], tmp_path, tmp_path / "s")


def test_every_program_carries_its_name(tmp_path: Path) -> None:
    section = read(configuration([program("x", "/bin/x", environment={"A": "1"})], tmp_path, tmp_path / "s"))["program:x"]
    assert section["environment"] == f'A="1",{PROGRAM_VARIABLE}="x"'


def test_silence_is_an_error_that_names_the_log(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, tmp_path / "none.sock")
    assert supervisor.running() is False
    with pytest.raises(Unreachable, match=r"does not answer on .*supervisord\.log"):
        supervisor.pids()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    (tmp_path / "logs").mkdir()
    found = Supervisor(tmp_path, tmp_path / "s.sock")
    yield found
    processes.end(processes.find(tmp_path).values(), 5)
    assert processes.find(tmp_path) == {}


def test_a_real_supervisord_runs_what_it_is_told_and_takes_changes(supervisor: Supervisor, tmp_path: Path) -> None:
    stopped: list[list[str]] = []

    def stop(names: list[str]) -> None:
        stopped.append(names)
        for name in names:
            supervisor.stop(name, 5)

    sleeper, other = program("a", "/bin/sleep", "60"), program("b", "/bin/sleep", "61")
    assert supervisor.ensure([sleeper, other], stop) is True
    assert supervisor.ensure([sleeper, other], stop) is False
    supervisor.start("a")
    supervisor.start("a")
    supervisor.start("b")
    pids = supervisor.pids()
    assert set(pids) == {"a", "b"}
    assert supervisor.ensure([sleeper, program("b", "/bin/sleep", "62"), program("c", "/bin/sleep", "63")], stop) is True
    assert stopped == [["b"]]
    assert supervisor.pids() == {"a": pids["a"]}
    supervisor.start("c")
    processes.kill(processes.find(tmp_path)["c"])
    supervisor.stop("c", 5)
    assert set(supervisor.pids()) == {"a"}
    with pytest.raises(OpsError, match="nobody cannot be started"):
        supervisor.start("nobody")
