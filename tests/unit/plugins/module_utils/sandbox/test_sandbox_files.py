# Copyright: (c) 2026, LeanVibe
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are written when they differ, with the mode they need, and programs are reachable for other users."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.leanvibe.ops.plugins.module_utils.sandbox import credentials, files


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_written_once_and_again_only_when_it_differs(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    assert files.write(path, "a") is True
    assert mode(path) == 0o600
    written = path.stat().st_ino
    assert files.write(path, "a") is False
    assert path.stat().st_ino == written
    path.chmod(0o644)
    assert files.write(path, "a") is True
    assert mode(path) == 0o600
    assert files.write(path, b"b", 0o644) is True
    assert (path.read_text(), mode(path)) == ("b", 0o644)
    assert [item.name for item in tmp_path.iterdir()] == ["secret"]


def test_folders_above_stay_passable_and_the_folder_itself_is_closed(tmp_path: Path) -> None:
    assert files.directory(tmp_path / "a/b/c") is True
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/c")] == [0o755, 0o755, 0o700]
    assert files.directory(tmp_path / "a/b/c") is False
    (tmp_path / "a/b/c").chmod(0o777)
    assert files.directory(tmp_path / "a/b/c") is True
    assert mode(tmp_path / "a/b/c") == 0o700


def test_the_closed_folder_on_the_way_is_named(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    for above in (*inner.parents, inner):
        if above.is_relative_to(tmp_path):
            above.chmod(0o755)
    (tmp_path / "closed").chmod(0o700)
    found = files.first_closed(inner)
    assert found is not None
    assert (tmp_path / "closed").is_relative_to(found)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as other users")
def test_programs_in_a_closed_folder_are_linked_to_where_servers_reach_them(tmp_path: Path) -> None:
    program = tmp_path / "closed/etcd/3.6/bin/etcd"
    program.parent.mkdir(parents=True)
    program.write_text("program")
    (tmp_path / "closed").chmod(0o700)
    found = files.reachable(program, tmp_path / "open")
    assert found == tmp_path / "open/etcd/3.6/bin/etcd"
    assert found.samefile(program)
    jars = tmp_path / "closed/neo4j/5.26/lib"
    jars.mkdir(parents=True)
    (jars / "a.jar").write_text("a")
    assert [path.name for path in files.reachable(jars, tmp_path / "open").iterdir()] == ["a.jar"]


def test_secrets_are_kept_and_missing_ones_are_made() -> None:
    first = credentials.complete({})
    assert credentials.complete(first) == first
    assert len(first["postgresql"]["leanvibe_app"]) == 40
    del first["redis"]["application"]
    again = credentials.complete(first)
    assert again["redis"]["operations"] == first["redis"]["operations"]
    assert len(again["redis"]["application"]) == 40
    every = [value for group in (again["postgresql"], again["redis"], again["neo4j"]) for value in group.values()]
    assert len(set(every)) == len(every)
