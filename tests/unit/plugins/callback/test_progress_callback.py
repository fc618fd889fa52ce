# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback's folder, environment and thread; and, in a real playbook, lines while the task still runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.leanvibe.ops.plugins.callback.progress import CallbackModule
from ansible_collections.leanvibe.ops.plugins.module_utils.common.progress import FOLDER_VARIABLE, Progress

ROOT = Path(__file__).resolve().parents[4]


class Shown:
    """Stands for Ansible's Display."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def display(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture
def callback(shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CallbackModule:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    plugin = CallbackModule()
    plugin._display = shown
    plugin.get_option = lambda name: name == "enabled"
    return plugin


def test_lines_are_shown_while_the_work_goes_on(callback: CallbackModule, shown: Shown) -> None:
    callback.v2_playbook_on_start(None)
    with Progress.step("building etcd", number=1, total=2):
        give_up = time.monotonic() + 5
        while not shown.lines and time.monotonic() < give_up:
            time.sleep(0.05)
        assert shown.lines == ["    building etcd (1 of 2)"]
    callback.v2_playbook_on_stats(None)


def test_the_folder_is_private_and_goes_with_the_playbook(callback: CallbackModule, tmp_path: Path) -> None:
    callback.v2_playbook_on_start(None)
    folder = Path(os.environ[FOLDER_VARIABLE])
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o077 == 0
    callback.v2_playbook_on_stats(None)
    assert FOLDER_VARIABLE not in os.environ
    assert list(tmp_path.iterdir()) == []


def test_a_second_playbook_of_the_same_command_is_followed_too(callback: CallbackModule, tmp_path: Path) -> None:
    for _playbook in range(2):
        callback.v2_playbook_on_start(None)
        assert len(list(tmp_path.iterdir())) == 1
        callback.v2_playbook_on_stats(None)
    assert list(tmp_path.iterdir()) == []


def test_a_forked_worker_leaves_the_folder_alone(callback: CallbackModule, tmp_path: Path) -> None:
    callback.v2_playbook_on_start(None)
    callback._owner += 1
    callback._finish()
    assert len(list(tmp_path.iterdir())) == 1
    callback._owner -= 1
    callback._finish()
    assert list(tmp_path.iterdir()) == []


def test_off_means_nothing_at_all(callback: CallbackModule, tmp_path: Path) -> None:
    callback.get_option = lambda name: False
    callback.v2_playbook_on_start(None)
    assert FOLDER_VARIABLE not in os.environ
    assert list(tmp_path.iterdir()) == []
    callback.v2_playbook_on_stats(None)


PLAYBOOK = """
- name: Build
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Build slowly
      leanvibe.ops.sandbox_binaries:
        builds_dir: {builds}
        cache_dir: {cache}
        only: [toxiproxy-server]
"""
GO = """#!/bin/sh
case "$1" in
version) echo "go version go1.99.1 linux/amd64" ;;
list) echo one.example/a ;;
build)
    while [ "$1" != -o ]; do shift; done
    /bin/sleep 1.5
    printf '#!/bin/sh\\necho toxiproxy-server version 2.5.0\\n' > "$2"
    /bin/chmod +x "$2"
    ;;
esac
"""


@pytest.mark.parametrize(("setting", "expected"), [("1", True), ("0", False)])
def test_a_playbook_shows_the_step_before_the_task_ends(tmp_path: Path, setting: str, expected: bool) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "tmp").mkdir()
    (tmp_path / "bin/go").write_text(GO, encoding="utf-8")
    (tmp_path / "bin/go").chmod(0o755)
    playbook = tmp_path / "build.yml"
    playbook.write_text(PLAYBOOK.format(builds=ROOT / "roles/sandbox/files/builds", cache=tmp_path / "cache"), encoding="utf-8")
    environment = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "TMPDIR": str(tmp_path / "tmp"),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "ansible"),
        "LEANVIBE_OPS_PROGRESS": setting,
    }
    arguments = ["-m", "ansible", "playbook", "-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}", str(playbook)]
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    before_the_end = done.stdout.partition("changed: [localhost]")[0]
    assert ("building toxiproxy-server 2.5.0 (1 of 1)" in before_the_end) is expected, done.stdout
    assert [path for path in (tmp_path / "tmp").iterdir() if path.name.startswith("leanvibe-ops-progress")] == []
